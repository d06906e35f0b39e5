import type { ConnectionId } from "../signaling/admission.ts";
import type { FlowEntry } from "./admission-table.ts";
import type { Carriage } from "./frame-gate.ts";

/** Longest that a frame of a media epoch yet to come waits for it, milliseconds: the interrupt travels another way. */
export const HOLD_MS = 200;

/** Frames of one flow that wait so; one more is refused. Twice what a speaker of 20 ms frames sends in that time. */
export const MAX_HELD_FRAMES = 20;

/** A frame that came before its epoch. */
export interface HeldFrame {
  readonly entry: FlowEntry;
  readonly connection: ConnectionId;
  /** A copy of what came. */
  readonly bytes: Uint8Array;
  /** Where the packet begins in it. */
  readonly offset: number;
  readonly carriage: Carriage;
  readonly epoch: number;
  /** When it has waited long enough. */
  readonly until: number;
}

/**
 * Frames that wait for the interrupt that begins their epoch, in order of arrival. Nothing here was verified: that comes
 * when it is let go.
 * @internal
 */
export class HeldFrames {
  #frames: HeldFrame[] = [];

  get size(): number {
    return this.#frames.length;
  }

  /** Keeps a frame; false when its flow has as many as may wait. */
  add(frame: HeldFrame): boolean {
    const waiting = this.#frames.filter(({ entry }) => entry === frame.entry).length;
    if (waiting >= MAX_HELD_FRAMES) return false;
    this.#frames.push(frame);
    return true;
  }

  /** The first frame whose epoch has come, is past, or that has waited long enough. */
  take(now: number): HeldFrame | undefined {
    const at = this.#frames.findIndex(
      ({ entry, epoch, until }) =>
        epoch <= entry.epoch ||
        until <= now ||
        entry.session.state !== "active" ||
        !entry.row.transmitAllowed,
    );
    return at < 0 ? undefined : this.#frames.splice(at, 1)[0];
  }

  /** The flow has another connection from now on: what waits for it counts as come from there. */
  move(entry: FlowEntry, connection: ConnectionId): void {
    this.#frames = this.#frames.map((frame) => (frame.entry === entry ? { ...frame, connection } : frame));
  }

  /** Forgets what waits for flows of a session or connection that is gone. */
  forget(isGone: (frame: HeldFrame) => boolean): void {
    this.#frames = this.#frames.filter((frame) => !isGone(frame));
  }

  /** When the first has waited long enough. */
  nextTimeout(): number | undefined {
    return this.#frames[0]?.until;
  }
}
