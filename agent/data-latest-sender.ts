import type { Clock } from "../codecs/clock.ts";
import type { FrameSeal } from "../codecs/frame.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import type { DatagramFate } from "../sfu/carrier.ts";
import type { SentFrame } from "../sfu/frame-sender.ts";
import { notPermitted, SpokenData, type SpokenDataOptions } from "./spoken-data.ts";
import type { StreamPause } from "./two-way-media.ts";

/** How long until it is looked again whether another checkpoint has room, ms. */
const ROOM_MS = 50;
/** Seconds' worth of the rate that may go at once: a burst of old news is nobody's wish. */
const BURST_SECONDS = 0.25;

/** What became of a value: it left this end; a newer one took its place; or it did not leave within its deadline. */
export type LatestFate = "sent" | "replaced" | "dropped";

/** Where a {@link LatestSender} hands its packets. */
export interface LatestOutlet {
  /** One frame, to leave before `deadline` (monotonic milliseconds); where it is held, `later` is told once whether it left. */
  frame(frame: SentFrame, deadline: number, later: (isSent: boolean) => void): DatagramFate | "held";
  /** What is held is not to leave any more: `later` is told so. */
  takeBack(): void;
  /** A signed checkpoint for the flow's checkpoint stream. */
  checkpoint(bytes: Uint8Array): void;
  /** Whether there is room for another checkpoint. */
  readonly hasRoom: boolean;
}

export interface LatestSenderOptions extends SpokenDataOptions {
  readonly outlet: LatestOutlet;
  readonly deadlineMs: number;
}

export interface LatestSenderCounters {
  /** Values signed; of those that waited at the hop some did not leave. */
  readonly sent: number;
  /** Of their packets. */
  readonly bytes: number;
  /** Values that a newer one took the place of before they left. */
  readonly replaced: number;
  /** Values that did not leave, by reason: past the deadline (`stale`), too large for the way, not permitted, the call's end. */
  readonly undelivered: Readonly<Record<string, number>>;
  /** 1 while a value waits for its turn. */
  readonly waiting: number;
  readonly checkpoints: number;
}

/** A value whose turn has not come, or which waits at the hop. */
interface Waiting {
  readonly payload: Uint8Array;
  /** When it was given, and when it is of no use any more; monotonic milliseconds. */
  readonly at: number;
  readonly deadline: number;
  readonly settle: (fate: LatestFate) => void;
}

/**
 * One data stream of latest values as its speaker: at most one value waits, the newest, for the agreed rate and for the way; it is signed when its turn comes,
 * and does not leave once it is older than the stream's deadline. Nothing goes twice.
 */
export class LatestSender {
  readonly #clock: Clock;
  readonly #outlet: LatestOutlet;
  readonly #deadlineMs: number;
  readonly #spoken: SpokenData;
  /** What keeps values from leaving: nobody to take them, or the call is suspended. */
  readonly #pauses = new Set<StreamPause>();
  readonly #dropped = { stale: 0, "too-large": 0, scope: 0, closed: 0 };
  #waiting: Waiting | undefined;
  #atHop: Waiting | undefined;
  #cancelLook: (() => void) | undefined;
  #permitted = true;
  #finished = false;
  #replaced = 0;

  constructor(options: LatestSenderOptions) {
    this.#clock = options.clock;
    this.#outlet = options.outlet;
    this.#deadlineMs = options.deadlineMs;
    this.#spoken = new SpokenData(options, BURST_SECONDS);
  }

  /** While false nothing is sent, `send` throws `scope-violation`: the terms do not let this end send. */
  get permitted(): boolean {
    return this.#permitted;
  }

  set permitted(permitted: boolean) {
    this.#permitted = permitted;
    if (permitted) return;
    this.#drop("scope");
    this.#outlet.takeBack();
  }

  get counters(): LatestSenderCounters {
    return {
      ...this.#spoken.counters,
      replaced: this.#replaced,
      undelivered: Object.fromEntries(Object.entries(this.#dropped).filter(([, count]) => count > 0)),
      waiting: this.#waiting === undefined && this.#atHop === undefined ? 0 : 1,
    };
  }

  /** Sends a value in place of any that waits. Resolves when it left, or will not. */
  async send(payload: Uint8Array): Promise<LatestFate> {
    if (this.#finished) throw new ParleyError({ code: "closed", message: "The call has ended." });
    if (!this.#permitted) throw notPermitted();
    this.#replace();
    const at = this.#clock.now();
    const settled = Promise.withResolvers<LatestFate>();
    this.#waiting = { payload, at, deadline: at + this.#deadlineMs, settle: settled.resolve };
    this.#go();
    return await settled.promise;
  }

  /** Nothing leaves until `goOn` for the same reason. Idempotent. */
  pause(reason: StreamPause): void {
    this.#pauses.add(reason);
    this.#outlet.takeBack();
  }

  goOn(reason: StreamPause): void {
    this.#pauses.delete(reason);
    this.#go();
  }

  /** Values leave on another flow from now on. */
  moveTo(flow: number): void {
    this.#spoken.moveTo(flow);
  }

  /** What follows is sealed so: the profile changed, or the listener has another key. */
  useSeal(seal: FrameSeal): void {
    this.#spoken.useSeal(seal);
  }

  /** Lets what waits go and signs the final checkpoint. Idempotent. */
  finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#drop("closed");
    this.#outlet.takeBack();
    this.#spoken.finish();
  }

  /** Wakes the checkpointer; the call's timer runs it. */
  poll(now: number): void {
    if (!this.#finished) this.#spoken.poll(now);
  }

  /** Whatever waits, here or at the hop, makes room for a newer value. */
  #replace(): void {
    const before = this.#waiting;
    this.#waiting = undefined;
    if (before === undefined) return;
    this.#replaced += 1;
    before.settle("replaced");
  }

  /** Sends what waits if its turn is now, lets it go if that is over, and else looks again. */
  #go(): void {
    this.#cancelLook?.();
    this.#cancelLook = undefined;
    const value = this.#waiting;
    if (value === undefined) return;
    const now = this.#clock.now();
    if (now >= value.deadline) {
      this.#drop("stale");
      return;
    }
    const due = this.#dueAt(value, now);
    if (due > now) {
      this.#cancelLook = this.#clock.at(Math.min(due, value.deadline), () => this.#go());
      return;
    }
    this.#waiting = undefined;
    this.#hand(value, now);
  }

  /** When the value may leave as far as this end is concerned. */
  #dueAt({ payload, deadline }: Waiting, now: number): number {
    if (this.#pauses.size > 0) return deadline;
    if (!this.#outlet.hasRoom) return now + ROOM_MS;
    return this.#spoken.dueAt(payload, now);
  }

  #hand(value: Waiting, now: number): void {
    this.#spoken.spend(value.payload);
    const older = this.#atHop;
    if (older !== undefined) {
      this.#atHop = undefined;
      this.#replaced += 1;
      older.settle("replaced");
      this.#outlet.takeBack();
    }
    const frame = this.#spoken.sign(value.payload, value.at, now);
    this.#atHop = value;
    const fate = this.#outlet.frame(frame, value.deadline, (isSent) => {
      if (this.#atHop !== value) return;
      this.#atHop = undefined;
      this.#settle(value, isSent ? "sent" : "stale", frame.sequence);
    });
    if (fate === "held") return;
    this.#atHop = undefined;
    this.#settle(
      value,
      fate === "sent" ? "sent" : fate === "too-large" ? "too-large" : "stale",
      frame.sequence,
    );
  }

  #settle(value: Waiting, outcome: "sent" | "stale" | "too-large", sequence: number): void {
    if (outcome !== "sent") this.#dropped[outcome] += 1;
    this.#spoken.tell(outcome === "sent" ? "sent" : "unsent", sequence);
    value.settle(outcome === "sent" ? "sent" : "dropped");
  }

  #drop(reason: "stale" | "scope" | "closed"): void {
    this.#cancelLook?.();
    this.#cancelLook = undefined;
    const value = this.#waiting;
    this.#waiting = undefined;
    if (value === undefined) return;
    this.#dropped[reason] += 1;
    value.settle("dropped");
  }
}
