/** The chain rule behind one contribution: its matrices, its terms, and whether it all adds up. */

import type { AnyModel } from "@anywidget/types";
import { type Signal, useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { cellName } from "../format";
import type { LiveLab } from "../live";
import { HIDDEN, type Veil } from "../veil";
import { Accounting } from "./accounting";
import { Buttons } from "./buttons";
import { type ChainRule, chainRule, type Factor, WHOLE } from "./chain-factors";
import { shownEnds, sizeOf, unitFor } from "./chain-fit";
import { Formula, nothingText, SymbolOf } from "./chain-formula";
import { Matrix, numberText, type Pointed } from "./chain-matrix";
import { RankedTerms } from "./chain-terms";
import { overflowText } from "./contributions-overflow";
import { useWidth } from "./contributions-width";
import { limitOf, Panel } from "./kit";

export function Chain({ lab }: { lab: LiveLab; view: AnyModel }) {
  lab.revision.value; // what this view follows
  const { program } = lab.results;
  const entry = lab.selection.value;
  const [chosen, setPart] = useState(WHOLE);
  const rule = chainRule(lab.results, entry, lab.cell.value, chosen);
  const { parts, total, cell } = rule;
  const part = parts.includes(chosen) ? chosen : WHOLE;
  // That nothing flows would say that the number is zero.
  const secret = rule.nothing !== null && lab.veil.hides(total, "contribution");
  return (
    <Panel
      name="chain"
      title={
        <>
          the chain rule behind {cellName(cell)} of <code>{entry}</code>
        </>
      }
      say={
        secret
          ? SECRET
          : Number.isFinite(total)
            ? sentence(rule, program.truncation !== null)
            : overflowText(lab)
      }
      tools={
        parts.length > 0 && (
          <>
            <span>J</span>
            <Buttons
              name="which part of each Jacobian is shown"
              value={part}
              choices={parts.map((name) => [name, PARTS[name] ?? name, partTitle(name)] as const)}
              choose={setPart}
            />
          </>
        )
      }
    >
      <Formula rule={rule} program={program} secret={secret} />
      <Product rule={rule} lab={lab} />
      <div class="rw-chain-below">
        <RankedTerms lab={lab} rule={rule} />
        <Accounting lab={lab} />
      </div>
    </Panel>
  );
}

const PARTS: Readonly<Record<string, string>> = { "c→c": "c→c carousel" };

function partTitle(name: string): string {
  if (name === WHOLE) return "every J whole, as it is multiplied";
  if (name === "c→c") return "of every J the part from c to c: the forget gate's carousel";
  if (name === "skip") return "of every J the part that meets no gate: z ⊙ h in a GRU";
  if (name.startsWith("via ")) return `of every J the paths whose first gate is ${name.slice(4)}`;
  return `of every J the part from ${name[0]} to ${name[2]}`;
}

function sentence({ form, cell, nothing }: ChainRule, truncated: boolean): string {
  const { t, k } = cell;
  if (nothing) return "Nothing flows here, whatever the numbers are.";
  if (form === "readout")
    return `The seed at t = ${t + 1} meets what the readout's own use of θ makes of y.`;
  if (form === "layers") {
    const all = truncated ? "all ways that are not cut" : "all ways";
    return `The adjoint row sums ${all} from the loss at t = ${t + 1} through the layers to this layer's state at t = ${k + 1}.`;
  }
  return t === k
    ? `The seed at t = ${t + 1} meets what the same step's use of θ makes of the state.`
    : `The seed at t = ${t + 1}, carried back through every J, meets what step ${k + 1}'s use of θ makes of the state.`;
}

const SECRET = "Whether anything flows here is shown when it has been predicted.";

function Product({ rule, lab }: { rule: ChainRule; lab: LiveLab }) {
  const { program } = lab.results;
  const [host, measured] = useWidth<HTMLDivElement>();
  const width = measured || 1200;
  const [all, setAll] = useState(false);
  const pointed = useSignal<Pointed | null>(null);
  const theme = useTheme();
  const { left, right, result } = rule;
  const states = program.cell.states.length;
  const unit = unitFor(program, width);
  const jacobians = left.filter(({ kind }) => kind === "jacobian");
  const limit = limitOf(jacobians.flatMap(({ data }) => [...data]));
  const factors = [...left, ...right, result];
  const [first, last] = shownEnds(factors, unit, width);
  const hidden = jacobians.length - first - last;
  const skipped = all ? [] : jacobians.slice(first, first + hidden);

  return (
    <>
      <div
        ref={host}
        class="rw-chain-product-line"
        style={{ height: `${sizeOf(program) * unit.height + (states > 1 ? 75 : 62) + 18}px` }}
      >
        {rule.nothing && (
          <p class="rw-chain-nothing">
            {lab.veil.hides(rule.total, "contribution") ? HIDDEN : nothingText(rule, program)}
          </p>
        )}
        {!rule.nothing &&
          factors.map((factor, i) => {
            if (skipped.includes(factor)) return null;
            const isJacobian = factor.kind === "jacobian";
            return (
              <Piece
                key={`${factor.kind} ${factor.step}`}
                sign={signBefore(factors, i, left.length)}
              >
                <Matrix
                  veil={lab.veil}
                  factor={factor}
                  at={i}
                  symbol={<SymbolOf rule={rule} factor={factor} />}
                  limit={isJacobian ? limit : limitOf(factor.data)}
                  measure={unit}
                  theme={theme}
                  pointed={pointed}
                />
                {hidden > 0 && factor === jacobians[first - 1] && (
                  <>
                    <span class="rw-chain-op">·</span>
                    <button
                      type="button"
                      class="rw-chain-more"
                      aria-expanded={all}
                      title={all ? "leave the middle out" : "show every Jacobian"}
                      onClick={() => setAll(!all)}
                      data-lm-suppress-shortcuts="true"
                    >
                      {all ? "fewer" : `⋯ ${hidden} more ${hidden === 1 ? "step" : "steps"}`}
                    </button>
                  </>
                )}
              </Piece>
            );
          })}
      </div>
      <Readout veil={lab.veil} pointed={pointed} factors={factors} nothing={!!rule.nothing} />
    </>
  );
}

function Piece({ sign, children }: { sign: string; children: ComponentChildren }) {
  return (
    <>
      {sign && <span class="rw-chain-op">{sign}</span>}
      {children}
    </>
  );
}

/** v · J · J = adjoint · ∂⁺ = C */
function signBefore(factors: readonly Factor[], i: number, left: number): string {
  if (i === 0) return "";
  return (left > 0 && i === left) || i === factors.length - 1 ? "=" : "·";
}

function Readout(props: {
  veil: Veil;
  pointed: Signal<Pointed | null>;
  factors: readonly Factor[];
  nothing: boolean;
}) {
  const at = props.pointed.value;
  const factor = at && props.factors[at.factor];
  const partly = props.factors.some(({ part }) => part !== WHOLE);
  const shared = props.factors.filter(({ kind }) => kind === "jacobian").length > 1;
  const hint = partly
    ? "One part of every J is shown; the product takes them whole."
    : `Point at a number, or walk to it with Tab and arrow keys.${shared ? " All J share one colour scale." : ""}`;
  const inside = factor && at.row < factor.rows && at.column < factor.columns;
  return (
    <p class="rw-chain-readout" aria-live="polite">
      {props.nothing ? "\u00a0" : inside ? numberText(props.veil, factor, at.row, at.column) : hint}
    </p>
  );
}

/** Which theme the host shows; canvases have to be painted anew when it changes. */
function useTheme(): string {
  const now = () => document.body.getAttribute("data-jp-theme-light") ?? "";
  const [theme, setTheme] = useState(now);
  const observer = useRef<MutationObserver | null>(null);
  useEffect(() => {
    observer.current = new MutationObserver(() => setTheme(now()));
    observer.current.observe(document.body, { attributeFilter: ["data-jp-theme-light"] });
    return () => observer.current?.disconnect();
  }, []);
  return theme;
}
