import type { AudioCodec } from "../codecs/audio-codec.ts";
import type { Clock } from "../codecs/clock.ts";
import { frameDigest } from "../codecs/frame.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import type { ReceiptTotals } from "../codecs/receipt.ts";
import type { CheckpointCheck } from "../sfu/checkpoint-check.ts";
import type { BufferedFrame, InsertOutcome } from "../sfu/jitter-buffer.ts";
import { FADE_MS, Playout, type PlayoutCounters, type PlayoutStep } from "../sfu/playout.ts";
import type { ReceiptTracker } from "../sfu/receipt-tracker.ts";
import type { Relay } from "../sfu/relay.ts";
import type { Verdict } from "../sfu/relay-io.ts";
import type { AdmissionRow, Refusal } from "../signaling/admission.ts";
import type { MediaKey } from "../signaling/media-key.ts";
import { EarlyFrames } from "./early-frames.ts";
import type { FrameFate, FrameWatch } from "./frame-fate.ts";
import type { HeardAudio } from "./heard-audio.ts";
import { HeardRow, type PeerClock } from "./heard-row.ts";
import type { MediaTime } from "./media-time.ts";

/** Sees every verified packet of the peer as it arrived, e.g. to keep frames for `parley verify --media`. */
export type PacketTap = (packet: {
  readonly leg: number;
  readonly stream: number;
  readonly bytes: Uint8Array;
}) => void;

export interface AudioReceiverCounters extends PlayoutCounters {
  readonly verified: number;
  /** Frames from the first to the newest that verified, and those among them that have not come: losses, until they do. */
  readonly expected: number;
  readonly lost: number;
  readonly refused: Readonly<Partial<Record<Refusal, number>>>;
  /** Payloads that verified and would not decode; played as concealment. */
  readonly undecodable: number;
  /** Checkpoints of the speaker that held, and that did not; frames that verified and that a checkpoint lists otherwise. */
  readonly checkpoints: { readonly good: number; readonly bad: number; readonly contradicted: number };
}

/**
 * One heard stream: judges each frame as the relay did, de-jitters, decodes, conceals what is missing and hands PCM out one
 * frame an interval, from the first frame on.
 */
export class AudioReceiver {
  readonly #clock: Clock;
  readonly #time: MediaTime;
  readonly #admission: Relay;
  /** What of the row never changes. */
  readonly #row: AdmissionRow;
  readonly #place: HeardRow;
  /** Signed with a key that this end has yet to be told of. */
  readonly #early = new EarlyFrames();
  readonly #codec: AudioCodec;
  readonly #receipts: ReceiptTracker;
  readonly #checkpoints: CheckpointCheck;
  readonly #speaker: string;
  readonly #heard: (heard: HeardAudio) => void;
  readonly #silenceIsHeard: () => boolean;
  readonly #receipt: (bytes: Uint8Array) => void;
  readonly #hasRoom: () => boolean;
  readonly #tap: PacketTap | undefined;
  readonly #watch: FrameWatch | undefined;
  #playout: Playout | undefined;
  #start = 0;
  #timer: { readonly at: number; readonly cancel: () => void } | undefined;
  #finished = false;
  #held = false;
  #verified = 0;
  #epoch = 0;
  #heardInEpoch = false;
  /** What the decoder remembers is another speaker's: the next frame would begin with it. */
  #fadesIn = false;
  /** Of the media keys before the present one. */
  #expectedBefore = 0;
  #lowest = Number.POSITIVE_INFINITY;
  #highest = Number.NEGATIVE_INFINITY;
  #undecodable = 0;
  #receiptCount = 0;
  #goodCheckpoints = 0;
  #badCheckpoints = 0;
  #contradicted = 0;

  constructor(options: {
    readonly clock: Clock;
    readonly time: MediaTime;
    /** A table of its own, holding `row`. */
    readonly admission: Relay;
    readonly row: AdmissionRow;
    readonly codec: AudioCodec;
    readonly receipts: ReceiptTracker;
    readonly checkpoints: CheckpointCheck;
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
    this.#admission = options.admission;
    this.#row = options.row;
    this.#place = new HeardRow(options.admission, options.row);
    this.#codec = options.codec;
    this.#receipts = options.receipts;
    this.#checkpoints = options.checkpoints;
    this.#speaker = options.speaker;
    this.#epoch = options.epoch ?? 0;
    this.#heard = options.heard;
    this.#silenceIsHeard = options.silenceIsHeard;
    this.#receipt = options.receipt;
    this.#hasRoom = options.hasRoom ?? (() => true);
    this.#tap = options.tap;
    this.#watch = options.watch;
  }

  get counters(): AudioReceiverCounters | undefined {
    const playout = this.#playout?.counters();
    if (playout === undefined) return undefined;
    const flow = this.#admission.counters(this.#row.sessionId)[0];
    const expected = this.#expectedBefore + this.#span();
    return {
      ...playout,
      verified: this.#verified,
      expected,
      lost: expected - playout.received,
      refused: flow?.refused ?? {},
      undecodable: this.#undecodable,
      checkpoints: {
        good: this.#goodCheckpoints,
        bad: this.#badCheckpoints,
        contradicted: this.#contradicted,
      },
    };
  }

  /** What the receipts signed so far add up to. */
  get receipts(): ReceiptTotals & { readonly receipts: number } {
    return { ...this.#receipts.totals(), receipts: this.#receiptCount };
  }

  /** One datagram of this flow, valid during the call. */
  datagram(bytes: Uint8Array): void {
    const now = this.#clock.now();
    const { connection } = this.#row;
    // Freshness goes by the time the attachment is anchored to; validity by the date, which may be set meanwhile.
    const verdict = this.#admission.admit(connection, bytes, now, this.#time.wallAt(now), this.#clock.wall());
    this.#judged(verdict, bytes, now, "datagram");
  }

  /** One frame that came on a stream, valid during the call. */
  item(bytes: Uint8Array): void {
    const now = this.#clock.now();
    const { connection, flow } = this.#place.present;
    const time = this.#time.wallAt(now);
    const verdict = this.#admission.admitItem(connection, flow, bytes, now, time, this.#clock.wall());
    this.#judged(verdict, bytes, now, "item");
  }

  /** Frames come on another flow from now on: the call goes on over another connection, and some may be missing. */
  moveTo(flow: number): void {
    this.#place.moveTo(flow, this.#clock.now());
    this.#checkpoints.resume();
  }

  /** Another process speaks from now on, with this key: what waits of the one before is not played, what plays fades out. */
  takeKey(key: MediaKey, expiresAt: number): void {
    const now = this.#clock.now();
    this.#place.takeKey(key, expiresAt, now);
    this.#checkpoints.takeKey(key.generation, key.ed25519);
    this.#playout?.restart();
    this.#fadesIn = true;
    this.#expectedBefore += this.#span();
    this.#lowest = Number.POSITIVE_INFINITY;
    this.#highest = Number.NEGATIVE_INFINITY;
    for (const { bytes, carriage } of this.#early.take(now)) {
      if (carriage === "item") this.item(bytes);
      else this.datagram(bytes);
    }
  }

  /** Stream id. */
  get stream(): number {
    return this.#row.stream;
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
    this.#playout?.flush();
    this.#epoch = epoch;
    this.#heardInEpoch = false;
    const { connection, flow } = this.#place.present;
    this.#admission.apply({ kind: "epoch", connection, flow, epoch }, this.#clock.now());
    this.#release();
  }

  /** The server refused the epoch that was begun here: what is said goes on in `epoch`. */
  returnToEpoch(epoch: number): void {
    this.#epoch = epoch;
    const { connection, flow } = this.#place.present;
    this.#admission.apply({ kind: "epoch", connection, flow, epoch, goesBack: true }, this.#clock.now());
    this.#release();
  }

  /** The speaker goes by another clock from now on. */
  takeClock(clock: PeerClock): void {
    this.#place.takeClock(clock, this.#clock.now());
    this.#playout?.restart();
  }

  /** What waits is thrown away and what is played fades out; what still comes is late until `release`: the call is suspended. Idempotent. */
  hold(): void {
    if (this.#held) return;
    this.#held = true;
    this.#playout?.flush();
  }

  /** The call goes on. */
  release(): void {
    this.#held = false;
  }

  /** Whether the terms of this number let the other end send: what it may not send is not played. */
  underTerms(termsNumber: number, transmitAllowed: boolean): void {
    const { connection, flow } = this.#place.present;
    this.#admission.apply(
      { kind: "terms", connection, flow, termsNumber, transmitAllowed },
      this.#clock.now(),
    );
    this.#release();
  }

  /** One checkpoint of the speaker. */
  checkpoint(bytes: Uint8Array): void {
    const checked = this.#checkpoints.check(bytes);
    if (checked.ok) {
      this.#goodCheckpoints += 1;
      this.#contradicted += checked.value.contradicted.length;
    } else {
      this.#badCheckpoints += 1;
    }
  }

  /** Signs receipts that have fallen due. */
  poll(now: number): void {
    if (this.#finished) return;
    this.#release();
    if (!this.#hasRoom()) return;
    const due = this.#receipts.poll(now, this.#time.wallAt(now));
    if (due !== undefined) this.#owe(due);
  }

  /** Stops playing and signs the final receipt. Idempotent. */
  finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#timer?.cancel();
    for (const receipt of this.#receipts.finish(this.#time.wall())) this.#owe(receipt);
    this.#codec.close();
  }

  #owe(receipt: Uint8Array): void {
    this.#receiptCount += 1;
    this.#receipt(receipt);
  }

  /** Frames that waited for their media epoch. */
  #release(): void {
    const now = this.#clock.now();
    for (;;) {
      const released = this.#admission.release(now, this.#time.wallAt(now), this.#clock.wall());
      if (released === undefined) return;
      this.#judged(released.verdict, released.bytes, now, "item");
    }
  }

  /** How many numbers the frames of the present media key span. */
  #span(): number {
    return Math.max(0, this.#highest - this.#lowest + 1);
  }

  #judged(verdict: Verdict, bytes: Uint8Array, now: number, carriage: "datagram" | "item"): void {
    const { outcome } = verdict;
    if (this.#finished || outcome === "held") return;
    if (outcome === "key-generation" && this.#place.isAhead(verdict.view.keyGeneration)) {
      this.#early.add({ bytes: bytes.slice(), carriage, at: now });
      return;
    }
    if (outcome !== "admitted") {
      this.#receipts.refused();
      const sequence = verdict.sequence < 0 ? undefined : verdict.sequence;
      this.#tell("refused", sequence, now, undefined, outcome);
      return;
    }
    const { view } = verdict;
    this.#verified += 1;
    this.#heardInEpoch = true;
    this.#lowest = Math.min(this.#lowest, view.sequence);
    this.#highest = Math.max(this.#highest, view.sequence);
    this.#receipts.received(view.sequence);
    if (this.#checkpoints.note(view.sequence, frameDigest(verdict.signed), now) === "contradicted") {
      this.#contradicted += 1;
    }
    this.#tap?.({
      leg: this.#row.leg,
      stream: this.#row.stream,
      bytes: bytes.slice(view.start, view.end),
    });
    const frame = {
      sequence: view.sequence,
      timestamp: view.timestamp,
      captured: view.captureMs + (verdict.row?.clockOffset ?? 0),
      payload: view.payload(bytes).slice(),
      level: view.audioLevel,
      startOfTurn: view.startOfTurn,
      endOfTurn: view.endOfTurn,
    };
    const place = this.#held ? "late" : this.#insert(frame, now);
    if (place === "late") this.#receipts.late();
    this.#tell(place === "late" ? "late" : "verified", view.sequence, now, view.audioLevel);
    this.#schedule();
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
      stream: this.#row.stream,
      sequence,
      fate,
      at,
      ...(level === undefined ? {} : { level }),
      ...(reason === undefined ? {} : { reason }),
    });
  }

  #insert(frame: BufferedFrame, now: number): InsertOutcome | undefined {
    if (this.#playout === undefined) this.#startPlayout(now);
    return this.#playout?.insert(frame, now);
  }

  #startPlayout(now: number): void {
    const { clockRate, frameSamples } = this.#codec.format;
    this.#start = now;
    this.#playout = new Playout({ clockRate, frameSamples, start: now });
  }

  #schedule(): void {
    if (this.#playout === undefined || this.#finished) return;
    const at = this.#playout.nextTimeout();
    if (this.#timer?.at === at) return;
    this.#timer?.cancel();
    this.#timer = { at, cancel: this.#clock.at(at, () => this.#tick()) };
  }

  #tick(): void {
    this.#timer = undefined;
    const playout = this.#playout;
    if (playout === undefined || this.#finished) return;
    const now = this.#clock.now();
    for (let step = playout.poll(now); step !== undefined; step = playout.poll(now)) this.#play(step);
    this.#schedule();
  }

  #play(step: PlayoutStep): void {
    if (step.kind === "silence" && !this.#silenceIsHeard()) return;
    const { clockRate, channels } = this.#codec.format;
    const playedAt = this.#time.wallAt(step.at);
    const position = Math.round(((step.at - this.#start) * clockRate) / 1000);
    const base = { speaker: this.#speaker, playedAt, position, clockRate, channels } as const;
    if (step.kind === "silence") {
      this.#heard({
        ...base,
        kind: "silence",
        pcm: new Int16Array(step.samples * channels),
        verified: false,
      });
      return;
    }
    const pcm = step.kind === "play" ? this.#decode(step.frame.payload) : undefined;
    if (step.kind !== "play" || pcm === undefined) {
      this.#receipts.concealed();
      const concealed = this.#codec.conceal(step.kind === "conceal" ? step.next : undefined).slice();
      if (step.kind === "fade") fadeOut(concealed, channels, (FADE_MS * clockRate) / 1000);
      this.#heard({ ...base, kind: "concealed", pcm: concealed, verified: false });
      this.#tell("concealed", step.kind === "play" ? step.frame.sequence : undefined, step.at);
      return;
    }
    const { frame } = step;
    if (this.#fadesIn) fadeIn(pcm, channels, (FADE_MS * clockRate) / 1000);
    this.#fadesIn = false;
    this.#receipts.heard(frame.sequence);
    this.#heard({
      ...base,
      kind: "speech",
      pcm,
      verified: true,
      sequence: frame.sequence,
      capturedAt: frame.captured,
      level: frame.level,
      startOfTurn: frame.startOfTurn,
      endOfTurn: frame.endOfTurn,
    });
  }

  #decode(payload: Uint8Array): Int16Array | undefined {
    try {
      return this.#codec.decode(payload).slice();
    } catch (error) {
      if (!(error instanceof ParleyError)) throw error;
      this.#undecodable += 1;
      return undefined;
    }
  }
}

/** Lets interleaved PCM come up over its first `samples` a channel. */
function fadeIn(pcm: Int16Array, channels: number, samples: number): void {
  const end = Math.min(pcm.length, samples * channels);
  for (let at = 0; at < end; at += 1) {
    pcm[at] = Math.round(((pcm[at] as number) * Math.floor(at / channels)) / samples);
  }
}

/** Lets interleaved PCM die away over its first `samples` a channel; the rest is silence. */
function fadeOut(pcm: Int16Array, channels: number, samples: number): void {
  for (let at = 0; at < pcm.length; at += 1) {
    const gain = Math.max(0, 1 - Math.floor(at / channels) / samples);
    pcm[at] = Math.round((pcm[at] as number) * gain);
  }
}
