/** What the lab adds to an ipywidgets slider's handle and readout on the page. */

import { allDigits, threeDigits } from "./format";

/** Name the handle after its entry, and let arrow keys reach it past the notebook's shortcuts. */
export function label(el: HTMLElement, name: string, exact: () => number | null): void {
  const handle = el.querySelector(".noUi-handle");
  if (handle?.hasAttribute("data-lm-suppress-shortcuts")) return;
  handle?.setAttribute("data-lm-suppress-shortcuts", "true");
  handle?.setAttribute("aria-label", name);
  const readout = el.querySelector<HTMLElement>(".widget-readout");
  if (!readout) return;
  readout.setAttribute("data-lm-suppress-shortcuts", "true");
  readout.setAttribute("role", "textbox");
  readout.setAttribute("aria-label", `${name}, value`);
  // The view reads only plain digits: edit all of them, and take a typeset minus or a comma too.
  readout.addEventListener("focus", () => {
    readout.textContent = String(exact() ?? readout.textContent);
  });
  const plain = () => {
    const text = (readout.textContent ?? "")
      .replaceAll("−", "-")
      .replace(/^([^.,]*),([^.,]*)$/, "$1.$2");
    if (text !== readout.textContent) readout.textContent = text;
  };
  readout.addEventListener("blur", plain, { capture: true });
  readout.addEventListener("keydown", (event) => event.key === "Enter" && plain(), {
    capture: true,
  });
}

/** Show a value and tell it to those who cannot see it. */
export function speak(el: HTMLElement, value: number): void {
  const handle = el.querySelector(".noUi-handle");
  handle?.setAttribute("aria-valuetext", threeDigits(value));
  handle?.setAttribute("title", allDigits(value));
  const readout = el.querySelector(".widget-readout");
  // Only when it differs: each change of text is a change of the page, which is being watched.
  const text = threeDigits(value);
  if (readout && readout !== document.activeElement && readout.textContent !== text) {
    readout.textContent = text;
  }
}
