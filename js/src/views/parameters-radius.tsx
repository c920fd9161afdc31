/** The spectral radius of a square block, and a slider that scales the block to another. */

import { useComputed } from "@preact/signals";
import { useRef } from "preact/hooks";
import { allDigits, threeDigits } from "../format";
import { scaled, spectralRadius, withPart } from "../matrices";
import { grown } from "../sliders";
import type { Leaf } from "./parameters-leaves";
import { type Host, onGrid, stepOf } from "./parameters-numbers";

const LEAST = 0.01; // a matrix scaled to nothing could not be scaled back

interface RadiusProps {
  readonly host: Host;
  readonly leaf: Leaf;
  /** Which of its parts; −1 for none of several. */
  readonly which: number;
}

export function Radius({ host, leaf, which }: RadiusProps) {
  const { lab } = host;
  const reach = useRef<[number, number]>([LEAST, 2]);
  /** What is being scaled, as it was when the hand took the slider: no rounding adds up. */
  const held = useRef<{ block: Float64Array; radius: number } | null>(null);
  const part = leaf.parts.length === 1 ? leaf.parts[0] : leaf.parts[which];
  const radius = useComputed(() => {
    const shown = host.shown(leaf);
    return shown && part ? spectralRadius(blockOf(shown.values)) : Number.NaN;
  }).value;

  function blockOf(values: Float64Array): Float64Array {
    const start = (part?.start ?? 0) * leaf.columns;
    return values.slice(start, start + leaf.columns ** 2);
  }
  function take() {
    held.current ??= { block: blockOf(lab.network.values[leaf.name]), radius };
  }
  function scale(to: number) {
    if (!part) return;
    take();
    const { block, radius: from } = held.current as { block: Float64Array; radius: number };
    const next = scaled(block, to / from);
    lab.assign({
      [leaf.name]: withPart(lab.network.values[leaf.name], part.start * leaf.columns, next),
    });
  }
  const release = () => {
    held.current = null;
  };

  const reason = !part
    ? "choose one gate above to scale it"
    : radius === 0
      ? "the radius is 0: no factor can change it"
      : Number.isNaN(radius)
        ? "not all of its numbers are finite"
        : "";
  if (radius > reach.current[1]) reach.current = grown(...reach.current, radius);
  const [low, high] = reach.current;
  return (
    <div class="rw-box-line rw-radius">
      <label title="the largest absolute eigenvalue: how fast the linear part of the recurrence grows or fades">
        <span>
          spectral radius |λ|<sub>max</sub>
        </span>
        <input
          type="range"
          min={low}
          max={high}
          step="any"
          disabled={reason !== ""}
          value={reason ? low : radius}
          aria-label={`spectral radius of ${leaf.name}${part?.gate ? `, gate ${part.gate}` : ""}`}
          aria-valuetext={reason || threeDigits(radius)}
          data-lm-suppress-shortcuts="true"
          onPointerDown={take}
          onPointerUp={release}
          onBlur={release}
          onInput={(event) => scale(onGrid(event.currentTarget.valueAsNumber, stepOf([0, high])))}
        />
      </label>
      <output title={allDigits(radius)}>{reason || threeDigits(radius)}</output>
    </div>
  );
}
