import type { Clock } from "../codecs/clock.ts";
import type { FrameSeal } from "../codecs/frame.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import type { Checkpointer } from "../sfu/checkpointer.ts";
import type { FrameSender, SentFrame } from "../sfu/frame-sender.ts";
import { TokenBucket } from "../sfu/token-bucket.ts";
import { DATA_RATE } from "../signaling/data-stream.ts";
import type { FrameFate, FrameWatch } from "./frame-fate.ts";
import type { MediaTime } from "./media-time.ts";

/** Bytes of a packet besides its payload: RTP header, extension header, attribution element. */
export const PACKET_OVERHEAD = 96;

export interface SpokenDataOptions {
  readonly clock: Clock;
  readonly time: MediaTime;
  readonly frames: FrameSender;
  readonly checkpointer: Checkpointer;
  /** Takes a signed checkpoint for the flow's checkpoint stream. */
  readonly outlet: { checkpoint(bytes: Uint8Array): void };
  /** Stream id, as `watch` tells it. */
  readonly stream: number;
  readonly watch?: FrameWatch | undefined;
}

/** Signs the messages of one spoken stream of data, states them in checkpoints, and says when the agreed rate allows the next. */
export class SpokenData {
  readonly #options: SpokenDataOptions;
  readonly #messages: TokenBucket;
  readonly #volume: TokenBucket;
  readonly #counters = { sent: 0, bytes: 0, checkpoints: 0 };

  /** `burst`: seconds' worth of the rate that may go at once. */
  constructor(options: SpokenDataOptions, burst: number) {
    this.#options = options;
    const { messagesPerSecond, bytesPerSecond } = DATA_RATE;
    const now = options.clock.now();
    this.#messages = new TokenBucket(messagesPerSecond, messagesPerSecond * burst, now);
    this.#volume = new TokenBucket(bytesPerSecond, bytesPerSecond * burst, now);
  }

  /** Messages signed, the bytes of their packets, and checkpoints over them. */
  get counters(): { readonly sent: number; readonly bytes: number; readonly checkpoints: number } {
    return { ...this.#counters };
  }

  get flow(): number {
    return this.#options.frames.flow;
  }

  moveTo(flow: number): void {
    this.#options.frames.useFlow(flow);
  }

  useSeal(seal: FrameSeal): void {
    const { checkpointer, frames } = this.#options;
    frames.useSeal(seal);
    this.#owe(checkpointer.useProfile(seal.profile));
  }

  /** When a payload may go, as far as the rate is concerned; `now` or before: it may. */
  dueAt(payload: Uint8Array, now: number): number {
    const bytes = payload.length + PACKET_OVERHEAD;
    if (this.#messages.has(1, now) && this.#volume.has(bytes, now)) return now;
    return Math.max(this.#messages.availableAt(1), this.#volume.availableAt(bytes));
  }

  /** It goes: the rate has so much less room. */
  spend(payload: Uint8Array): void {
    this.#messages.take(1);
    this.#volume.take(payload.length + PACKET_OVERHEAD);
  }

  /** Signs a payload as captured at `at`, monotonic milliseconds, and lists it. */
  sign(payload: Uint8Array, at: number, now: number): SentFrame {
    const { checkpointer, frames, time } = this.#options;
    const frame = frames.send(payload, time.wallAt(at), { marker: true });
    this.#counters.sent += 1;
    this.#counters.bytes += frame.packet.length;
    this.#owe(checkpointer.add(frame.sequence, frame.captured, frame.digest, now));
    return frame;
  }

  /** Tells who watches what became of a message. */
  tell(fate: FrameFate["fate"], sequence: number): void {
    const { clock, stream, watch } = this.#options;
    watch?.({ direction: "sent", stream, sequence, fate, at: clock.now() });
  }

  /** Wakes the checkpointer. */
  poll(now: number): void {
    this.#owe(this.#options.checkpointer.poll(now));
  }

  /** Signs the final checkpoint. */
  finish(): void {
    this.#owe(this.#options.checkpointer.finish());
  }

  #owe(checkpoint: Uint8Array | undefined): void {
    if (checkpoint === undefined) return;
    this.#counters.checkpoints += 1;
    this.#options.outlet.checkpoint(checkpoint);
  }
}

/** What a sender throws where the terms do not let this end send. */
export function notPermitted(): ParleyError {
  return new ParleyError({ code: "scope-violation", message: "This end gave up sending data." });
}
