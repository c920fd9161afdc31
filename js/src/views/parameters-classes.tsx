/** Targets of the cross-entropy: a class for every step. */

import { effect } from "@preact/signals";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { useUniqueId } from "./kit";
import { Message } from "./parameters-bubble";
import { entryName, isIdle, type Leaf, rowLabel } from "./parameters-leaves";
import { type Host, hoverText, moveTo } from "./parameters-numbers";
import { readClass } from "./parameters-read";

export function Classes({ host, leaf }: { host: Host; leaf: Leaf }) {
  const last = leaf.program.outputSize - 1;
  return (
    <div class="rw-classes">
      <span class="rw-hint">
        {last ? `one of the classes 0 to ${last}` : "there is one class: 0"}
      </span>
      {[...Array(leaf.rows).keys()].map((at) => (
        <Class key={at} host={host} leaf={leaf} at={at} />
      ))}
    </div>
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
    <label
      class="rw-class"
      data-entry={entry}
      data-idle={isIdle(leaf, at) || undefined}
      title={title}
    >
      <span>{text}</span>
      <input
        ref={input}
        type="number"
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
    </label>
  );
}
