/** The button "look again": Python compares every object with what was recorded. */

import type { AnyModel } from "@anywidget/types";
import { useLayoutEffect, useRef, useState } from "preact/hooks";

const PATIENCE_MS = 4000;
const SAID = {
  idle: "",
  asking: "Python is looking …",
  looked: "looked again: ",
  silent: "Python does not answer (busy, stopped, or not there): what stands here is its last look",
} as const;

/** `changed` are the names that are not as they were recorded. */
export function LookAgain({ view, changed }: { view: AnyModel; changed: readonly string[] }) {
  const [state, setState] = useState<keyof typeof SAID>("idle");
  const waiting = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  useLayoutEffect(() => {
    const answered = (content: { kind?: string }) => {
      if (content?.kind !== "looked") return;
      clearTimeout(waiting.current);
      setState("looked");
    };
    view.on("msg:custom", answered);
    return () => {
      view.off("msg:custom", answered);
      clearTimeout(waiting.current);
    };
  }, [view]);
  const ask = () => {
    setState("asking");
    clearTimeout(waiting.current);
    waiting.current = setTimeout(() => setState("silent"), PATIENCE_MS);
    view.send({ kind: "look" });
  };
  const found = changed.length ? `not as recorded: ${changed.join(", ")}` : "all as recorded";
  return (
    <>
      <output class="rw-ledger-looked" data-look={state}>
        {SAID[state]}
        {state === "looked" && found}
      </output>
      <button type="button" data-lm-suppress-shortcuts="true" onClick={ask}>
        look again
      </button>
    </>
  );
}
