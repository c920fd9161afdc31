/** The weighted sum as a formula, and the control that builds it up row by row. */

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { fitting } from "../format";
import type { SeedState } from "../seeds-state";

const BEAT_MS = 900;

export function Build({ state }: { state: SeedState }) {
  const m = state.outputs.length;
  const added = state.added.value;
  const playing = useSignal(false);
  useEffect(() => {
    if (!playing.value) return undefined;
    const timer = setInterval(() => {
      if (state.added.value < m) state.added.value++;
      if (state.added.value >= m) playing.value = false;
    }, BEAT_MS);
    return () => clearInterval(timer);
  }, [playing.value, state, m, playing]);
  const go = (to: number) => {
    playing.value = false;
    state.added.value = Math.min(m, Math.max(0, to));
  };
  const play = () => {
    if (!playing.value && state.added.value >= m) state.added.value = 0;
    playing.value = !playing.value;
  };
  const seed = state.seed.value;

  return (
    <div class="rw-seeds-build">
      <div class="rw-seeds-steps">
        <span aria-hidden="true">rows added so far</span>
        <button
          type="button"
          aria-label="one row less"
          aria-disabled={added === 0}
          data-lm-suppress-shortcuts="true"
          onClick={() => go(added - 1)}
        >
          ◀
        </button>
        <input
          type="range"
          min={0}
          max={m}
          step={1}
          value={added}
          aria-label="rows added so far"
          aria-valuetext={`${added} of ${m}`}
          data-lm-suppress-shortcuts="true"
          onInput={(event) => go(event.currentTarget.valueAsNumber)}
        />
        <button
          type="button"
          aria-label="one row more"
          aria-disabled={added === m}
          data-lm-suppress-shortcuts="true"
          onClick={() => go(added + 1)}
        >
          ▶
        </button>
        <button
          type="button"
          class="rw-seeds-play"
          data-lm-suppress-shortcuts="true"
          onClick={play}
        >
          {playing.value ? "pause" : "play"}
        </button>
        <span class="rw-seeds-count" aria-hidden="true">
          {added} of {m}
        </span>
      </div>
      <p class="rw-seeds-formula" data-formula>
        <span>gradient =</span>
        {Array.from(seed, (v, i) => (
          <span key={i} class="rw-seeds-term" data-added={i < added}>
            {i > 0 && (v < 0 ? "− " : "+ ")}
            <b>{fitting(i > 0 ? Math.abs(v) : v, 9)}</b>·J{state.indexOf(i)}
          </span>
        ))}
        <span>= vᵀJ</span>
      </p>
    </div>
  );
}
