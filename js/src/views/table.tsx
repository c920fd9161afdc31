/** The table of named gradients and, under it, the accounting line. */

import type { AnyModel } from "@anywidget/types";
import { render } from "preact";
import { norm } from "../engine/norms";
import { allDigits, threeDigits } from "../format";
import { gatesOf } from "../gates";
import type { LiveLab } from "../live";
import { flattened } from "../network";
import { Accounting } from "./accounting";
import { KernelNotice } from "./kit";
import { truncatedText } from "./parameters-numbers";

/** Larger leaves are summed up by their norm. */
const MOST_ENTRIES = 144;

export function mountTable(el: HTMLElement, model: AnyModel, lab: LiveLab): () => void {
  const compare = Object.fromEntries(
    Object.entries(model.get("compare") as Record<string, unknown>).map(([leaf, nested]) => [
      leaf,
      flattened(nested),
    ]),
  );
  render(<Table lab={lab} compare={compare} />, el);
  return () => render(null, el);
}

function Table({ lab, compare }: { lab: LiveLab; compare: Record<string, Float64Array> }) {
  lab.revision.value; // what this view follows
  const { program, gradients } = lab.results;
  const compared = Object.keys(compare).length > 0;
  const { veil } = lab;
  const finite = Object.values(gradients).every((gradient) => gradient.every(Number.isFinite));
  return (
    <div class="rw-table">
      <div class="rw-scroll">
        <table>
          <caption>{finite ? caption(program.truncation !== null) : overflow(lab)}</caption>
          <thead>
            <tr>
              <th scope="col">leaf</th>
              <th scope="col">also called</th>
              <th scope="col">norm</th>
              {compared && (
                <th scope="col" class="rw-off">
                  off the given by
                </th>
              )}
              <th scope="col">gradient</th>
            </tr>
          </thead>
          <tbody>
            {Object.entries(gradients).map(([leaf, gradient]) => (
              <tr key={leaf} data-leaf={leaf}>
                <th scope="row">{leaf}</th>
                <td class="rw-aliases">
                  {(lab.aliases.value[leaf] ?? []).map((alias) => (
                    <div key={alias}>{alias}</div>
                  ))}
                </td>
                <td class="rw-number">{veil.text(norm(gradient))}</td>
                {compared && (
                  <td class="rw-number">
                    {compare[leaf] ? distance(gradient, compare[leaf]) : ""}
                  </td>
                )}
                <td>
                  <Entries lab={lab} leaf={leaf} shape={program.leaves[leaf]} data={gradient} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <KernelNotice lab={lab} />
      <Accounting lab={lab} named />
    </div>
  );
}

const caption = (truncated: boolean) =>
  truncated
    ? "Which gradient is which: the truncated gradient by every leaf, under its names"
    : "Which gradient is which: ∂L by every leaf, under its names";

/** In place of the caption, so that nothing moves. */
function overflow({ results }: LiveLab) {
  const step = results.overflow;
  const where = step === null ? "on the way back" : `from t = ${step + 1} (step ${step})`;
  return <span class="rw-overflow">Overflow {where}: what depends on it is not a number</span>;
}

function Entries(props: {
  lab: LiveLab;
  leaf: string;
  shape: readonly number[];
  data: Float64Array;
}) {
  const { lab, leaf, shape, data } = props;
  if (data.length > MOST_ENTRIES) {
    return (
      <span>
        {shape.join(" × ")} entries, too many to list: see net.gradients()["{leaf}"]
      </span>
    );
  }
  const { program } = lab.results;
  const last = shape[shape.length - 1];
  const gates = gatesOf(program, leaf);
  // A bias of several gates reads as one row per gate.
  const columns = shape.length === 1 && gates.length ? program.hiddenSize : last;
  const rows = data.length / columns;
  const selectable = leaf in program.parameters;
  return (
    <div
      class={`rw-entries ${gates.length ? "rw-gated" : ""}`}
      style={{ "--rw-columns": `${columns}` }}
    >
      {gates.map((gate, i) => {
        const height = rows / gates.length;
        return (
          <span
            key={gate}
            class="rw-gate"
            style={{ gridRow: `${i * height + 1} / span ${height}` }}
          >
            {gate}
          </span>
        );
      })}
      {Array.from(data, (x, i) => {
        const index = shape.length === 2 ? `${Math.floor(i / last)},${i % last}` : `${i}`;
        const entry = `${leaf}[${index}]`;
        const text = lab.veil.text(x, threeDigits, "gradient");
        const title = `∂L/∂${entry}${truncatedText(program)} = ${lab.veil.text(x, allDigits, "gradient")}`;
        if (!selectable) {
          return (
            <span key={index} data-entry={entry} title={title}>
              {text}
            </span>
          );
        }
        return (
          <button
            key={index}
            type="button"
            data-entry={entry}
            title={title}
            aria-label={`${entry}: ${text}`}
            aria-pressed={lab.selection.value === entry}
            onClick={() => lab.select(entry)}
          >
            {text}
          </button>
        );
      })}
    </div>
  );
}

function distance(mine: Float64Array, given: Float64Array): string {
  if (mine.length !== given.length) return "another shape";
  return threeDigits(mine.reduce((max, x, i) => Math.max(max, Math.abs(x - given[i])), 0));
}
