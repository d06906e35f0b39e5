import type { AudioCodec, CodecTuning } from "../codecs/audio-codec.ts";
import type { Clock } from "../codecs/clock.ts";
import type { FrameSeal } from "../codecs/frame.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import type { Checkpointer } from "../sfu/checkpointer.ts";
import type { FrameSender, SentFrame } from "../sfu/frame-sender.ts";
import { Pacer } from "../sfu/pacer.ts";
import type { RedundancyLevel } from "../sfu/redundancy.ts";
import { audioLevel } from "./audio-level.ts";
import type { FrameWatch } from "./frame-fate.ts";
import type { MediaTime } from "./media-time.ts";

/** Seconds of audio that may wait to be sent. A writer that ignores the promise of `write` meets this as `buffer-full`. */
const QUEUE_SECONDS = 120;
/** Milliseconds of audio waiting ahead of the pacer below which `write` resolves. */
const LOW_WATER_MS = 100;
/** A gap in the writer's supply shorter than this, in frames, continues the talkspurt with late frames; a longer one starts anew. */
const SUPPLY_GAP_FRAMES = 5;

/** While it is silent and DTX is on, one frame goes in so many milliseconds. */
const PAUSE_MS = 400;

/** Where an {@link AudioSender} hands its packets. */
export interface AudioOutlet {
  /** A frame ready to go: as a datagram when it fits, else on a stream. False: there is no connection, and it goes nowhere. */
  frame(frame: SentFrame): boolean;
  /** What waits on its way out is not to be said any more. */
  discard?(): void;
  /** A signed checkpoint for the flow's reliable stream. */
  checkpoint(bytes: Uint8Array): void;
  /** Whether there is room for another checkpoint: what cannot be stated must not be said. */
  hasRoom(): boolean;
}

export interface AudioSenderCounters {
  /** Frames signed and listed in checkpoints. */
  readonly sent: number;
  /** Of those, the ones that went nowhere, since the call had no connection then. */
  readonly unsent: number;
  readonly bytes: number;
  /** Of those, the bytes that carried earlier frames once more. */
  readonly redundantBytes: number;
  readonly turns: number;
  readonly checkpoints: number;
  /** Frames of silence that were not sent. */
  readonly pauses: number;
  /** Intervals by which the pacer fell behind its deadlines and gave up catching up. */
  readonly skippedIntervals: number;
}

/**
 * One spoken stream: takes PCM as fast as it comes, cuts it into frames, encodes, signs and sends each at its deadline.
 * Deadlines accumulate, so a late timer delays one frame and not the ones after it.
 */
export class AudioSender {
  readonly #clock: Clock;
  readonly #time: MediaTime;
  readonly #codec: AudioCodec;
  readonly #frames: FrameSender;
  readonly #checkpointer: Checkpointer;
  readonly #outlet: AudioOutlet;
  readonly #stream: number;
  readonly #watch: FrameWatch | undefined;
  readonly #frameMs: number;
  readonly #frameValues: number;
  readonly #frame: Int16Array;
  readonly #queue: Int16Array[] = [];
  #queued = 0;
  #headOffset = 0;
  #turnEnds = false;
  #pacer: Pacer | undefined;
  #spurtEnded = true;
  #resumeBefore = 0;
  #cancelTimer: (() => void) | undefined;
  #waiters: { readonly below: number; readonly resolve: () => void }[] = [];
  #muted = false;
  #permitted = true;
  #held = false;
  #epoch = 0;
  #sentInEpoch = false;
  #finished = false;
  #sent = 0;
  #unsent = 0;
  #bytes = 0;
  #redundantBytes = 0;
  #turns = 0;
  #checkpoints = 0;
  #skipped = 0;
  #pauses = 0;
  /** Deadline of the last frame of silence that went; undefined while it speaks. */
  #pausedAt: number | undefined;

  constructor(options: {
    readonly clock: Clock;
    readonly time: MediaTime;
    readonly codec: AudioCodec;
    readonly frames: FrameSender;
    readonly checkpointer: Checkpointer;
    readonly outlet: AudioOutlet;
    /** Stream id, as `watch` tells it. */
    readonly stream: number;
    /** Media epoch that `frames` and `checkpointer` begin in. Default 0. */
    readonly epoch?: number | undefined;
    /** Must not throw. */
    readonly watch?: FrameWatch | undefined;
  }) {
    this.#clock = options.clock;
    this.#time = options.time;
    this.#codec = options.codec;
    this.#frames = options.frames;
    this.#checkpointer = options.checkpointer;
    this.#outlet = options.outlet;
    this.#stream = options.stream;
    this.#epoch = options.epoch ?? 0;
    this.#watch = options.watch;
    const { frameSamples, clockRate, channels } = options.codec.format;
    this.#frameMs = (frameSamples * 1000) / clockRate;
    this.#frameValues = frameSamples * channels;
    this.#frame = new Int16Array(this.#frameValues);
  }

  get counters(): AudioSenderCounters {
    return {
      sent: this.#sent,
      unsent: this.#unsent,
      bytes: this.#bytes,
      redundantBytes: this.#redundantBytes,
      turns: this.#turns,
      checkpoints: this.#checkpoints,
      pauses: this.#pauses,
      skippedIntervals: this.#skipped + (this.#pacer?.skipped ?? 0),
    };
  }

  /** Stream id. */
  get stream(): number {
    return this.#stream;
  }

  /** Media epoch of what is sent. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Whether a frame of it has gone. */
  get sentInEpoch(): boolean {
    return this.#sentInEpoch;
  }

  /** While false, due frames are thrown away like muted ones: the terms do not let this end send. */
  get permitted(): boolean {
    return this.#permitted;
  }

  set permitted(permitted: boolean) {
    this.#permitted = permitted;
  }

  /** What waits is thrown away, and due frames with it until `release`: the call is suspended. Idempotent. */
  hold(): void {
    if (this.#held) return;
    this.#held = true;
    this.flush();
  }

  /** The call goes on: what follows is a new talkspurt. */
  release(): void {
    this.#held = false;
    this.#spurtEnded = true;
  }

  /** Changes how the voice is coded from the next frame on; what its format has no choice in is ignored. Throws `field-invalid`. */
  tune(settings: CodecTuning): void {
    if (!this.#finished) this.#codec.tune?.(settings);
  }

  /** How many of the frames before it each frame carries once more; 0 where that was not agreed. */
  get redundancy(): RedundancyLevel {
    return this.#frames.redundancy;
  }

  /** Each frame from the next on carries so many of the ones before it. Changes nothing where that was not agreed. */
  useRedundancy(level: RedundancyLevel): void {
    this.#frames.useRedundancy(level);
  }

  get muted(): boolean {
    return this.#muted;
  }

  /** While muted, due frames are thrown away instead of sent; the writer's timeline goes on. */
  set muted(muted: boolean) {
    this.#muted = muted;
    if (muted) this.#outlet.discard?.();
  }

  /**
   * Queues interleaved PCM at the codec's rate. Resolves once less than 100 ms of audio waits, so awaiting it paces a file
   * like a microphone. Throws `buffer-full` when two minutes wait, `closed` after the end.
   */
  write(pcm: Int16Array): Promise<void> {
    if (this.#finished) throw new ParleyError({ code: "closed", message: "The call has ended." });
    const cap = QUEUE_SECONDS * this.#codec.format.clockRate * this.#codec.format.channels;
    if (this.#queued + pcm.length > cap) {
      throw new ParleyError({
        code: "buffer-full",
        message: `More than ${QUEUE_SECONDS} s of audio wait: await write().`,
      });
    }
    if (pcm.length > 0) {
      this.#queue.push(pcm.slice());
      this.#queued += pcm.length;
      this.#schedule();
    }
    return this.#drainedBelow((LOW_WATER_MS / this.#frameMs) * this.#frameValues);
  }

  /**
   * Ends the turn: what waits is sent, then one last frame marked end of turn, which carries the encoder's tail out.
   * Resolves when it has gone.
   */
  endTurn(): Promise<void> {
    if (this.#finished) throw new ParleyError({ code: "closed", message: "The call has ended." });
    this.#turnEnds = true;
    this.#schedule();
    return this.#drainedBelow(0);
  }

  /** Frames go on another flow from now on: the call goes on over another connection. */
  moveTo(flow: number): void {
    this.#frames.useFlow(flow);
  }

  /** What follows is sealed so: the profile changed, or the listener has another key. */
  useSeal(seal: FrameSeal): void {
    this.#frames.useSeal(seal);
    const due = this.#checkpointer.useProfile(seal.profile);
    if (due !== undefined) this.#owe(due);
  }

  /** Throws away what waits; what is written next begins a turn. Writers and `endTurn` resolve. */
  flush(): void {
    this.#outlet.discard?.();
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#queue.length = 0;
    this.#queued = 0;
    this.#headOffset = 0;
    this.#turnEnds = false;
    this.#skipped += this.#pacer?.skipped ?? 0;
    this.#pacer = undefined;
    this.#settle();
  }

  /** Throws away what waits; what follows is of media epoch `epoch`. */
  beginEpoch(epoch: number): void {
    this.flush();
    this.#sayIn(epoch);
  }

  /** The server refused the epoch that was begun here: what follows, and what waits, is of `epoch` again. */
  returnToEpoch(epoch: number): void {
    if (!this.#finished) this.#sayIn(epoch);
  }

  /** Throws away what waits and stops; signs the final checkpoint. Idempotent. */
  finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#cancelTimer?.();
    this.#queue.length = 0;
    this.#queued = 0;
    this.#owe(this.#checkpointer.finish());
    this.#settle();
    this.#codec.close();
  }

  /** Wakes the checkpointer; the call's timer runs it about once a second. */
  poll(now: number): void {
    if (this.#finished) return;
    const due = this.#checkpointer.poll(now);
    if (due !== undefined) this.#owe(due);
  }

  #sayIn(epoch: number): void {
    if (!this.#finished) this.#codec.forget?.();
    this.#epoch = epoch;
    this.#sentInEpoch = false;
    this.#frames.beginEpoch(epoch);
    const due = this.#checkpointer.beginEpoch(epoch);
    if (due !== undefined) this.#owe(due);
  }

  #owe(checkpoint: Uint8Array): void {
    this.#checkpoints += 1;
    this.#outlet.checkpoint(checkpoint);
  }

  #schedule(): void {
    if (this.#cancelTimer !== undefined) return;
    if (this.#queued < this.#frameValues && !this.#turnEnds) return;
    const now = this.#clock.now();
    if (this.#pacer === undefined || now > this.#resumeBefore) {
      this.#skipped += this.#pacer?.skipped ?? 0;
      this.#pacer = new Pacer(this.#frameMs, now);
      this.#spurtEnded = true;
    }
    this.#cancelTimer = this.#clock.at(this.#pacer.nextTimeout(), () => this.#tick());
  }

  #tick(): void {
    this.#cancelTimer = undefined;
    const pacer = this.#pacer;
    if (pacer === undefined || this.#finished) return;
    while (this.#queued >= this.#frameValues || this.#turnEnds) {
      const deadline = pacer.take(this.#clock.now());
      if (deadline === undefined) break;
      this.#sendDue(deadline);
      if (this.#pacer === undefined) break;
    }
    this.#settle();
    this.#schedule();
  }

  #sendDue(deadline: number): void {
    const closing = this.#turnEnds && this.#queued === 0;
    this.#fillFrame();
    const startOfTurn = this.#spurtEnded;
    this.#resumeBefore = deadline + (SUPPLY_GAP_FRAMES + 1) * this.#frameMs;
    this.#spurtEnded = false;
    if (closing) {
      this.#turnEnds = false;
      this.#turns += 1;
      this.#skipped += this.#pacer?.skipped ?? 0;
      this.#pacer = undefined;
    }
    if (this.#muted || !this.#permitted || this.#held || !this.#outlet.hasRoom()) return;
    const payload = this.#codec.encode(this.#frame);
    const isPause = this.#codec.isPause?.(payload) === true;
    // What begins or ends a turn says so in its frame.
    const mayPause = isPause && !closing && !startOfTurn;
    if (mayPause && this.#pausedAt !== undefined && deadline - this.#pausedAt < PAUSE_MS) {
      this.#pauses += 1;
      return;
    }
    this.#pausedAt = mayPause ? deadline : undefined;
    // A frame is complete when its last sample is: its capture time is its first sample's.
    const captured = this.#time.wallAt(deadline - this.#frameMs);
    const level = audioLevel(this.#frame);
    const frame = this.#frames.send(payload, captured, {
      startOfTurn,
      endOfTurn: closing,
      audioLevel: { level, voice: !closing && !isPause },
    });
    this.#sent += 1;
    this.#sentInEpoch = true;
    this.#bytes += frame.packet.length;
    this.#redundantBytes += frame.redundantBytes;
    const now = this.#clock.now();
    const { sequence } = frame;
    const checkpoint = this.#checkpointer.add(sequence, frame.captured, frame.digest, now);
    const fate = this.#outlet.frame(frame) ? "sent" : "unsent";
    if (fate === "unsent") this.#unsent += 1;
    this.#watch?.({ direction: "sent", stream: this.#stream, sequence, fate, level, at: now });
    if (checkpoint !== undefined) this.#owe(checkpoint);
  }

  /** The next frame of PCM, padded with silence where the turn ends inside it. */
  #fillFrame(): void {
    let filled = 0;
    while (filled < this.#frameValues) {
      const head = this.#queue[0];
      if (head === undefined) break;
      const take = Math.min(head.length - this.#headOffset, this.#frameValues - filled);
      this.#frame.set(head.subarray(this.#headOffset, this.#headOffset + take), filled);
      filled += take;
      this.#headOffset += take;
      if (this.#headOffset === head.length) {
        this.#queue.shift();
        this.#headOffset = 0;
      }
    }
    this.#frame.fill(0, filled);
    this.#queued -= filled;
  }

  #drainedBelow(values: number): Promise<void> {
    if (this.#queued <= values && !(values === 0 && this.#turnEnds)) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push({ below: values, resolve }));
  }

  #settle(): void {
    const left = this.#waiters.filter(({ below, resolve }) => {
      const waits = !this.#finished && (this.#queued > below || (below === 0 && this.#turnEnds));
      if (!waits) resolve();
      return waits;
    });
    this.#waiters = left;
  }
}
