/** Targets of the cross-entropy: a class for every step. */

import { effect } from "@preact/signals";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { useUniqueId } from "./kit";
import { Message } from "./parameters-bubble";
import { entryName, isIdle, type Leaf, rowLabel } from "./parameters-leaves";
import { type Host, hoverText, moveTo } from "./parameters-numbers";
import { readClass } from "./parameters-read";
import { useWalk } from "./parameters-walk";

export function Classes({ host, leaf }: { host: Host; leaf: Leaf }) {
  const last = leaf.program.outputSize - 1;
  // They stand in one line, however often it wraps.
  const shape = { rows: 1, columns: leaf.rows };
  const control = (cell: HTMLElement) => cell.querySelector<HTMLElement>("input");
  const { grid, onKeyDown, onFocusIn, onFocusOut } = useWalk(host, leaf, { control, shape });
  return (
    <>
      <p class="rw-hint">{last ? `one of the classes 0 to ${last}` : "there is one class: 0"}</p>
      {/* biome-ignore lint/a11y/useSemanticElements: a table would not wrap */}
      <div
        ref={grid}
        role="grid"
        aria-label={leaf.name}
        aria-describedby={host.help}
        onKeyDown={onKeyDown}
        onFocusIn={onFocusIn}
        onFocusOut={onFocusOut}
      >
        {/* biome-ignore lint/a11y/useSemanticElements: see above */}
        {/* biome-ignore lint/a11y/useFocusableInteractive: its cells are */}
        <div role="row" class="rw-classes">
          {[...Array(leaf.rows).keys()].map((at) => (
            <Class key={at} host={host} leaf={leaf} at={at} />
          ))}
        </div>
      </div>
    </>
  );
}

function Class({ host, leaf, at }: { host: Host; leaf: Leaf; at: number }) {
  const id = useUniqueId();
  const input = useRef<HTMLInputElement>(null);
  const [error, setError] = useState("");
  const entry = entryName(leaf, at);
  const { text, title } = rowLabel(leaf, at);
  const exact = () => String(host.shown(leaf)?.values[at] ?? "");
  useLayoutEffect(
    () =>
      effect(() => {
        const value = exact();
        if (input.current && Number(input.current.value || "x") !== Number(value)) {
          input.current.value = value;
        }
      }),
    [host, leaf, at],
  );
  return (
    // biome-ignore lint/a11y/useSemanticElements: see above
    <div
      role="gridcell"
      class="rw-class"
      tabIndex={-1}
      data-at={at}
      data-entry={entry}
      data-idle={isIdle(leaf, at) || undefined}
      data-lm-suppress-shortcuts="true"
      title={title}
    >
      <span>{text}</span>
      <input
        ref={input}
        type="number"
        tabIndex={-1}
        min={0}
        max={leaf.program.outputSize - 1}
        step={1}
        aria-label={entry}
        aria-invalid={error !== ""}
        aria-describedby={error ? id : undefined}
        data-lm-suppress-shortcuts="true"
        onInput={(event) => {
          const found = readClass(event.currentTarget.value, leaf.program.outputSize);
          setError("error" in found ? found.error : "");
          if ("is" in found) moveTo(host, leaf, at, found.is);
        }}
        onBlur={(event) => {
          setError("");
          event.currentTarget.value = exact();
        }}
        onPointerEnter={(event) => {
          event.currentTarget.title = hoverText(host, leaf, at);
        }}
      />
      {error && <Message id={id}>{error}</Message>}
    </div>
  );
}
