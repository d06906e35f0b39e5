import type { Clock } from "../codecs/clock.ts";
import type { FrameSeal } from "../codecs/frame.ts";
import type { Checkpointer } from "../sfu/checkpointer.ts";
import type { FrameMarks, FrameSender, SentFrame } from "../sfu/frame-sender.ts";
import type { RedundancyLevel } from "../sfu/redundancy.ts";
import type { FrameWatch } from "./frame-fate.ts";

/** Where {@link SpokenFrames} hands its packets. */
export interface AudioOutlet {
  /**
   * A frame ready to go: as a datagram when it fits, else on a stream. False: there is no connection, and it goes nowhere. `held`: it waits for its
   * turn, and `later` is told whether it left.
   */
  frame(frame: SentFrame, later: (isSent: boolean) => void): boolean | "held";
  /** What waits on its way out is not to be said any more. */
  discard?(): void;
  /** A signed checkpoint for the flow's reliable stream. */
  checkpoint(bytes: Uint8Array): void;
  /** Whether there is room for another checkpoint: what cannot be stated must not be said. */
  hasRoom(): boolean;
}

export interface SpokenFrameCounters {
  /** Frames signed and listed in checkpoints. */
  readonly sent: number;
  /** Of those, the ones that went nowhere, since the call had no connection then. */
  readonly unsent: number;
  readonly bytes: number;
  /** Of those, the bytes that carried earlier frames once more. */
  readonly redundantBytes: number;
  readonly checkpoints: number;
}

export interface SpokenFramesOptions {
  readonly clock: Clock;
  readonly frames: FrameSender;
  readonly checkpointer: Checkpointer;
  readonly outlet: AudioOutlet;
  /** Stream id, as `watch` tells it. */
  readonly stream: number;
  /** Media epoch that `frames` and `checkpointer` begin in. Default 0. */
  readonly epoch?: number | undefined;
  /** Must not throw. */
  readonly watch?: FrameWatch | undefined;
}

/** Signs the frames of one spoken stream, states them in checkpoints and hands both out. */
export class SpokenFrames {
  readonly #options: SpokenFramesOptions;
  readonly #counters = { sent: 0, unsent: 0, bytes: 0, redundantBytes: 0, checkpoints: 0 };
  #epoch: number;
  #sentInEpoch = false;

  constructor(options: SpokenFramesOptions) {
    this.#options = options;
    this.#epoch = options.epoch ?? 0;
  }

  get counters(): SpokenFrameCounters {
    return { ...this.#counters };
  }

  /** Stream id. */
  get stream(): number {
    return this.#options.stream;
  }

  /** Media epoch of what is sent. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Whether a frame of it has gone. */
  get sentInEpoch(): boolean {
    return this.#sentInEpoch;
  }

  get hasRoom(): boolean {
    return this.#options.outlet.hasRoom();
  }

  get redundancy(): RedundancyLevel {
    return this.#options.frames.redundancy;
  }

  useRedundancy(level: RedundancyLevel): void {
    this.#options.frames.useRedundancy(level);
  }

  /** What waits on its way out is not to be said any more. */
  discard(): void {
    this.#options.outlet.discard?.();
  }

  moveTo(flow: number): void {
    this.#options.frames.useFlow(flow);
  }

  useSeal(seal: FrameSeal): void {
    this.#options.frames.useSeal(seal);
    this.#owe(this.#options.checkpointer.useProfile(seal.profile));
  }

  beginEpoch(epoch: number): void {
    this.#epoch = epoch;
    this.#sentInEpoch = false;
    this.#options.frames.beginEpoch(epoch);
    this.#owe(this.#options.checkpointer.beginEpoch(epoch));
  }

  /** Sends a frame whose first sample was captured at `captured`, Unix milliseconds; returns its sequence number. */
  send(payload: Uint8Array, captured: number, marks: FrameMarks, now: number): number {
    const { checkpointer, clock, frames, outlet, stream, watch } = this.#options;
    const frame = frames.send(payload, captured, marks);
    const { sequence } = frame;
    this.#sentInEpoch = true;
    this.#counters.sent += 1;
    this.#counters.bytes += frame.packet.length;
    this.#counters.redundantBytes += frame.redundantBytes;
    const checkpoint = checkpointer.add(sequence, frame.captured, frame.digest, now);
    const level = marks.audioLevel?.level;
    const tell = (isSent: boolean, at: number) => {
      const fate = isSent ? "sent" : "unsent";
      const told = { direction: "sent", stream, sequence, fate, at } as const;
      watch?.(level === undefined ? told : { ...told, level });
    };
    const isSent = outlet.frame(frame, (left) => tell(left, clock.now()));
    if (isSent === false) this.#counters.unsent += 1;
    if (isSent !== "held") tell(isSent, now);
    this.#owe(checkpoint);
    return sequence;
  }

  /** Wakes the checkpointer. */
  poll(now: number): void {
    this.#owe(this.#options.checkpointer.poll(now));
  }

  /** The way to who hears it takes little: what is stated beside the voice goes in small pieces. */
  useThinWay(isThin: boolean): void {
    this.#options.checkpointer.keepSmall(isThin);
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
