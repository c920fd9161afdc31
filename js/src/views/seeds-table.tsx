/** The Jacobian as rows: a seed's slider at each, an input's above each column, the sum below. */

import { computed, type ReadonlySignal, useComputed } from "@preact/signals";
import { useMemo } from "preact/hooks";
import { allDigits, fitting } from "../format";
import { type Argument, gradients, largest } from "../seeds-math";
import type { SeedState } from "../seeds-state";
import { limitOf, tint } from "./kit";
import { digitsWide, Ranges } from "./parameters-numbers";
import { NumberSlider } from "./seeds-slider";

const ROOM = 8; // characters of a cell
const [LEFT, WIDE, NARROW] = [124, 58, 54]; // pixels of a column

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
    <section
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
            <th scope="col" rowSpan={2}>
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
                <code>{argument.name}</code> <small>{shapeText(argument.shape)}</small>
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
    </section>
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

interface RowProps {
  readonly state: SeedState;
  readonly at: number;
  readonly ranges: Ranges;
  readonly limits: readonly ReadonlySignal<number>[];
}

function Row({ state, at, ranges, limits }: RowProps) {
  const { args, outputs } = state;
  const v = useComputed(() => state.seed.value[at]).value;
  const stage = useComputed(() => {
    const added = state.added.value;
    if (at >= added) return "later";
    return at === added - 1 && added < outputs.length ? "newest" : "added";
  }).value;
  const point = state.point.value;
  const output = outputs[at];
  return (
    <tr data-row={at} data-stage={stage}>
      <th scope="row" class="rw-seeds-left">
        <NumberSlider
          name={`v[${at}]`}
          label={`v[${at}]`}
          value={v}
          ranges={ranges}
          say={`the weight of row J[${at}], the derivatives of ${output}`}
          move={(to) => state.move(at, to)}
        />
      </th>
      <td class="rw-seeds-z" data-z={point.z[at]} title={`${output} = ${allDigits(point.z[at])}`}>
        <small>{output}</small>
        <span>{fitting(point.z[at], ROOM)}</span>
      </td>
      {args.map((argument, a) => {
        const row = point.jacobian[a][at];
        const limit = limitOf(point.jacobian[a].flatMap((one) => [...one]));
        return Array.from(row, (x, j) => {
          const entry = entryOf(argument, j);
          const product = v * x;
          return (
            <td
              key={entry}
              class={j === 0 ? "rw-seeds-first" : undefined}
              data-jacobian={x}
              data-product={product}
            >
              <Cell x={x} limit={limit} name={`∂${output}/∂${entry}`} />
              <Cell
                x={product}
                limit={limits[a].value}
                name={`v[${at}] · ∂${output}/∂${entry}`}
                kind="rw-seeds-product"
              />
            </td>
          );
        });
      })}
    </tr>
  );
}

/** A coloured number, in smaller digits where it is long. */
function Cell(props: { x: number; limit: number; name: string; kind?: string }) {
  const { x, limit, name, kind = "" } = props;
  const text = fitting(x, ROOM);
  const { style, ...sign } = tint(x, limit);
  return (
    <span
      class={`rw-cell ${kind}`}
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
  const count = partial ? state.added.value : state.outputs.length;
  const found = gradients(state.point.value, state.seed.value, count);
  const label = partial ? soFar(count, state.outputs.length) : "gradient vᵀJ";
  return (
    <tr data-sum={partial ? "partial" : "gradient"}>
      <th scope="row" class="rw-seeds-left">
        {label}
      </th>
      <td />
      {state.args.map((argument, a) =>
        Array.from(found[a], (x, j) => {
          const entry = entryOf(argument, j);
          return (
            <td
              key={entry}
              class={j === 0 ? "rw-seeds-first" : undefined}
              data-entry={entry}
              data-value={x}
            >
              <Cell x={x} limit={limits[a].value} name={`${label}: ${entry}`} />
            </td>
          );
        }),
      )}
    </tr>
  );
}

function soFar(count: number, of: number): string {
  if (count === 0) return "no row yet";
  return count === 1 ? "row 0 alone" : `rows 0 to ${count - 1}${count === of ? ", all" : ""}`;
}
