/** The network unrolled in time: values, adjoints, and how one contribution flows. */

import type { AnyModel } from "@anywidget/types";
import { useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { subscript } from "../engine/labels";
import { threeDigits } from "../format";
import type { LiveLab } from "../live";
import { Buttons } from "./buttons";
import { Legend } from "./graph-legend";
import { Stage, useWidth } from "./graph-stage";
import { GraphState, LENSES, MOST_STEPS, MOST_UNITS, PARTS } from "./graph-state";
import { Line, Walkbar } from "./graph-walkbar";
import { Panel } from "./kit";

export function Graph({ lab, view }: { lab: LiveLab; view: AnyModel }) {
  const state = useMemo(() => new GraphState(lab, view), [lab, view]);
  useLayoutEffect(() => () => state.dispose(), [state]);
  return (
    <Panel
      name="graph"
      title="Unrolled graph"
      say={<Sentence state={state} />}
      tools={<Tools state={state} />}
    >
      {state.drawable.value ? <Body state={state} /> : <TooLarge state={state} />}
    </Panel>
  );
}

function Body({ state }: { state: GraphState }) {
  const ref = useRef<HTMLDivElement>(null);
  const width = useWidth(ref);
  return (
    <>
      <Legend state={state} />
      <div ref={ref} class="rw-graph-body">
        {width > 0 && <Stage state={state} width={width} />}
      </div>
      <div class="rw-graph-below">
        <Walkbar state={state} />
        <Line state={state} />
      </div>
    </>
  );
}

function TooLarge({ state }: { state: GraphState }) {
  const { hiddenSize, seqLen } = state.program.value;
  return (
    <p class="rw-notice">
      Drawn up to {MOST_UNITS} units and {MOST_STEPS} steps; this network has {hiddenSize} units and{" "}
      {seqLen} steps. The heat map, the bars, the chain rule and the table show it at any size.
    </p>
  );
}

function Sentence({ state }: { state: GraphState }) {
  if (!state.drawable.value) return <>Too large to draw.</>;
  const { lens, part, contribution } = state.picture.value;
  const { entry, t, k } = state.focus.value;
  if (state.position.value !== null) {
    const backward = state.operation.value?.phase === "backward";
    return backward ? (
      <>
        Backward from the loss of t = {t + 1}: each circle is δ = ∂L{subscript(t + 1)}/∂unit, as far
        as it is computed.
      </>
    ) : (
      <>Forward, step by step: each circle is a unit's value, as far as it is computed.</>
    );
  }
  if (lens === "values") {
    return (
      <>
        Each circle is the value of one unit at one step; an edge is sensitivity × state: how much
        of the next step's unit changes with it.
      </>
    );
  }
  if (lens === "adjoints") return <>{ADJOINTS[part]}</>;
  return (
    <>
      How{" "}
      <b>
        C[t = {t + 1}, k = {k + 1}]
      </b>{" "}
      of <b>{entry}</b> ={" "}
      <b>
        {contribution === null
          ? "?"
          : state.lab.veil.text(contribution, threeDigits, "contribution")}
      </b>{" "}
      {state.program.value.rows > 1
        ? "comes about: the shares of it that pass this layer and direction."
        : `comes about: from its copy of step ${k + 1} (dotted) to the loss; each step's shares sum to it.`}
    </>
  );
}

const ADJOINTS = {
  direct:
    "Each circle is the direct part of ∂L/∂unit: what reaches it other than through this layer's next step.",
  carried:
    "Each circle is the carried part of ∂L/∂unit: what came back through this layer's next step.",
  total:
    "Each circle is ∂L/∂unit, over all losses; an edge is what a unit of the next step carries back to it.",
} as const;

const DIRECTIONS = [
  [false, "forward →"],
  [true, "← reverse"],
] as const;

function Tools({ state }: { state: GraphState }) {
  const { numLayers, bidirectional } = state.program.value;
  const walking = state.position.value !== null;
  // While stepping through, the lens that the step is seen by.
  const { lens } = state.picture.value;
  const row = state.block.value;
  const layer = Math.floor(row / (bidirectional ? 2 : 1));
  return (
    <>
      {numLayers > 1 && (
        <Buttons
          name="layer"
          value={layer}
          choices={Array.from({ length: numLayers }, (_, i) => [i, `layer ${i}`] as const)}
          choose={(value) => state.set({ layer: value })}
        />
      )}
      {bidirectional && (
        <Buttons
          name="direction"
          value={state.reverse.value}
          choices={DIRECTIONS}
          choose={(reverse) => state.set({ reverse })}
        />
      )}
      <Buttons
        name="part of the adjoint"
        value={state.part.value}
        choices={PARTS.map((part) => [part, part] as const)}
        choose={(part) => state.set({ part })}
        blocked={
          walking
            ? "not while stepping through: choose the lens adjoints first"
            : lens !== "adjoints" && "choose the lens adjoints first"
        }
      />
      <Buttons
        name="lens"
        value={lens}
        choices={LENSES.map((one) => [one, one] as const)}
        choose={(value) => {
          state.go(null);
          state.set({ lens: value });
        }}
      />
    </>
  );
}
