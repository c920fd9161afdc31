/** The widget models of the page, as far as the lab uses them. */

/** A Backbone model of @jupyter-widgets/base. */
export interface WidgetModel {
  readonly model_id: string;
  comm_live: boolean;
  /** What views have set and `save_changes` is to send; ipywidgets has no public way to take it back. */
  _buffered_state_diff?: Record<string, unknown>;
  /** Not null while a message from the kernel is being applied. */
  _state_lock?: object | null;
  views?: Record<string, Promise<{ el: HTMLElement }>>;
  get(name: string): unknown;
  /** Sets traits here without ever sending them to the kernel. */
  set_state(state: Record<string, unknown>): void;
  /** Sends what views have set. */
  save_changes(...callbacks: unknown[]): void;
  send(content: unknown, ...rest: unknown[]): void;
  on(event: string, listener: (...args: never[]) => void, owner: object): void;
  off(event: string | null, listener: null, owner: object): void;
}

interface Signal {
  connect(slot: () => void): void;
  disconnect(slot: () => void): void;
}

/** What the hosts' widget managers have beyond `get_model`: none of it everywhere. */
export interface Manager {
  get_model(id: string): Promise<unknown>;
  has_model?(id: string): boolean;
  kernel?: {
    isDisposed: boolean;
    status?: string;
    statusChanged?: Signal;
    connectionStatusChanged?: Signal;
  } | null;
  context?: {
    sessionContext?: Record<"statusChanged" | "connectionStatusChanged" | "kernelChanged", Signal>;
  };
  restored?: Signal;
}

const POLL_MS = 50;
const PATIENCE_MS = 30_000;

/** The model that a reference "IPY_MODEL_<id>" names, as soon as it is registered; null if the lab
 * is closed meanwhile, or it never comes or cannot be loaded. */
export async function modelOf(
  reference: unknown,
  manager: Manager,
  signal: AbortSignal,
): Promise<WidgetModel | null> {
  const id = String(reference).replace("IPY_MODEL_", "");
  const until = performance.now() + PATIENCE_MS;
  // get_model gives up after two seconds, and a page that is being restored may need longer.
  while (manager.has_model && !manager.has_model(id)) {
    if (signal.aborted || performance.now() > until) return null;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  // Registered, it may still be loading its code.
  let tired: ReturnType<typeof setTimeout> | undefined;
  const never = new Promise<null>((resolve) => {
    tired = setTimeout(resolve, until - performance.now(), null);
  });
  try {
    const model = await Promise.race([manager.get_model(id), never]);
    return signal.aborted ? null : (model as WidgetModel | null);
  } catch {
    return null;
  } finally {
    clearTimeout(tired);
  }
}
