/** Hands and eyes on a mocked page. */

import { vi } from "vitest";

/** The button of a name: its label, or what is written on it. */
export function buttonOf(root: Element, name: string): HTMLButtonElement {
  const all = [...root.querySelectorAll("button")];
  const nameOf = (one: Element) => one.getAttribute("aria-label") ?? one.textContent;
  const found = all.find((one) => nameOf(one) === name);
  if (!found) throw new Error(`no button ${name}; there is ${all.map(nameOf).join(", ")}`);
  return found;
}

/** Every element is told at once that it is so many pixels wide. */
export function stubWidth(width: number): void {
  vi.stubGlobal(
    "ResizeObserver",
    class {
      constructor(private readonly tell: (entries: object[]) => void) {}
      observe() {
        this.tell([{ contentRect: { width } }]);
      }
      disconnect() {}
    },
  );
}
