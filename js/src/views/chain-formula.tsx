/** The symbols of the chain rule, in MathML; each says on hover what it is. */

import type { ComponentChildren } from "preact";
import { subscript } from "../engine/labels";
import type { Program } from "../engine/program";
import { HIDDEN } from "../veil";
import type { ChainRule, Factor } from "./chain-factors";
import { WHOLE } from "./chain-factors";

function Hint({ title, children }: { title: string; children: ComponentChildren }) {
  return (
    <span class="rw-chain-symbol" title={title}>
      <math displaystyle={true}>
        <mrow>{children}</mrow>
      </math>
    </span>
  );
}

/** h₄ with the layer above where there are several, or s₄ = (h₄, c₄). */
function State({ rule, step }: { rule: ChainRule; step: number }) {
  const symbol = <mi>{rule.states.length > 1 ? "s" : "h"}</mi>;
  const number = <mn>{step + 1}</mn>;
  if (!rule.label) {
    return (
      <msub>
        {symbol}
        {number}
      </msub>
    );
  }
  return (
    <msubsup>
      {symbol}
      {number}
      <mtext>{rule.label.slice(1).replace("_", " ")}</mtext>
    </msubsup>
  );
}

function Sub({ name, step }: { name: string; step: number }) {
  return (
    <msub>
      <mi>{name}</mi>
      <mn>{step + 1}</mn>
    </msub>
  );
}

function Ratio({
  top,
  bottom,
  plus,
}: Record<"top" | "bottom", ComponentChildren> & { plus?: true }) {
  return (
    <mfrac>
      <mrow>
        {plus ? (
          <msup>
            <mo>∂</mo>
            <mo>+</mo>
          </msup>
        ) : (
          <mo>∂</mo>
        )}
        {top}
      </mrow>
      <mrow>
        <mo>∂</mo>
        {bottom}
      </mrow>
    </mfrac>
  );
}

/** A factor's symbol. */
export function SymbolOf({ rule, factor }: { rule: ChainRule; factor: Factor }) {
  const { kind, step, about, part } = factor;
  const { t, k } = rule.cell;
  switch (kind) {
    case "seed":
      return (
        <Hint title={about}>
          <msubsup>
            <mi>v</mi>
            <mn>{step + 1}</mn>
            <mo>⊤</mo>
          </msubsup>
          {factor.split[1] > 0 && (
            <Ratio top={<Sub name="y" step={step} />} bottom={<State rule={rule} step={step} />} />
          )}
        </Hint>
      );
    case "output":
      return (
        <Hint title={about}>
          <Ratio top={<Sub name="y" step={step} />} bottom={<State rule={rule} step={step} />} />
        </Hint>
      );
    case "jacobian":
      return (
        <Hint title={about}>
          <Sub name="J" step={step} />
          {part !== WHOLE && (
            <>
              <mspace width="0.4em" />
              <mtext>{part}</mtext>
            </>
          )}
        </Hint>
      );
    case "adjoint":
      return (
        <Hint title={about}>
          <Ratio top={<Sub name="L" step={t} />} bottom={<State rule={rule} step={step} />} />
        </Hint>
      );
    case "immediate":
      return (
        <Hint title={about}>
          <Ratio
            plus
            top={rule.states.length ? <State rule={rule} step={k} /> : <Sub name="y" step={k} />}
            bottom={<mi>θ</mi>}
          />
        </Hint>
      );
  }
  return (
    <Hint title={about}>
      <msub>
        <mi>C</mi>
        <mrow>
          <mn>{t + 1}</mn>
          <mo>,</mo>
          <mn>{k + 1}</mn>
        </mrow>
      </msub>
    </Hint>
  );
}

const FEW = 4; // Jacobians that the formula writes out

/** C₆,₄ = v₆ᵀ J₆ J₅ ∂⁺h₄/∂θ, and what J and ∂⁺ are. */
export function Formula(props: { rule: ChainRule; program: Program; secret: boolean }) {
  const { rule, program, secret } = props;
  const { left, right, result, entry, nothing } = rule;
  const factors = left.length ? [...left, right[right.length - 1]] : right;
  const jacobians = factors.filter(({ kind }) => kind === "jacobian");
  const hidden = jacobians.length > FEW ? jacobians.slice(2, -1) : [];
  return (
    <p class="rw-chain-formula">
      <SymbolOf rule={rule} factor={result} />
      <span class="rw-chain-op">=</span>
      {nothing && !secret && <span title="zero by construction, whatever the numbers are">0</span>}
      {secret && HIDDEN}
      {factors.map((factor, i) => {
        if (hidden.includes(factor) && factor !== hidden[0]) return null;
        return factor === hidden[0] ? (
          <span key={i} class="rw-chain-op" title={`${hidden.length} more Jacobians`}>
            ⋯
          </span>
        ) : (
          <SymbolOf key={i} rule={rule} factor={{ ...factor, part: WHOLE }} />
        );
      })}
      <span class="rw-chain-where">
        θ = <code>{entry}</code>
        {jacobians.length > 0 && (
          <span title={`the state Jacobian of ${program.cell.name}`}>
            {" · "}
            {jacobianText(program)}
          </span>
        )}
      </span>
    </p>
  );
}

const DERIVATIVES: Readonly<Record<string, string>> = {
  rnn_tanh: "diag(1 − hₜ²) W_hh",
  rnn_relu: "diag(relu′(aₜ)) W_hh",
  rnn_sigmoid: "diag(hₜ ⊙ (1 − hₜ)) W_hh",
  rnn_identity: "W_hh",
};

function jacobianText({ cell }: Program): string {
  if (cell.states.length > 1) return "Jₜ = ∂sₜ/∂sₜ₋₁ with s = (h, c)";
  const known = DERIVATIVES[cell.name];
  return known ? `Jₜ = ∂hₜ/∂hₜ₋₁ = ${known}` : "Jₜ = ∂hₜ/∂hₜ₋₁";
}

/** Why there is nothing to multiply, in a sentence. */
export function nothingText({ nothing, cell: { t, k } }: ChainRule, program: Program): string {
  const [T1, K1] = [subscript(t + 1), subscript(k + 1)];
  if (nothing === "no loss")
    return `Step t = ${t + 1} has no loss, so there is no L${T1} to differentiate.`;
  if (nothing === "cut") {
    const { kind, size } = program.truncation ?? { kind: "window", size: 0 };
    return kind === "window"
      ? `Cut by truncation: a window of ${size} keeps lags below ${size}, and from t = ${t + 1} back to k = ${k + 1} the lag is ${Math.abs(t - k)}.`
      : `Cut by truncation: the state is detached at every ${size} steps, and such an edge lies between k = ${k + 1} and t = ${t + 1}.`;
  }
  if (k > t) return `L${T1} comes before step ${k + 1}: what step ${k + 1} does cannot change it.`;
  return `No way leads from L${T1} back to what step ${k + 1} does with this parameter: ∂L${T1}/∂θ${K1} is zero whatever the numbers are.`;
}
