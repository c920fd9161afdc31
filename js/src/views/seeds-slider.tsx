/** A number with a slider: moved by mouse and keys, or typed. */

import { useRef, useState } from "preact/hooks";
import { allDigits, fitting, threeDigits } from "../format";
import { keyed, onGrid, type Ranges, stepOf } from "./parameters-numbers";
import { TypedNumber } from "./typed";

interface SliderProps {
  /** The entry, such as v[0]. */
  readonly name: string;
  /** What is written before the number. */
  readonly label: string;
  readonly value: number;
  readonly ranges: Ranges;
  readonly move: (value: number) => void;
  /** What hovering says besides the value. */
  readonly say: string;
  readonly disabled?: boolean;
  /** Whether there is a slider, or the number alone. */
  readonly sliding?: boolean;
}

export function NumberSlider(props: SliderProps) {
  const { name, label, value, ranges, move, say, disabled = false, sliding = true } = props;
  const [typing, setTyping] = useState(false);
  const slider = useRef<HTMLInputElement>(null);
  const number = useRef<HTMLButtonElement>(null);
  // Its range stays while it is held, by hand or by keys: what moves must not move the scale.
  const [held, setHeld] = useState(false);
  const range = held ? ranges.of(name, value) : ranges.anew(name, value);
  const [low, high] = range;
  const share = (x: number) => Math.min(1, Math.max(0, (x - low) / (high - low)));

  function onKeyDown(event: KeyboardEvent) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Enter") setTyping(true);
    else {
      let to = keyed(event.key, value, range);
      if (to === null) return;
      // Past its end the slider reaches further.
      if (to === value && /^(Arrow|Page)/.test(event.key)) {
        to = onGrid(value + (value >= high ? 1 : -1) * stepOf(range), stepOf(range));
      }
      move(to);
    }
    event.preventDefault();
    event.stopPropagation();
  }
  const leave = () => setTyping(false);
  const back = () => {
    leave();
    requestAnimationFrame(() => (slider.current ?? number.current)?.focus());
  };

  return (
    <div
      class="rw-seeds-number"
      data-entry={name}
      data-value={value}
      data-side={value > 0 ? "+" : value < 0 ? "−" : "0"}
      style={{ "--at": share(value), "--zero": share(0) }}
      title={`${name} = ${allDigits(value)}\n${say}`}
    >
      <span class="rw-seeds-name">{label}</span>
      {typing ? (
        <TypedNumber
          name={name}
          value={value}
          take={(typed) => {
            ranges.forget(name);
            move(typed);
          }}
          leave={leave}
          back={back}
        />
      ) : (
        <button
          ref={number}
          type="button"
          class="rw-seeds-value"
          tabIndex={sliding ? -1 : 0}
          disabled={disabled}
          aria-label={`type a number for ${name}, now ${threeDigits(value)}`}
          data-lm-suppress-shortcuts="true"
          onClick={() => setTyping(true)}
        >
          {fitting(value, 8)}
        </button>
      )}
      {sliding && (
        <input
          ref={slider}
          type="range"
          class="rw-slide"
          min={low}
          max={high}
          step="any"
          value={value}
          disabled={disabled}
          aria-label={name}
          aria-valuetext={threeDigits(value)}
          data-lm-suppress-shortcuts="true"
          onInput={(event) => move(onGrid(event.currentTarget.valueAsNumber, stepOf(range)))}
          onKeyDown={onKeyDown}
          onFocus={() => setHeld(true)}
          onBlur={() => setHeld(false)}
          onPointerDown={() => setHeld(true)} // Safari gives a slider that is clicked no focus
          onChange={(event) => setHeld(event.currentTarget.matches(":focus"))}
        />
      )}
    </div>
  );
}
