import type { Clock } from "../codecs/clock.ts";
import type { FrameSeal } from "../codecs/frame.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import type { DatagramFate } from "../sfu/carrier.ts";
import type { Checkpointer } from "../sfu/checkpointer.ts";
import type { FrameSender, SentFrame } from "../sfu/frame-sender.ts";
import { TokenBucket } from "../sfu/token-bucket.ts";
import { DATA_RATE } from "../signaling/data-stream.ts";
import type { FrameWatch } from "./frame-fate.ts";
import type { MediaTime } from "./media-time.ts";
import type { StreamPause } from "./two-way-media.ts";

/** How long until it is looked again whether another checkpoint has room, ms. */
const ROOM_MS = 50;

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
  readonly #time: MediaTime;
  readonly #frames: FrameSender;
  readonly #checkpointer: Checkpointer;
  readonly #outlet: LatestOutlet;
  readonly #stream: number;
  readonly #deadlineMs: number;
  readonly #watch: FrameWatch | undefined;
  readonly #messages: TokenBucket;
  readonly #volume: TokenBucket;
  /** What keeps values from leaving: nobody to take them, or the call is suspended. */
  readonly #pauses = new Set<StreamPause>();
  readonly #dropped = { stale: 0, "too-large": 0, scope: 0, closed: 0 };
  #waiting: Waiting | undefined;
  #atHop: Waiting | undefined;
  #cancelLook: (() => void) | undefined;
  #permitted = true;
  #finished = false;
  #sent = 0;
  #bytes = 0;
  #replaced = 0;
  #checkpoints = 0;

  constructor(options: {
    readonly clock: Clock;
    readonly time: MediaTime;
    readonly frames: FrameSender;
    readonly checkpointer: Checkpointer;
    readonly outlet: LatestOutlet;
    /** Stream id, as `watch` tells it. */
    readonly stream: number;
    readonly deadlineMs: number;
    readonly watch?: FrameWatch | undefined;
  }) {
    this.#clock = options.clock;
    this.#time = options.time;
    this.#frames = options.frames;
    this.#checkpointer = options.checkpointer;
    this.#outlet = options.outlet;
    this.#stream = options.stream;
    this.#deadlineMs = options.deadlineMs;
    this.#watch = options.watch;
    const { messagesPerSecond, bytesPerSecond } = DATA_RATE;
    const now = options.clock.now();
    // Less than a second's worth at once: a burst of old news is nobody's wish.
    this.#messages = new TokenBucket(messagesPerSecond, messagesPerSecond / 4, now);
    this.#volume = new TokenBucket(bytesPerSecond, bytesPerSecond / 4, now);
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
      sent: this.#sent,
      bytes: this.#bytes,
      replaced: this.#replaced,
      undelivered: Object.fromEntries(Object.entries(this.#dropped).filter(([, count]) => count > 0)),
      waiting: this.#waiting === undefined && this.#atHop === undefined ? 0 : 1,
      checkpoints: this.#checkpoints,
    };
  }

  /** Sends a value in place of any that waits. Resolves when it left, or will not. */
  async send(payload: Uint8Array): Promise<LatestFate> {
    if (this.#finished) throw new ParleyError({ code: "closed", message: "The call has ended." });
    if (!this.#permitted) {
      throw new ParleyError({ code: "scope-violation", message: "This end gave up sending data." });
    }
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
    this.#frames.useFlow(flow);
  }

  /** What follows is sealed so: the profile changed, or the listener has another key. */
  useSeal(seal: FrameSeal): void {
    this.#frames.useSeal(seal);
    const due = this.#checkpointer.useProfile(seal.profile);
    if (due !== undefined) this.#owe(due);
  }

  /** Lets what waits go and signs the final checkpoint. Idempotent. */
  finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#drop("closed");
    this.#outlet.takeBack();
    this.#owe(this.#checkpointer.finish());
  }

  /** Wakes the checkpointer; the call's timer runs it. */
  poll(now: number): void {
    if (this.#finished) return;
    const due = this.#checkpointer.poll(now);
    if (due !== undefined) this.#owe(due);
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
    const bytes = payload.length + PACKET_OVERHEAD;
    if (this.#messages.has(1, now) && this.#volume.has(bytes, now)) return now;
    return Math.max(this.#messages.availableAt(1), this.#volume.availableAt(bytes));
  }

  #hand(value: Waiting, now: number): void {
    this.#messages.take(1);
    this.#volume.take(value.payload.length + PACKET_OVERHEAD);
    const older = this.#atHop;
    if (older !== undefined) {
      this.#atHop = undefined;
      this.#replaced += 1;
      older.settle("replaced");
      this.#outlet.takeBack();
    }
    const frame = this.#sign(value, now);
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

  #sign({ payload, at }: Waiting, now: number): SentFrame {
    const frame = this.#frames.send(payload, this.#time.wallAt(at), { marker: true });
    this.#sent += 1;
    this.#bytes += frame.packet.length;
    const checkpoint = this.#checkpointer.add(frame.sequence, frame.captured, frame.digest, now);
    if (checkpoint !== undefined) this.#owe(checkpoint);
    return frame;
  }

  #settle(value: Waiting, outcome: "sent" | "stale" | "too-large", sequence: number): void {
    if (outcome !== "sent") this.#dropped[outcome] += 1;
    const fate = outcome === "sent" ? "sent" : "unsent";
    this.#watch?.({ direction: "sent", stream: this.#stream, sequence, fate, at: this.#clock.now() });
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

  #owe(checkpoint: Uint8Array): void {
    this.#checkpoints += 1;
    this.#outlet.checkpoint(checkpoint);
  }
}

/** Bytes of a packet besides its payload: RTP header, extension header, attribution element. */
const PACKET_OVERHEAD = 96;
