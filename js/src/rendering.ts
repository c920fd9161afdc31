/** Preact renders in a microtask. A slider of ipywidgets measures its readout in one as well, queued
 * earlier, for which the browser lays out the whole page: half drawn, and once more when the views
 * have followed. Views that render before the task ends spare it the first time. */

import { options } from "preact";

let waiting: (() => void) | undefined;

options.debounceRendering = (render) => {
  waiting = render;
  queueMicrotask(renderNow);
};

/** Let the views follow what has changed, before anything else runs. */
export function renderNow(): void {
  const render = waiting;
  waiting = undefined;
  render?.();
}
