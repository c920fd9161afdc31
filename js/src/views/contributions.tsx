/** The heat map of C[t, k] with its sums: which loss step hears which use of a parameter. */

import type { AnyModel } from "@anywidget/types";
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { ways } from "../engine/factors";
import { parseEntry } from "../engine/quantities";
import { cellName } from "../format";
import type { LiveLab } from "../live";
import { Buttons } from "./buttons";
import { cellOf, Grid, SUM_ROOM } from "./contributions-grid";
import { decadesOf, numbersOf, type Whole } from "./contributions-numbers";
import { overflowText } from "./contributions-overflow";
import { useWidth } from "./contributions-width";
import { limitOf, Panel, Ramp } from "./kit";
import { truncatedText } from "./parameters-numbers";

const MOST_STEPS = 64;
const LABEL = 60; // pixels left of the cells
const SUM = 68; // and right of them
const LONG = 16; // from so many steps on, less
const LONG_LABEL = 42;
const LONG_SUM = 60;
const LOW = 14; // the height of a row without a loss

/** How colours follow numbers; "fixed" keeps the limits of the moment it was chosen. */
type Choice = "automatic" | "fixed" | "log";

export function Contributions({ lab }: { lab: LiveLab; view: AnyModel }) {
  lab.revision.value; // what this view follows
  const { program } = lab.results;
  const entry = lab.selection.value;
  const { leaf } = parseEntry(entry, program.parameters);
  const T = program.seqLen;
  const [whole, setWhole] = useState<Whole>("entry");
  const [choice, setChoice] = useState<Choice>("automatic");
  const fixed = useRef({ limit: 1, sumLimit: 1 });
  const [host, width] = useWidth<HTMLDivElement>();

  const drawn = T <= MOST_STEPS;
  const numbers = drawn ? numbersOf(lab.results, entry, whole) : null;
  const limits = useLimits(numbers, choice, fixed);
  const decades = choice === "log" && numbers ? decadesOf(numbers.cells, limits.limit) : null;
  const size = sizes(width, T, program.lossSteps.length);
  const of = whole === "entry" ? entry : leaf;
  const finite = !numbers || Number.isFinite(numbers.total);
  const chosen = lab.cell.value;
  const gradient = program.truncation ? "truncated gradient" : "gradient";

  return (
    <Panel
      name="contributions"
      title={
        <>
          contributions <i>C</i>[<i>t</i>, <i>k</i>] of <code>{of}</code>
        </>
      }
      say={
        finite
          ? whole === "entry"
            ? `What its use at source step k adds to the ${gradient} of the loss at step t. Pick a cell to see how.`
            : `Norm over all its entries of what their use at source step k adds to the ${gradient} of the loss at step t.`
          : overflowText(lab)
      }
      tools={
        <>
          <Buttons name="of what" value={whole} choices={WHOLES} choose={setWhole} />
          <label>
            colours{" "}
            <select
              value={choice}
              title="automatic: depth in proportion to the largest; fixed: the present limit stays; log: depth by decades, from the largest down to the smallest, six at most"
              onChange={(event) => {
                fixed.current = limits;
                setChoice(event.currentTarget.value as Choice);
              }}
            >
              <option>automatic</option>
              <option>fixed</option>
              <option>log</option>
            </select>
          </label>
        </>
      }
    >
      <div ref={host} class="rw-map">
        {numbers ? (
          <Cells
            {...{ lab, numbers, size, decades, of }}
            {...limits}
            norm={whole === "parameter"}
            leaf={leaf}
          />
        ) : (
          <p>
            This map is drawn up to {MOST_STEPS} steps and the network has {T}: see{" "}
            <code>lab.net.contributions()["{leaf}"]</code>. The chain rule of {cellName(chosen)} is
            still shown in its own panel.
          </p>
        )}
      </div>
      {drawn && (
        <Legend
          lab={lab}
          limit={limits.limit}
          norm={whole === "parameter"}
          decades={decades}
          cut={!!program.truncation}
        />
      )}
    </Panel>
  );
}

const WHOLES = [
  ["entry", "this entry", "C[t, k] of the selected entry, with its sign"],
  ["parameter", "all entries", "the norm of C[t, k] over all entries of the parameter"],
] as const;

interface Limits {
  readonly limit: number;
  readonly sumLimit: number;
}

function useLimits(
  numbers: ReturnType<typeof numbersOf> | null,
  choice: Choice,
  fixed: { readonly current: Limits },
): Limits {
  if (choice === "fixed" || !numbers) return fixed.current;
  const { cells, byLoss, bySource, total } = numbers;
  return { limit: limitOf(cells), sumLimit: limitOf([...byLoss, ...bySource, total]) };
}

interface CellsProps extends Limits {
  readonly lab: LiveLab;
  readonly numbers: ReturnType<typeof numbersOf>;
  readonly size: ReturnType<typeof sizes>;
  readonly decades: number | null;
  readonly of: string;
  readonly norm: boolean;
  readonly leaf: string;
}

function Cells({ lab, leaf, size, ...rest }: CellsProps) {
  const veiled = lab.veil.drawn;
  const { program } = lab.results;
  const T = program.seqLen;
  const root = useRef<HTMLDivElement>(null);
  const grid = useRef<{ el: HTMLElement; grid: Grid } | null>(null);
  const reasons = ways(program, leaf);
  const { w, h, small, upright, scrolls, ...writing } = size;
  const wide = w >= (T < 10 ? 30 : 36);
  const { norm } = rest;
  // Of another length it is another table: its elements start empty, as `Grid` expects them.
  const { lossSteps } = program;
  const table = useMemo(
    () => <Rows key={T} steps={T} {...{ wide, norm, lossSteps }} />,
    [T, wide, norm, lossSteps],
  );
  const selected = lab.cell.value;

  useLayoutEffect(() => {
    const el = root.current?.querySelector<HTMLElement>("[role=rowgroup]");
    if (!el) return;
    if (grid.current?.el !== el || grid.current.grid.steps !== T) {
      grid.current = { el, grid: new Grid(el, T) };
    }
    const truncated = truncatedText(program);
    const { hides } = lab.veil;
    grid.current.grid.draw({ ...rest, ...writing, reasons, selected, truncated, hides, veiled });
  });

  const target = (event: Event) =>
    (event.target as HTMLElement).closest<HTMLElement>("[data-cell], [data-sum]");
  const select = (el: HTMLElement | null) => {
    if (!el?.dataset["cell"]) return;
    const { t, k } = cellOf(el);
    lab.selectCell(t, k);
    grid.current?.grid.focus(t, k);
  };
  const describe = (event: Event) => {
    const el = target(event);
    if (el) grid.current?.grid.describe(el);
  };
  const press = (event: KeyboardEvent) => {
    const el = target(event);
    if (!el?.dataset["cell"] || event.ctrlKey || event.metaKey || event.altKey) return;
    const { t, k } = cellOf(el);
    const move = KEYS[event.key];
    if (move) grid.current?.grid.focus(...move(t, k, T - 1));
    else if (event.key === "Enter" || event.key === " ") select(el);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    // biome-ignore lint/a11y/useSemanticElements: a table of ARIA's grid pattern, drawn by hand
    <div
      ref={root}
      role="grid"
      class="rw-map-grid"
      aria-label={`contributions of ${rest.of}: rows are loss steps t, columns are source steps k`}
      data-tall={upright}
      data-small={small}
      data-plain={size.room === 0}
      data-long={T >= LONG}
      data-crowded={T >= 10 && w < 20}
      data-scrolls={scrolls}
      style={{ "--rw-w": `${w}px`, "--rw-h": `${h}px` }}
      onClick={(event) => select(target(event))}
      onKeyDown={press}
      onPointerOver={describe}
      onFocusIn={describe}
    >
      {table}
    </div>
  );
}

type Move = (t: number, k: number, last: number) => [number, number];

const KEYS: Readonly<Record<string, Move>> = {
  ArrowUp: (t, k) => [t - 1, k],
  ArrowDown: (t, k) => [t + 1, k],
  ArrowLeft: (t, k) => [t, k - 1],
  ArrowRight: (t, k) => [t, k + 1],
  Home: (t) => [t, 0],
  End: (t, _, last) => [t, last],
};

/** What fits: cells from 9 × 12 to 60 × 30 pixels, numbers where there is room for them. Rows of
 * steps without a loss, which hold nothing, are low. */
function sizes(width: number, T: number, losses: number) {
  const beside = T >= LONG ? LONG_LABEL + LONG_SUM : LABEL + SUM;
  const w = Math.min(60, Math.max(9, Math.floor((width - beside) / T)));
  const h = Math.min(30, Math.max(12, Math.floor((440 - LOW * (T - losses)) / losses)));
  const small = w < 52;
  const fits = Math.floor(small ? (w - 8) / 5.9 : (w - 10) / 6.4);
  const room = fits < 5 || h < 14 ? 0 : fits; // four characters would show 2e−5 and not −2e−5
  const upright = w < 46;
  const sumRoom = w < 10 ? 0 : upright ? SUM_ROOM : room;
  return { w, h, small, room, sumRoom, upright, scrolls: w * T + beside > width };
}

/** The grid without its numbers, which `Grid` writes. */
function Rows(props: {
  steps: number;
  wide: boolean;
  norm: boolean;
  lossSteps: readonly number[];
}) {
  const { steps, wide, norm, lossSteps } = props;
  const all = Array.from({ length: steps }, (_, i) => i);
  const bars = norm ? "‖" : "";
  const normOf = norm ? "norm, over all entries, of the " : "";
  return (
    // biome-ignore lint/a11y/useSemanticElements: see above
    <div role="rowgroup">
      {/* biome-ignore-start lint/a11y/useSemanticElements: see above */}
      {/* biome-ignore-start lint/a11y/useFocusableInteractive: headers take no keys */}
      <div role="row" class="rw-map-steps">
        <span
          role="columnheader"
          class="rw-map-corner"
          title="row: loss step t, column: source step k"
        >
          t ╲ k
        </span>
        {all.map((k) => (
          <span
            key={k}
            role="columnheader"
            data-step={`k,${k}`}
            aria-label={`k = ${k + 1}`}
            title={`k = ${k + 1}: the use of the parameter at step ${k + 1} (source step ${k} in code)`}
          >
            <span>{wide ? `k=${k + 1}` : k + 1}</span>
          </span>
        ))}
        <span
          role="columnheader"
          class="rw-map-total"
          title={`${normOf}sum over all source steps: the gradient of each L_t`}
        >
          {`${bars}Σ over k${bars}`}
        </span>
      </div>
      {all.map((t) => (
        <div role="row" key={t} class={lossSteps.includes(t) ? "" : "rw-map-low"}>
          <span
            role="rowheader"
            data-step={`t,${t}`}
            title={`t = ${t + 1}: the loss at step ${t + 1} (loss step ${t} in code)`}
          >
            t={t + 1}
          </span>
          {all.map((k) => (
            <span
              key={k}
              role="gridcell"
              data-cell={`${t},${k}`}
              tabIndex={-1}
              aria-selected="false"
              data-lm-suppress-shortcuts="true"
            />
          ))}
          <span role="gridcell" class="rw-map-total" data-sum={`loss,${t}`} />
        </div>
      ))}
      <div role="row" class="rw-map-sums">
        <span
          role="rowheader"
          title={`${normOf}sum over all loss steps: what each step's use of the parameter is worth`}
        >
          {`${bars}Σ over t${bars}`}
        </span>
        {all.map((k) => (
          <span key={k} role="gridcell" data-sum={`source,${k}`} />
        ))}
        <span role="gridcell" class="rw-map-total rw-map-gradient" data-sum="total,0" />
      </div>
      {/* biome-ignore-end lint/a11y/useSemanticElements: see above */}
      {/* biome-ignore-end lint/a11y/useFocusableInteractive: headers take no keys */}
    </div>
  );
}

interface LegendProps {
  readonly lab: LiveLab;
  readonly limit: number;
  readonly norm: boolean;
  readonly decades: number | null;
  readonly cut: boolean;
}

function Legend({ lab, limit, norm, decades, cut }: LegendProps) {
  const most = lab.veil.text(limit);
  const least = decades === null ? "0" : `±${lab.veil.text(limit / 10 ** decades)}`;
  return (
    <p class="rw-legend">
      <Ramp least={norm ? least.replace("±", "") : least} {...{ most, norm }} />
      <span class="rw-map-key">
        <span class="rw-map-mark" data-state="no way">
          ·
        </span>
        no way back
      </span>
      <span class="rw-map-key" hidden={!cut}>
        <span class="rw-map-mark" data-state="cut" />
        cut by truncation
      </span>
    </p>
  );
}
