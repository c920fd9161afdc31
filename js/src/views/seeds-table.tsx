/** The Jacobian as rows: a seed's slider at each, an input's above each column, the sum below. */

import { computed, type ReadonlySignal, useComputed } from "@preact/signals";
import { useMemo, useRef } from "preact/hooks";
import { allDigits, fitting } from "../format";
import { type Argument, gradients, largest } from "../seeds-math";
import type { SeedState } from "../seeds-state";
import { limitOf, tint } from "./kit";
import { digitsWide, Ranges } from "./parameters-numbers";
import { ROOM, useFigures } from "./seeds-figures";
import { NumberSlider } from "./seeds-slider";

const [LEFT, WIDE, NARROW] = [118, 58, 54]; // pixels of a column: three times three fit into 674

/** Widths of an argument's columns: the first has a border. */
const columns = (size: number) => [WIDE, ...Array<number>(size - 1).fill(NARROW)];

/** An entry of an argument, as Python indexes it. */
export function entryOf({ name, shape }: Argument, at: number): string {
  return `${name}${indexOf(shape, at)}`;
}

export function indexOf(shape: readonly number[], at: number): string {
  if (!shape.length) return "";
  const index: number[] = [];
  let rest = at;
  for (const size of [...shape].reverse()) {
    index.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return `[${index.join(",")}]`;
}

const shapeText = (shape: readonly number[]) =>
  shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;

interface TableProps {
  readonly state: SeedState;
  /** Whether the inputs have sliders. */
  readonly moving: boolean;
}

export function JacobianTable({ state, moving }: TableProps) {
  const { args, outputs, symbol } = state;
  const point = state.point.value;
  const ranges = useMemo(() => new Ranges(), []);
  const limits = useLimits(state);
  // Fixed, so that no number moves the columns.
  const widths = [LEFT, ...args.reduce((all, { size }) => all.concat(columns(size)), [WIDE])];
  return (
    <figure
      class="rw-seeds-scroll"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by keys
      tabIndex={0}
      aria-label="Jacobian, weighted by the seed"
      data-lm-suppress-shortcuts="true"
      data-waiting={state.waiting.value || undefined}
    >
      <table class="rw-seeds-table" style={{ width: `${widths.reduce((sum, w) => sum + w)}px` }}>
        <colgroup>
          {widths.map((width, i) => (
            <col key={i} style={{ width: `${width}px` }} />
          ))}
        </colgroup>
        <thead>
          <tr>
            <th scope="col" rowSpan={2} class="rw-seeds-left">
              seed v
            </th>
            <th scope="col" rowSpan={2} class="rw-seeds-z">
              {symbol}
            </th>
            {args.map((argument) => (
              <th
                key={argument.name}
                scope="colgroup"
                colSpan={argument.size}
                class="rw-seeds-group rw-seeds-first"
                title={
                  point.unused.has(argument.name)
                    ? `${symbol} does not depend on ${argument.name}: torch leaves its .grad None`
                    : `${argument.name}, shape ${shapeText(argument.shape)}`
                }
              >
                <code>{breakable(argument.name)}</code> <small>{shapeText(argument.shape)}</small>
                {point.unused.has(argument.name) && <small> not used</small>}
              </th>
            ))}
          </tr>
          <tr>
            {args.map((argument, a) =>
              Array.from({ length: argument.size }, (_, j) => (
                <th
                  key={entryOf(argument, j)}
                  scope="col"
                  class={j === 0 ? "rw-seeds-first" : undefined}
                >
                  <Input state={state} a={a} j={j} ranges={ranges} sliding={moving} />
                </th>
              )),
            )}
          </tr>
        </thead>
        <tbody>
          {outputs.map((_, i) => (
            <Row key={i} state={state} at={i} ranges={ranges} limits={limits} />
          ))}
        </tbody>
        <tfoot>
          <Sum state={state} limits={limits} partial />
          <Sum state={state} limits={limits} />
        </tfoot>
      </table>
    </figure>
  );
}

/** What the colours of each argument's weighted rows are measured against. */
function useLimits(state: SeedState): readonly ReadonlySignal<number>[] {
  return useMemo(
    () =>
      state.args.map((_, a) =>
        computed(() => largest(state.point.value.jacobian[a], state.seed.value)),
      ),
    [state],
  );
}

interface InputProps {
  readonly state: SeedState;
  readonly a: number;
  readonly j: number;
  readonly ranges: Ranges;
  readonly sliding: boolean;
}

function Input({ state, a, j, ranges, sliding }: InputProps) {
  const argument = state.args[a];
  const value = useComputed(() => state.wanted.value[a][j]).value;
  return (
    <NumberSlider
      name={entryOf(argument, j)}
      label={indexOf(argument.shape, j)}
      value={value}
      ranges={ranges}
      sliding={sliding}
      disabled={state.gone.value}
      say="moving it asks the kernel for another Jacobian"
      move={(to) => state.moveInput(a, j, to)}
    />
  );
}

/** A name that may go on in another line after each underscore: it can be wider than its columns. */
const breakable = (name: string) =>
  name.split(/(?<=_)/).flatMap((part, i) => (i ? [<wbr key={i} />, part] : part));

interface RowProps {
  readonly state: SeedState;
  readonly at: number;
  readonly ranges: Ranges;
  readonly limits: readonly ReadonlySignal<number>[];
}

function Row({ state, at, ranges, limits }: RowProps) {
  const { args, outputs } = state;
  const output = outputs[at];
  const weight = `v${state.indexOf(at)}`;
  const row = useRef<HTMLTableRowElement>(null);
  const v = useComputed(() => state.seed.value[at]);
  useFigures(row, "rw-seeds-product", [state, at, limits], (show) => {
    args.forEach((argument, a) => {
      const limit = limits[a].value;
      state.point.value.jacobian[a][at].forEach((x, j) => {
        show(v.value * x, limit, `${weight} · ∂${output}/∂${entryOf(argument, j)}`);
      });
    });
  });
  const stage = useComputed(() => {
    const added = state.added.value;
    if (at >= added) return "later";
    return at === added - 1 && added < outputs.length ? "newest" : "added";
  }).value;
  const point = state.point.value;
  const z = fitting(point.z[at], ROOM);
  // What depends on J alone is drawn once for each J.
  const entries = useMemo(
    () =>
      args.map((argument, a) => {
        const limit = limitOf(point.jacobian[a].flatMap((one) => [...one]));
        return Array.from(point.jacobian[a][at], (x, j) => {
          const entry = entryOf(argument, j);
          return (
            <td key={entry} class={j === 0 ? "rw-seeds-first" : undefined} data-jacobian={x}>
              <Cell x={x} limit={limit} name={`∂${output}/∂${entry}`} />
              <span class="rw-cell rw-seeds-product" />
            </td>
          );
        });
      }),
    [args, output, point, at],
  );
  return (
    <tr ref={row} data-row={at} data-stage={stage}>
      <th scope="row" class="rw-seeds-left">
        <Weight state={state} at={at} ranges={ranges} />
      </th>
      <td class="rw-seeds-z" data-z={point.z[at]} title={`${output} = ${allDigits(point.z[at])}`}>
        <small>{output}</small>
        <span style={{ "--digits": digitsWide(z) }}>{z}</span>
      </td>
      {entries}
    </tr>
  );
}

interface WeightProps {
  readonly state: SeedState;
  readonly at: number;
  readonly ranges: Ranges;
}

function Weight({ state, at, ranges }: WeightProps) {
  const v = useComputed(() => state.seed.value[at]).value;
  const index = state.indexOf(at);
  return (
    <NumberSlider
      name={`v${index}`}
      label={`v${index}`}
      value={v}
      ranges={ranges}
      say={`the weight of the row J${index}, the derivatives of ${state.outputs[at]}`}
      move={(to) => state.move(at, to)}
    />
  );
}

/** A coloured number, in smaller digits where it is long. */
function Cell({ x, limit, name }: { x: number; limit: number; name: string }) {
  const text = fitting(x, ROOM);
  const { style, ...sign } = tint(x, limit);
  return (
    <span
      class="rw-cell"
      title={`${name} = ${allDigits(x)}`}
      style={{ ...style, "--digits": digitsWide(text) }}
      {...sign}
    >
      {text}
    </span>
  );
}

interface SumProps {
  readonly state: SeedState;
  readonly limits: readonly ReadonlySignal<number>[];
  /** Only the rows added so far. */
  readonly partial?: boolean;
}

function Sum({ state, limits, partial = false }: SumProps) {
  const row = useRef<HTMLTableRowElement>(null);
  const total = state.outputs.length;
  const label = useComputed(() =>
    partial ? soFar(state.added.value, state.outputs) : "gradient vᵀJ",
  );
  useFigures(row, "rw-cell", [state, limits, partial], (show) => {
    const count = partial ? state.added.value : total;
    gradients(state.point.value, state.seed.value, count).forEach((sums, a) => {
      const limit = limits[a].value;
      sums.forEach((x, j) => {
        show(x, limit, `${label.value}: ${entryOf(state.args[a], j)}`);
      });
    });
  });
  return (
    <tr ref={row} data-sum={partial ? "partial" : "gradient"}>
      <th scope="row" class="rw-seeds-left">
        {label.value}
      </th>
      <td />
      {state.args.map((argument) =>
        Array.from({ length: argument.size }, (_, j) => {
          const entry = entryOf(argument, j);
          return (
            <td key={entry} class={j === 0 ? "rw-seeds-first" : undefined} data-entry={entry}>
              <span class="rw-cell" />
            </td>
          );
        }),
      )}
    </tr>
  );
}

function soFar(count: number, outputs: readonly string[]): string {
  if (count === 0) return "no row yet";
  if (count === outputs.length) return count === 1 ? "the only row" : "all rows";
  return count === 1 ? `${outputs[0]} alone` : `${outputs[0]} to ${outputs[count - 1]}`;
}
