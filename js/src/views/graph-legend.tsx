/** What colours and widths mean, and up to which number. */

import { Buttons } from "./buttons";
import type { GraphState, Lens } from "./graph-state";
import type { Scale } from "./kit";

const SCALES: readonly (readonly [Scale, string, string])[] = [
  ["linear", "linear", "colour and width in proportion"],
  ["log", "log", "colour and width by the power of ten, six decades"],
];

const EDGE: Readonly<Record<Lens, string>> = {
  values: "∂s′/∂s · s",
  adjoints: "J[i, j] · δ[i]",
  flow: "share passing",
};

const EDGE_TITLE: Readonly<Record<Lens, string>> = {
  values:
    "from unit j to unit i of the next step: sensitivity × state, ∂s′[i]/∂s[j] · s[j], with s the state that the step reads (h; of an LSTM, h and c) and s′ the state that it makes. It is how much of s′[i] changes with s[j]: of a saturated unit, next to nothing",
  adjoints:
    "from unit i back to unit j: J[i, j] · δ[i], with J = ∂s′/∂s the state Jacobian of the step and δ what reaches unit i from outside its step; those into a unit sum to what is carried back to it",
  flow: "the sum of all chain-rule terms of the selected C[t, k] that pass from unit j to unit i",
};

const ONLY_STRONGEST = "only the strongest of these edges are drawn, at most 300";

const OWN_SCALE = {
  values:
    "seed, loss, target, output and input are each coloured by their own largest number, gates up to ±1, which σ and tanh cannot pass",
  others: "seed, loss, target, output and input are each coloured by their own largest number",
} as const;

export function Legend({ state }: { state: GraphState }) {
  const { lens, limit, part, leastEdge } = state.picture.value;
  const scale = state.scale.value;
  const most = state.lab.veil.text(limit);
  const noEdges = lens === "adjoints" && part === "direct";
  return (
    <div class="rw-graph-legend">
      <span title={`colours of units and edges reach their full depth at ±${most}`}>
        <b>−{most}</b>
        <i class={`rw-graph-ramp rw-graph-${scale}`} />
        <b>{most}</b>
      </span>
      <span
        class="rw-graph-signs"
        title="negative is blue, positive orange; negative edges are dashed, positive ones solid"
      >
        <Sample sign="negative" />− dashed <Sample sign="positive" />+ solid
        <span
          class="rw-graph-own"
          title={OWN_SCALE[lens === "values" ? "values" : "others"]}
          style={{ visibility: lens === "adjoints" ? "hidden" : "visible" }}
        >
          {lens === "values" ? "(other rows: own scale)" : "(outer rows: own scale)"}
        </span>
      </span>
      <span title={leastEdge ? `${EDGE_TITLE[lens]}; ${ONLY_STRONGEST}` : EDGE_TITLE[lens]}>
        {noEdges ? (
          "no edges: nothing through time"
        ) : (
          <>
            <i class="rw-graph-which">{leastEdge ? "strongest" : "edge width"}:</i>
            {EDGE[lens]}
          </>
        )}
      </span>
      <Buttons
        name="colour scale"
        value={scale}
        choices={SCALES}
        choose={(one) => {
          state.scale.value = one;
        }}
      />
    </div>
  );
}

/** An edge of either sign. */
function Sample({ sign }: { sign: "negative" | "positive" }) {
  return (
    <svg width="26" height="8" aria-hidden="true" data-sample={sign}>
      <path d="M0 4 H26" />
    </svg>
  );
}
