/** The seed explorer: rows of a Jacobian, weighed by hand. */

import { useSignal } from "@preact/signals";
import { render } from "preact";
import type { SeedState } from "../seeds-state";
import { Panel, Ramp } from "./kit";
import { Accumulation, Bare } from "./seeds-backward";
import { Build } from "./seeds-build";
import { Presets } from "./seeds-presets";
import { JacobianTable } from "./seeds-table";

/** Of so many inputs the sliders are folded away at first. */
const MANY = 12;

/** Draw a seed explorer into an element; returns its clean-up. */
export function mountSeeds(el: HTMLElement, state: SeedState): () => void {
  el.classList.add("rw-seeds-place");
  render(<Seeds state={state} />, el);
  return () => render(null, el);
}

function Seeds({ state }: { state: SeedState }) {
  const inputs = state.args.reduce((n, { size }) => n + size, 0);
  const moving = useSignal(inputs <= MANY);
  const { symbol, outputs } = state;
  const rows = outputs.length;
  return (
    <Panel
      name="seeds"
      title={
        <>
          What backward’s argument means: <code>{state.run}</code>
        </>
      }
      say={
        <>
          {symbol} has {rows === 1 ? "one entry" : `${rows} entries`}. For each there is a row of
          the Jacobian J, and under it the row times its seed. <code>{symbol}.backward(v)</code>{" "}
          leaves their sum, vᵀJ.
        </>
      }
      tools={
        <button
          type="button"
          aria-pressed={moving.value}
          data-lm-suppress-shortcuts="true"
          onClick={() => {
            moving.value = !moving.value;
          }}
        >
          sliders for the inputs
        </button>
      }
    >
      <Presets state={state} />
      <JacobianTable state={state} moving={moving.value} />
      <p
        class="rw-legend"
        title="of each input by itself: the largest entry of J; of the weighted rows and their sums a round number above the largest"
      >
        <Ramp most="largest" />
        <span>the largest of each input’s J, and of its weighted rows and sums</span>
      </p>
      <Build state={state} />
      <Status state={state} />
      <div class="rw-seeds-cards">
        <Bare state={state} />
        <Accumulation state={state} />
      </div>
    </Panel>
  );
}

/** Which x the numbers belong to. */
function Status({ state }: { state: SeedState }) {
  const { gone, waiting, refusal, symbol } = state;
  let text = `${symbol}, J and the gradient belong to the inputs above.`;
  if (gone.value) {
    text =
      "No kernel: the seed still moves, with this J; the inputs do not, until the cell is run again.";
  } else if (refusal.value) {
    text = `Not there: ${refusal.value}. ${symbol}, J and the gradient still belong to the inputs before that move.`;
  } else if (waiting.value) {
    text = `Waiting for the kernel: ${symbol}, J and the gradient still belong to the inputs before this move.`;
  }
  return (
    <div class="rw-seeds-status" data-status={statusOf(state)}>
      <span role="status">{text}</span>
      {refusal.value && (
        <button type="button" data-lm-suppress-shortcuts="true" onClick={() => state.stay()}>
          put the inputs back
        </button>
      )}
    </div>
  );
}

function statusOf({ gone, waiting, refusal }: SeedState): string {
  if (gone.value) return "gone";
  if (refusal.value) return "refused";
  return waiting.value ? "waiting" : "ready";
}
