/** Step-through: one operation at a time, forward and then backward. */

import type { Program } from "../engine/program";
import { threeDigits } from "../format";
import { ofLayer } from "./graph-layers";
import { introduces, isPreactivation, label, meaning } from "./graph-preactivation";
import { remark } from "./graph-reason";
import type { GraphState } from "./graph-state";
import { tell } from "./graph-telling";

export function Walkbar({ state }: { state: GraphState }) {
  const { value: position } = state.position;
  const count = state.walk.value.length;
  const at = position ?? 0;
  return (
    <div class="rw-graph-walk">
      <button
        type="button"
        data-lm-suppress-shortcuts="true"
        aria-disabled={position === null || at === 0}
        aria-label="one operation back"
        tabIndex={-1} // the keys of the slider do the same
        onClick={() => position !== null && state.go(at - 1)}
      >
        ◀
      </button>
      <span class="rw-graph-word" aria-hidden="true">
        step
      </span>
      <button
        type="button"
        data-lm-suppress-shortcuts="true"
        aria-disabled={position !== null && at === count}
        aria-label="one operation on"
        tabIndex={-1}
        onClick={() => state.go(at + 1)}
      >
        ▶
      </button>
      <input
        type="range"
        min="0"
        max={count}
        value={at}
        data-lm-suppress-shortcuts="true"
        aria-label="operation of the walk through the network"
        aria-valuetext={position === null ? "the whole picture" : `operation ${at} of ${count}`}
        onInput={(event) => state.go(Number(event.currentTarget.value))}
      />
      <span class="rw-graph-word rw-graph-count">
        {position === null ? `${count} operations` : `operation ${at} of ${count}`}
      </span>
      <button
        type="button"
        data-lm-suppress-shortcuts="true"
        aria-disabled={position === null}
        tabIndex={position === null ? -1 : 0}
        onClick={() => state.go(null)}
      >
        whole picture
      </button>
    </div>
  );
}

const HINT = "Choose the loss step t and the source step k above, or click a column";

const hint = ({ lossSteps, seqLen }: Program) =>
  `${HINT} (with Shift${lossSteps.length < seqLen ? ", or where no loss is," : ""} for k).`;

/** The operation's formula, or what is worth saying about the whole picture. */
export function Line({ state }: { state: GraphState }) {
  const picture = state.picture.value;
  const { results } = state.lab;
  const operation = state.operation.value;
  const focus = state.focus.value;
  const { veil } = state.lab;
  // That a contribution is zero, and why, is not said of one that is about to be predicted.
  const secret = picture.contribution === 0 && veil.hides(0, "contribution");
  let text = (secret ? null : remark(results, picture, focus)) ?? hint(results.program);
  let hover = "";
  if (operation) {
    const { program } = results;
    const first = introduces(program, state.walk.value, operation);
    const introduced = first ? `, ${label(program, focus.t, operation)}` : "";
    const drawn = operation.block === state.block.value;
    const where = drawn && ofLayer(program, operation.block).replace(" of ", "");
    text = `${operation.phase}${where ? ` (${where})` : ""}${introduced}: ${tell(results, state.block.value, focus, operation, (x) => veil.text(x, threeDigits, "graph"))}`;
    if (isPreactivation(program, operation)) hover = `\n${meaning(program, focus.t, operation)}`;
  } else if (state.position.value !== null) {
    text = "Nothing is computed yet: the inputs, the initial state and the parameters are given.";
  }
  return (
    <p class="rw-graph-line" aria-live="polite" title={text + hover} data-line>
      {text}
    </p>
  );
}
