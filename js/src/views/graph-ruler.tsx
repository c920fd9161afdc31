/** Two rows of steps under the columns: which loss step t, which source step k. */

import { columnX, GUTTER, type Scene } from "./graph-scene";
import type { GraphState } from "./graph-state";
import { useUniqueId } from "./kit";

const ROOMY = 46;
const ROOM_FOR_WORDS = 126;

export function Ruler({ state, scene }: { state: GraphState; scene: Scene }) {
  const { t, k } = state.focus.value;
  const losses = state.program.value.lossSteps;
  return (
    <div class="rw-graph-ruler" style={{ width: `${scene.width}px` }}>
      <Steps
        name="loss"
        letter="t"
        chosen={t}
        scene={scene}
        without={(step) => !losses.includes(step)}
        choose={(step) => state.lab.selectCell(step, state.focus.peek().k)}
      />
      <Steps
        name="source"
        letter="k"
        chosen={k}
        scene={scene}
        without={() => false}
        choose={(step) => state.lab.selectCell(state.focus.peek().t, step)}
      />
    </div>
  );
}

function Steps(props: {
  name: string;
  letter: string;
  chosen: number;
  scene: Scene;
  without: (step: number) => boolean;
  choose: (step: number) => void;
}) {
  const { name, letter, chosen, scene, without, choose } = props;
  const group = useUniqueId();
  const { pitch } = scene;
  const width = Math.min(pitch - 2, 132);
  return (
    <div role="radiogroup" aria-label={`${name} step ${letter}`}>
      <span class="rw-graph-name" style={{ top: "3px", width: `${GUTTER}px` }} title={TITLES[name]}>
        {name} step {letter}
      </span>
      {Array.from({ length: scene.steps }, (_, step) => {
        const on = step === chosen;
        const short = pitch < ROOMY ? `${step + 1}` : `${letter} = ${step + 1}`;
        const none = without(step);
        const title = `${name} step ${letter} = ${step + 1} (step ${step} in code)${none ? NO_LOSS : ""}`;
        return (
          <label
            key={step}
            title={title}
            style={{ left: `${columnX(scene, step) - width / 2}px`, width: `${width}px` }}
          >
            <input
              type="radio"
              name={group}
              checked={on}
              aria-disabled={none}
              // Disabled where it is chosen already, it would keep the Tab key out of the row.
              disabled={none && !on}
              aria-label={title}
              data-lm-suppress-shortcuts="true"
              onChange={() => choose(step)}
            />
            <span
              class={none ? "rw-graph-step rw-graph-without" : "rw-graph-step"}
              style={pitch < 26 ? { fontSize: "10px", letterSpacing: "-0.5px" } : {}}
            >
              {on && pitch >= ROOM_FOR_WORDS ? `${short} · ${name} step` : short}
            </span>
          </label>
        );
      })}
    </div>
  );
}

const NO_LOSS = ": cannot be chosen, this step has no loss (“loss at” in more settings)";

const TITLES: Readonly<Record<string, string>> = {
  loss: "loss step t: the step whose loss term L_t is followed back",
  source: "source step k: the step whose copy of the selected entry is followed",
};
