/** What can be undone: networks as they were, with the moves of one gesture taken together. */

import { signal as reactive } from "@preact/signals";
import { copied, type Network, sameNumbers } from "./network";

/** Where a reset leads back to: the network as it was made, or a preset with what it shows. */
export interface Origin {
  readonly network: Network;
  readonly preset: string;
  readonly say: string;
}

/** The entry and the contribution that are looked at. */
export interface Focus {
  readonly selection: string;
  readonly loss_step: number;
  readonly source_step: number;
}

interface Moment {
  readonly network: Network;
  readonly origin: Origin;
  /** What was in focus when the moment was left. */
  readonly focus?: Focus;
}

const MOST = 50;
const PAUSE_MS = 1_000; // a longer one between two moves of an entry makes them two gestures

export class History {
  readonly canUndo = reactive(false);
  readonly canRedo = reactive(false);
  private past: Moment[] = [];
  private future: Moment[] = [];
  private present: Moment;
  private gesture = "";
  private until = 0;

  constructor(origin: Origin) {
    this.present = { network: copied(origin.network), origin };
  }

  /** The network has changed; changes of one `gesture` that follow quickly are undone
   * together, those of none one by one. `left` was in focus before. */
  record(network: Network, origin: Origin, gesture: string, left: Focus): void {
    const now = performance.now();
    const continued = gesture !== "" && gesture === this.gesture && now < this.until;
    this.gesture = gesture;
    this.until = now + PAUSE_MS;
    const { present } = this;
    if (present.origin === origin && sameNumbers(present.network, network)) return;
    if (!continued) {
      this.past = [...this.past.slice(1 - MOST), { ...present, focus: left }];
      this.future = [];
    }
    this.present = { network: copied(network), origin };
    this.tell();
  }

  /** The present goes by another name. */
  rename(origin: Origin): void {
    this.present = { ...this.present, origin };
  }

  /** What was before the last gesture; null if there was none. */
  undo(left: Focus): Moment | null {
    return this.go(this.past, this.future, left);
  }

  redo(left: Focus): Moment | null {
    return this.go(this.future, this.past, left);
  }

  private go(from: Moment[], to: Moment[], left: Focus): Moment | null {
    const moment = from.pop();
    if (!moment) return null;
    to.push({ ...this.present, focus: left });
    this.present = moment;
    this.gesture = "";
    this.tell();
    return { ...moment, network: copied(moment.network) };
  }

  private tell(): void {
    this.canUndo.value = this.past.length > 0;
    this.canRedo.value = this.future.length > 0;
  }
}
