/** A few buttons of which one is pressed: one stop of the Tab key, and arrow keys walk along them. */

import { useState } from "preact/hooks";

interface ButtonsProps<V> {
  readonly name: string;
  /** The one that is pressed; null for none. */
  readonly value: V | null;
  readonly choices: readonly (readonly [value: V, text: string, title?: string])[];
  readonly choose: (value: V) => void;
  /** Why none can be chosen now. */
  readonly blocked?: string | false;
}

export function Buttons<V extends string | number | boolean>(props: ButtonsProps<V>) {
  const { name, value, choices, choose, blocked = false } = props;
  /** Where the arrow keys have led; else the pressed one takes the keys. */
  const [led, setLed] = useState<number | null>(null);
  const pressed = choices.findIndex(([choice]) => choice === value);
  const stop = led ?? Math.max(0, pressed);

  function onKeyDown(event: KeyboardEvent) {
    const to = walked(event.key, stop, choices.length);
    if (to === null || event.ctrlKey || event.metaKey || event.altKey) return;
    (event.currentTarget as HTMLElement).querySelectorAll("button")[to].focus();
    setLed(to); // what loses the focus unsets it
    event.preventDefault();
    event.stopPropagation();
  }

  return (
    <div
      role="toolbar"
      class="rw-buttons"
      aria-label={name}
      title={blocked || undefined}
      data-blocked={!!blocked}
      onKeyDown={onKeyDown}
      onFocusOut={() => setLed(null)}
    >
      {choices.map(([choice, text, title], i) => (
        <button
          key={String(choice)}
          type="button"
          title={title}
          disabled={!!blocked}
          tabIndex={i === stop ? 0 : -1}
          aria-pressed={!blocked && choice === value}
          data-lm-suppress-shortcuts="true"
          onClick={() => choose(choice)}
        >
          {text}
        </button>
      ))}
    </div>
  );
}

function walked(key: string, at: number, count: number): number | null {
  if (key === "ArrowRight" || key === "ArrowDown") return Math.min(at + 1, count - 1);
  if (key === "ArrowLeft" || key === "ArrowUp") return Math.max(at - 1, 0);
  if (key === "Home") return 0;
  return key === "End" ? count - 1 : null;
}
