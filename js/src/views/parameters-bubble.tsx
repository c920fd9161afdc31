/** What floats above the page beside an element: it pushes nothing aside and nothing cuts it off. */

import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

const GAP = 4;

/** Put a floating element under another, or above it where there is no room below. */
export function place(floating: HTMLElement, beside: Element): void {
  const anchor = beside.getBoundingClientRect();
  const { width, height } = floating.getBoundingClientRect();
  const { clientWidth, clientHeight } = document.documentElement;
  const below = anchor.bottom + GAP;
  const above = anchor.top - GAP - height;
  const left = Math.max(GAP, Math.min(anchor.left, clientWidth - width - GAP));
  const top = below + height <= clientHeight || above < 0 ? below : above;
  floating.style.left = `${left}px`;
  floating.style.top = `${Math.max(GAP, Math.min(top, clientHeight - height - GAP))}px`;
}

/** Keep it there while the page scrolls; returns what ends that. */
export function keepPlaced(floating: HTMLElement, beside: Element): () => void {
  const again = () => place(floating, beside);
  again();
  window.addEventListener("scroll", again, { capture: true, passive: true });
  window.addEventListener("resize", again);
  return () => {
    window.removeEventListener("scroll", again, { capture: true });
    window.removeEventListener("resize", again);
  };
}

/** A message beside its parent element. */
export function Message({ id, children }: { id: string; children: ComponentChildren }) {
  const bubble = useRef<HTMLSpanElement>(null);
  useLayoutEffect(() => {
    const el = bubble.current as HTMLSpanElement;
    el.showPopover?.();
    return keepPlaced(el, el.parentElement as HTMLElement);
  }, []);
  return (
    <span ref={bubble} id={id} class="rw-message" role="alert" popover="manual">
      {children}
    </span>
  );
}
