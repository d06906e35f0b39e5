import type { AudioCodec } from "../codecs/audio-codec.ts";
import type { Clock } from "../codecs/clock.ts";
import type { FrameProfile } from "../codecs/frame.ts";
import type { ReceiptTotals } from "../codecs/receipt.ts";
import type { Attribution, UnattributedFrames } from "../sfu/attribution.ts";
import type { CheckpointCheck } from "../sfu/checkpoint-check.ts";
import type { ReceiptTracker } from "../sfu/receipt-tracker.ts";
import type { Relay } from "../sfu/relay.ts";
import type { UnpackedFrames } from "../sfu/unpacking.ts";
import type { AdmissionRow } from "../signaling/admission.ts";
import { AudioPlayer, type AudioPlayerCounters } from "./audio-player.ts";
import type { FrameFate, FrameWatch } from "./frame-fate.ts";
import { FrameIntake, type FrameIntakeCounters, type PacketTap } from "./frame-intake.ts";
import type { HeardAudio } from "./heard-audio.ts";
import type { PeerClock } from "./heard-row.ts";
import type { MediaTime } from "./media-time.ts";
import type { HeardKey } from "./tag-keys.ts";

export interface AudioReceiverCounters extends AudioPlayerCounters, FrameIntakeCounters {
  /** Frames among those expected that have not come: losses, until they do. */
  readonly lost: number;
  /** Frames of profile `chain` that were not attributed in time, and whether nothing is played for it now. */
  readonly unattributed: number;
  readonly isStopped: boolean;
}

/**
 * One heard stream: each frame is judged as the relay did (`FrameIntake`) and played (`AudioPlayer`); what arrived and
 * what was heard of it is signed.
 */
export class AudioReceiver {
  readonly #clock: Clock;
  readonly #time: MediaTime;
  readonly #stream: number;
  readonly #intake: FrameIntake;
  readonly #player: AudioPlayer;
  readonly #receipts: ReceiptTracker;
  readonly #receipt: (bytes: Uint8Array) => void;
  readonly #hasRoom: () => boolean;
  readonly #watch: FrameWatch | undefined;
  readonly #attribution: Attribution;
  readonly #stopsUnattributed: boolean;
  readonly #unattributed: (frames: UnattributedFrames) => void;
  #finished = false;
  #held = false;
  #epoch = 0;
  #heardInEpoch = false;
  #receiptCount = 0;
  #isPresent = false;

  constructor(options: {
    readonly clock: Clock;
    readonly time: MediaTime;
    /** A table of its own, holding `row`. */
    readonly admission: Relay;
    readonly row: AdmissionRow;
    readonly codec: AudioCodec;
    readonly receipts: ReceiptTracker;
    readonly checkpoints: CheckpointCheck;
    readonly attribution: Attribution;
    /** Whether nothing more is played while something that was is not attributed. */
    readonly stopsUnattributed: boolean;
    /** Told of frames that were not attributed in time. */
    readonly unattributed: (frames: UnattributedFrames) => void;
    readonly speaker: string;
    /** Media epoch in force in `admission`. Default 0. */
    readonly epoch?: number | undefined;
    readonly heard: (heard: HeardAudio) => void;
    /** Whether anybody hears the intervals in which nobody speaks; else they are not made. */
    readonly silenceIsHeard: () => boolean;
    /** Takes a signed receipt for the flow's reliable stream. */
    readonly receipt: (bytes: Uint8Array) => void;
    /** Whether there is room for another receipt. Default: always. */
    readonly hasRoom?: () => boolean;
    /** Must not throw. */
    readonly tap?: PacketTap | undefined;
    /** Must not throw. */
    readonly watch?: FrameWatch | undefined;
  }) {
    this.#clock = options.clock;
    this.#time = options.time;
    this.#attribution = options.attribution;
    this.#stopsUnattributed = options.stopsUnattributed;
    this.#unattributed = options.unattributed;
    this.#stream = options.row.stream;
    this.#receipts = options.receipts;
    this.#receipt = options.receipt;
    this.#hasRoom = options.hasRoom ?? (() => true);
    this.#watch = options.watch;
    this.#epoch = options.epoch ?? 0;
    this.#intake = new FrameIntake({
      ...options,
      taken: (frame, now, held) => this.#taken(frame, now, held),
      refused: (sequence, reason, now) => {
        this.#receipts.refused();
        this.#tell("refused", sequence, now, undefined, reason);
      },
    });
    this.#player = new AudioPlayer({
      ...options,
      played: (sequence) => this.#attribution.played(sequence, this.#clock.now()),
      heard: (heard) => {
        options.heard(heard);
        this.#attribute();
      },
      concealed: (sequence, at) => this.#tell("concealed", sequence, at),
      cutOff: () => this.stateHeard(),
    });
  }

  /** `undefined` until the first frame. */
  get counters(): AudioReceiverCounters | undefined {
    const played = this.#player.counters;
    if (played === undefined) return undefined;
    const taken = this.#intake.counters;
    return {
      ...played,
      ...taken,
      lost: taken.expected - played.received,
      unattributed: this.#attribution.unattributed,
      isStopped: this.#isStopped,
    };
  }

  /** What the receipts signed so far add up to. */
  get receipts(): ReceiptTotals & { readonly receipts: number } {
    return { ...this.#receipts.totals(), receipts: this.#receiptCount };
  }

  /** One datagram of this flow, valid during the call; `held` as in `FlowSink`. */
  datagram(bytes: Uint8Array, held = 0): void {
    this.#intake.datagram(bytes, held);
  }

  /** One frame that came on a stream, valid during the call. */
  item(bytes: Uint8Array): void {
    this.#intake.item(bytes);
  }

  /** One checkpoint of the speaker. */
  checkpoint(bytes: Uint8Array): void {
    this.#intake.checkpoint(bytes);
  }

  /** Frames come on another flow from now on: the call goes on over another connection, and some may be missing. */
  moveTo(flow: number): void {
    this.#intake.moveTo(flow);
    this.#attribution.forget(this.#clock.now());
  }

  /** Another process speaks from now on, with this key: what waits of the one before is not played, what plays fades out. */
  takeKey(key: HeardKey, expiresAt: number): void {
    this.#intake.takeKey(key, expiresAt);
    const unattributed = this.#attribution.changeSpeaker();
    if (unattributed !== undefined) this.#unattributed(unattributed);
    this.#player.changeSpeaker();
    this.#intake.judgeEarly();
  }

  /** Stream id. */
  get stream(): number {
    return this.#stream;
  }

  /** Media epoch in force. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Whether a frame of it has come. */
  get heardInEpoch(): boolean {
    return this.#heardInEpoch;
  }

  /** Throws away what waits to be played, fades out what is, and refuses frames of epochs below `epoch` from now on. */
  beginEpoch(epoch: number): void {
    this.#player.flush();
    this.#epoch = epoch;
    this.#heardInEpoch = false;
    this.#intake.useEpoch(epoch, false);
    // What is still to fade out is stated when it has.
    if (!this.#player.isFading) this.stateHeard();
  }

  /** Signs a receipt at once, where something was played: how far. */
  stateHeard(): void {
    if (this.#finished || !this.#hasRoom()) return;
    const now = this.#clock.now();
    if (!this.#notePosition(now)) return;
    const receipt = this.#receipts.state(now, this.#time.wallAt(now));
    if (receipt !== undefined) this.#owe(receipt);
  }

  /** The server refused the epoch that was begun here: what is said goes on in `epoch`. */
  returnToEpoch(epoch: number): void {
    this.#epoch = epoch;
    this.#intake.useEpoch(epoch, true);
  }

  /** The speaker goes by another clock from now on. */
  takeClock(clock: PeerClock): void {
    this.#intake.takeClock(clock);
    this.#player.restart();
  }

  /** What waits is thrown away and what is played fades out; what still comes is late until `release`: the call is suspended. Idempotent. */
  hold(): void {
    if (this.#held) return;
    this.#held = true;
    this.#player.flush();
  }

  /** What is played fades out, and nothing is played until `resume`, for 2 s at most; what comes is kept. Idempotent. */
  pause(): void {
    this.#player.pause();
  }

  /** Goes on where `pause` stopped. Idempotent. */
  resume(): void {
    this.#player.resume();
  }

  /** The call goes on. */
  release(): void {
    this.#held = false;
  }

  /** Whether the terms of this number let the other end send: what it may not send is not played. */
  underTerms(termsNumber: number, transmitAllowed: boolean): void {
    this.#intake.underTerms(termsNumber, transmitAllowed);
  }

  /** Frames are of this profile from now on, by the terms of this number; those on their way are of the one before. */
  useProfile(profile: FrameProfile, termsNumber: number): void {
    this.#intake.useProfile(profile, termsNumber);
  }

  /** The other end may begin to use this profile before this end is told so. */
  expectProfile(profile: FrameProfile): void {
    this.#intake.expectProfile(profile);
  }

  /** Nothing of the speaker can come until `reached`: the time in which it is to be attributed does not count. Idempotent. */
  cutOff(): void {
    this.#attribution.pause(this.#clock.now());
  }

  reached(): void {
    this.#attribution.resume(this.#clock.now());
  }

  /** Signs receipts that have fallen due. */
  poll(now: number): void {
    if (this.#finished) return;
    this.#intake.release();
    this.#attribute();
    if (!this.#hasRoom()) return;
    this.#notePosition(now);
    const due = this.#receipts.poll(now, this.#time.wallAt(now));
    if (due !== undefined) this.#owe(due);
  }

  /** Stops playing and signs the final receipt. Idempotent. */
  finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#intake.finish();
    this.#notePosition(this.#clock.now());
    for (const receipt of this.#receipts.finish(this.#time.wall())) this.#owe(receipt);
    this.#player.finish();
  }

  get #isStopped(): boolean {
    return this.#stopsUnattributed && this.#attribution.isBroken;
  }

  #attribute(): void {
    for (;;) {
      const frames = this.#attribution.poll(this.#clock.now());
      if (frames === undefined) return;
      if (this.#stopsUnattributed) this.#player.flush();
      this.#unattributed(frames);
    }
  }

  /** Whether anything was played. */
  #notePosition(now: number): boolean {
    const played = this.#player.positionAt(now);
    if (played === undefined) return false;
    const { sequence, samples, epoch, at } = played;
    this.#receipts.playedTo({ sequence, samples, epoch, time: this.#time.wallAt(at) });
    return true;
  }

  #owe(receipt: Uint8Array): void {
    this.#receiptCount += 1;
    this.#receipt(receipt);
  }

  #taken(frames: UnpackedFrames, now: number, held: number): void {
    const { level, sequence } = frames.own;
    this.#heardInEpoch = true;
    this.#receipts.received(sequence);
    this.#attribute();
    const place = this.#held || this.#isStopped ? "late" : this.#player.insert(frames, now, held);
    if (place === "late") this.#receipts.late();
    this.#tell(place === "late" ? "late" : "verified", sequence, now, level);
    this.#showPresence(now);
  }

  /** The first receipt does not wait: by it the speaker sees that its words arrive. */
  #showPresence(now: number): void {
    if (this.#isPresent || !this.#hasRoom()) return;
    this.#isPresent = true;
    const receipt = this.#receipts.state(now, this.#time.wallAt(now));
    if (receipt !== undefined) this.#owe(receipt);
  }

  #tell(
    fate: FrameFate["fate"],
    sequence: number | undefined,
    at: number,
    level?: number,
    reason?: string,
  ): void {
    this.#watch?.({
      direction: "heard",
      stream: this.#stream,
      sequence,
      fate,
      at,
      ...(level === undefined ? {} : { level }),
      ...(reason === undefined ? {} : { reason }),
    });
  }
}
