/** What colours and widths mean, and up to which number. */

import { threeDigits } from "../format";
import { Buttons } from "./buttons";
import type { GraphState, Lens } from "./graph-state";
import type { Scale } from "./kit";

const SCALES: readonly (readonly [Scale, string, string])[] = [
  ["linear", "linear", "colour and width in proportion"],
  ["log", "log", "colour and width by the power of ten, six decades"],
];

const EDGE: Readonly<Record<Lens, string>> = {
  values: "J[i, j] · s[j]",
  adjoints: "J[i, j] · δ[i]",
  flow: "share passing",
};

const EDGE_TITLE: Readonly<Record<Lens, string>> = {
  values:
    "from unit j to unit i: J[i, j] · s[j], with J the state Jacobian of the step: what unit j gives to unit i, to first order",
  adjoints:
    "from unit i back to unit j: J[i, j] · δ[i], with δ what reaches unit i from outside its step; those into a unit sum to what is carried back to it",
  flow: "the sum of all chain-rule terms of the selected C[t, k] that pass from unit j to unit i",
};

export function Legend({ state }: { state: GraphState }) {
  const { lens, limit, part } = state.picture.value;
  const scale = state.scale.value;
  const most = threeDigits(limit);
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
          title="seed, loss, target, output and input are each coloured by their own largest number"
          style={{ visibility: lens === "adjoints" ? "hidden" : "visible" }}
        >
          (outer rows: own scale)
        </span>
      </span>
      <span title={EDGE_TITLE[lens]}>
        {noEdges ? "no edges: nothing through time" : `edge width: ${EDGE[lens]}`}
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
