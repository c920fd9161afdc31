/** Hears when a widget's kernel has stopped, restarted, or was never there. */

import type { AnyModel } from "@anywidget/types";
import { watchStatus } from "./kernel-status";
import { type Manager, modelOf } from "./models";

/** Call `onLost` once, as soon as no kernel can answer the model of this id. */
export function watchKernel(
  model: AnyModel,
  id: string,
  signal: AbortSignal,
  onLost: () => void,
): void {
  const manager = model.widget_manager as unknown as Manager;
  let lost = false;
  const lose = () => {
    if (!lost) onLost();
    lost = true;
  };
  watchStatus(manager, signal, lose);
  // A restart leaves a living kernel that does not know this widget, and so does a page that shows a
  // notebook without having run it. Only the model itself tells, not what anywidget shows of it.
  void modelOf(id, manager, signal).then((real) => {
    const alive = () => real && !real.comm_live && lose();
    model.on("comm_live_update", alive);
    alive();
  });
}
