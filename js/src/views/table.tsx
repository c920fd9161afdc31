/** The table of named gradients and, under it, the accounting line. */

import type { AnyModel } from "@anywidget/types";
import { render } from "preact";
import type { Account } from "../accounting";
import { norm } from "../engine/quantities";
import { allDigits, threeDigits } from "../format";
import type { KernelState } from "../kernel";
import type { LiveLab } from "../live";
import { flattened } from "../network";

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
  const finite = Object.values(gradients).every((gradient) => gradient.every(Number.isFinite));
  return (
    <div class="rw-table">
      {!finite && <p class="rw-notice">{overflowText(lab)}</p>}
      <div class="rw-scroll">
        <table>
          <caption>Which gradient is which: ∂L by every leaf, under its names</caption>
          <thead>
            <tr>
              <th scope="col">leaf</th>
              <th scope="col">also called</th>
              <th scope="col">norm</th>
              <th scope="col">gradient</th>
              {compared && <th scope="col">off the given by</th>}
            </tr>
          </thead>
          <tbody>
            {Object.entries(gradients).map(([leaf, gradient]) => (
              <tr key={leaf} data-leaf={leaf}>
                <th scope="row">{leaf}</th>
                <td class="rw-aliases">
                  {(lab.network.aliases[leaf] ?? []).map((alias) => (
                    <div key={alias}>{alias}</div>
                  ))}
                </td>
                <td class="rw-number">{threeDigits(norm(gradient))}</td>
                <td>
                  <Entries lab={lab} leaf={leaf} shape={program.leaves[leaf]} data={gradient} />
                </td>
                {compared && (
                  <td class="rw-number">
                    {compare[leaf] ? distance(gradient, compare[leaf]) : ""}
                  </td>
                )}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {lab.kernel.state.value === "gone" && (
        <p class="rw-notice">
          The kernel has stopped or restarted: the page works on, but Python does not follow until
          the cell is run again.
        </p>
      )}
      <AccountingLine account={lab.accounting.account.value} kernel={lab.kernel.state.value} />
    </div>
  );
}

function overflowText({ results }: LiveLab): string {
  const step = results.overflow;
  const where = step === null ? "on the way back" : `at t = ${step + 1} (step ${step})`;
  return `Overflow: numbers grow beyond what a computer holds, first ${where}. What depends on them is not a number.`;
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
  const last = shape[shape.length - 1];
  // A bias of several gates reads as one row per gate.
  const { hiddenSize } = lab.results.program;
  const columns = shape.length === 1 && last % hiddenSize === 0 ? hiddenSize : last;
  const selectable = leaf in lab.results.program.parameters;
  return (
    <div class="rw-entries" style={{ gridTemplateColumns: `repeat(${columns}, max-content)` }}>
      {Array.from(data, (x, i) => {
        const index = shape.length === 2 ? `${Math.floor(i / last)},${i % last}` : `${i}`;
        const entry = `${leaf}[${index}]`;
        const title = `∂L/∂${entry} = ${allDigits(x)}`;
        if (!selectable) {
          return (
            <span key={index} data-entry={entry} title={title}>
              {threeDigits(x)}
            </span>
          );
        }
        return (
          <button
            key={index}
            type="button"
            data-entry={entry}
            title={title}
            aria-label={`${entry}: ${threeDigits(x)}`}
            aria-pressed={lab.selection.value === entry}
            onClick={() => lab.select(entry)}
          >
            {threeDigits(x)}
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

const WITHOUT_TORCH: Record<KernelState, string> = {
  live: "asking the kernel …",
  silent: "the kernel does not answer; the page works on",
  gone: "missing: the kernel has stopped",
};

function AccountingLine({ account, kernel }: { account: Account | null; kernel: KernelState }) {
  if (!account) return <p class="rw-accounting rw-moving">does it add up? …</p>;
  const { entry, contributions, autograd, differences, worst, scale, kink } = account;
  const rounding = 1e-10 * scale;
  return (
    <table class="rw-accounting" data-kernel={kernel}>
      <caption>Does it add up?</caption>
      <tbody>
        <Line
          name="contributions"
          label={`sum of all C[t, k] of ${entry}`}
          value={contributions}
          verdict=""
        />
        <Line
          name="autograd"
          label="torch autograd"
          value={autograd}
          missing={WITHOUT_TORCH[kernel]}
          verdict={autograd === null ? "" : verdict(contributions - autograd, rounding)}
        />
        <Line
          name="differences"
          label="central differences"
          value={differences}
          verdict={
            kink
              ? "a relu's kink lies here: no estimate"
              : verdict(contributions - differences, 1e-6 * Math.max(scale, 1e-3))
          }
        />
        <Line
          name="worst"
          label="all entries of all leaves against torch"
          value={null}
          missing=""
          verdict={worst === null ? "" : verdict(worst, rounding)}
        />
      </tbody>
    </table>
  );
}

function Line(props: {
  name: string;
  label: string;
  value: number | null;
  missing?: string;
  verdict: string;
}) {
  const { name, label, value, missing, verdict } = props;
  return (
    <tr data-witness={name}>
      <th scope="row">{label}</th>
      {value === null ? (
        <td class="rw-missing">{missing}</td>
      ) : (
        <td title={allDigits(value)}>{long(value)}</td>
      )}
      <td>{verdict}</td>
    </tr>
  );
}

const long = (x: number) =>
  Number.isFinite(x) ? x.toPrecision(10).replaceAll("-", "−") : threeDigits(x);

function verdict(difference: number, tolerance: number): string {
  const size = threeDigits(Math.abs(difference));
  return Math.abs(difference) <= tolerance ? `differs by ${size} ✓` : `differs by ${size} ✗`;
}
