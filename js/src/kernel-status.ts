/** Whether the kernel behind a widget has ended. */

import type { Manager } from "./models";

const ENDING = new Set(["restarting", "autorestarting", "terminating", "dead"]);

/** Call `onEnd` whenever the kernel is found to be ending, or none to be there: now, and at every
 * sign of a change. */
export function watchStatus(manager: Manager, signal: AbortSignal, onEnd: () => void): void {
  const check = () => {
    if (!("kernel" in manager) && !manager.context) return;
    const { kernel } = manager;
    if (!kernel || kernel.isDisposed || ENDING.has(kernel.status ?? "")) onEnd();
  };
  const session = manager.context?.sessionContext;
  const signals = session
    ? [session.statusChanged, session.connectionStatusChanged, session.kernelChanged]
    : [manager.kernel?.statusChanged, manager.kernel?.connectionStatusChanged];
  for (const changed of signals) changed?.connect(check);
  signal.addEventListener("abort", () => {
    for (const changed of signals) changed?.disconnect(check);
  });
  check();
}
