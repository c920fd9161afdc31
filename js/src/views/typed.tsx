/** A number being typed. What is no number is said, and stays to be mended. */

import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { useUniqueId } from "./kit";
import { Message } from "./parameters-bubble";
import { readNumber } from "./parameters-read";

interface TypedProps {
  /** The entry, such as v[0]. */
  readonly name: string;
  readonly value: number;
  readonly take: (value: number) => void;
  /** Close, where the focus has gone elsewhere. */
  readonly leave: () => void;
  /** Close, and put the focus back. */
  readonly back: () => void;
}

export function TypedNumber({ name, value, take, leave, back }: TypedProps) {
  const id = useUniqueId();
  const input = useRef<HTMLInputElement>(null);
  const [text] = useState(() => String(value));
  const [error, setError] = useState("");
  const closed = useRef(false); // what is put back or taken away loses the focus, too
  useLayoutEffect(() => {
    input.current?.focus();
    input.current?.select();
  }, []);

  function close(how: () => void) {
    closed.current = true;
    how();
  }
  function accept(typed: string, how: () => void) {
    if (closed.current) return;
    const found = readNumber(typed);
    if ("error" in found) {
      setError(found.error);
      return;
    }
    if (typed !== text) take(found.is);
    close(how);
  }

  return (
    <span class="rw-typed">
      <input
        ref={input}
        type="text"
        inputMode="decimal"
        defaultValue={text}
        aria-label={`value of ${name}`}
        aria-invalid={error !== ""}
        aria-describedby={error ? id : undefined}
        autocomplete="off"
        data-lm-suppress-shortcuts="true"
        onInput={() => setError("")}
        onKeyDown={(event) => {
          event.stopPropagation();
          if (event.key === "Enter") accept(event.currentTarget.value, back);
          else if (event.key === "Escape") close(back);
        }}
        onBlur={(event) => accept(event.currentTarget.value, leave)}
      />
      {error && <Message id={id}>{error}</Message>}
    </span>
  );
}
