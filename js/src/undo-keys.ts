/** Ctrl+Z and Ctrl+Shift+Z or Ctrl+Y, with Cmd on a Mac, in a lab's views and in the explorer around
 * them. */

import type { LiveLab } from "./live";

/** Follow the keys until the lab is closed. */
export function followUndoKeys(lab: LiveLab): void {
  const press = (event: KeyboardEvent) => {
    const act = actOf(event);
    if (!act || !isInside(lab, event.target) || isText(event.target)) return;
    // Nothing else may hear of it: the notebook would undo an edit of a cell, too.
    event.preventDefault();
    event.stopImmediatePropagation();
    lab[act]();
  };
  // JupyterLab listens while the event passes the document: the window is before it.
  window.addEventListener("keydown", press, { capture: true });
  lab.signal.addEventListener("abort", () => {
    window.removeEventListener("keydown", press, { capture: true });
  });
}

function actOf({ key, ctrlKey, metaKey, shiftKey, altKey }: KeyboardEvent): "undo" | "redo" | null {
  if (altKey || !(ctrlKey || metaKey)) return null;
  if (key.toLowerCase() === "z") return shiftKey ? "redo" : "undo";
  return key === "y" && ctrlKey ? "redo" : null; // with Cmd it is the browser's history
}

function isInside({ places }: LiveLab, target: EventTarget | null): boolean {
  if (!(target instanceof Node)) return false;
  return [...places].some((place) => (place.closest(".rw-explorer") ?? place).contains(target));
}

const NO_TEXT = ["range", "radio", "checkbox", "button"];

/** Whether it has text with an undo of its own. */
function isText(target: EventTarget | null): boolean {
  if (target instanceof HTMLInputElement) return !NO_TEXT.includes(target.type);
  if (target instanceof HTMLTextAreaElement) return true;
  return target instanceof HTMLElement && target.isContentEditable;
}
