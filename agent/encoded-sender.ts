import type { AudioFormat, CodecTuning } from "../codecs/audio-codec.ts";
import type { Clock } from "../codecs/clock.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import type { AgreedRates, RateExcess } from "./agreed-rates.ts";
import { type EncodedFormat, encodedFormat, payloadTicks } from "./encoded-format.ts";
import type { MediaTime } from "./media-time.ts";
import { SourceTime } from "./source-time.ts";
import type { SpokenFrameCounters } from "./spoken-frames.ts";
import { SpokenVoice, type SpokenVoiceOptions } from "./spoken-voice.ts";
import type { StreamPause } from "./two-way-media.ts";
import { unwrap } from "./unwrap.ts";
import type { VoiceSender } from "./voice-ends.ts";
import type { WaitReason } from "./waiting-words.ts";

/** One frame that was coded elsewhere. */
export interface EncodedFrame {
  /** As RTP carries it in one packet, of the length that was agreed on. It is copied. */
  readonly payload: Uint8Array;
  /**
   * RTP timestamp that its source gave it, 32 bits: what it is apart from that of the frame before is how far apart both are signed. Default: it follows the one before, or
   * its capture time where that is more than half a frame ahead.
   */
  readonly timestamp?: number | undefined;
  /** Where its timestamp leaves a gap: what stood there was lost on its way here, and is no silence. Listeners make up for it. Default false. */
  readonly isAfterLoss?: boolean | undefined;
  /** When its first sample was captured, Unix milliseconds by this machine's clock; not in the future. Default: it ends now. */
  readonly capturedAt?: number | undefined;
  /** Level, dB below full scale: 0 loudest, 127 silence (RFC 6464), and whether it is voice. Default: none is signed. */
  readonly level?: number | undefined;
  readonly voice?: boolean | undefined;
  /** Default: the first frame, and the first after the end of a turn. */
  readonly startOfTurn?: boolean | undefined;
  readonly endOfTurn?: boolean | undefined;
}

/**
 * Why a frame was not sent: nothing is sent for now; nothing more can be stated; it is of before one that was; or it is beyond the agreed rate, or the cap of
 * this end's scope.
 */
export type EncodedDrop = "muted" | "suspended" | "forbidden" | "absent" | "unstated" | "late" | RateExcess;

export interface EncodedSenderCounters extends SpokenFrameCounters {
  readonly turns: number;
  /** Frames that were not sent, by reason. */
  readonly dropped: Readonly<Record<EncodedDrop, number>>;
}

/** How an encoder elsewhere should run, by the terms and by what the way takes. */
export type EncodedWants = Omit<CodecTuning, "dtx">;

/**
 * One spoken stream whose frames are coded elsewhere: each is signed and sent at once, since its source keeps the time. Numbers count what is signed here,
 * so that nothing reads as withheld; what its source left out, or lost, is a gap of the timestamps.
 */
export class EncodedSender extends SpokenVoice implements VoiceSender {
  readonly format: EncodedFormat;
  readonly #clock: Clock;
  readonly #time: MediaTime;
  readonly #rates: Pick<AgreedRates, "take">;
  readonly #source: SourceTime;
  readonly #pauses = new Set<StreamPause>();
  readonly #dropped = {
    ...{ muted: 0, suspended: 0, forbidden: 0, absent: 0, unstated: 0, late: 0 },
    ...{ rate: 0, limit: 0 },
  };
  readonly #wanted: (wants: EncodedWants) => void;
  readonly #isFollowed: () => boolean;
  #wants: EncodedWants = {};
  #isTurnOver = true;
  #endsTurn = false;
  /** What was said before the next frame was left out. */
  #isCut = false;
  #turns = 0;

  constructor(
    options: SpokenVoiceOptions & {
      readonly format: AudioFormat;
      readonly rates: Pick<AgreedRates, "take">;
      /** Told when `wants` is another than before. */
      readonly wants: (wants: EncodedWants) => void;
      /** Whether somebody listens to that. */
      readonly isFollowed: () => boolean;
    },
  ) {
    super(options, options.format);
    this.#clock = options.clock;
    this.#time = options.time;
    this.#wanted = options.wants;
    this.#isFollowed = options.isFollowed;
    this.#rates = options.rates;
    this.format = encodedFormat(options.format);
    this.#source = new SourceTime(this.format);
  }

  get counters(): EncodedSenderCounters {
    return { ...this.spoken.counters, turns: this.#turns, dropped: { ...this.#dropped } };
  }

  get muted(): boolean {
    return this.#pauses.has("muted");
  }

  set muted(muted: boolean) {
    if (!muted) this.#pauses.delete("muted");
    else {
      this.#pauses.add("muted");
      this.spoken.discard();
    }
  }

  get wants(): EncodedWants {
    return this.#wants;
  }

  get isFollowed(): boolean {
    return this.#isFollowed();
  }

  /**
   * Signs a frame and sends it. Throws `payload-malformed` for what is no payload of the format, `field-invalid` for one of another length than was
   * agreed on or for marks out of range, `closed` after the end.
   */
  send(frame: EncodedFrame): "sent" | EncodedDrop {
    this.requireOpen();
    this.#check(frame.payload);
    const now = this.#clock.now();
    const wall = this.#time.wallAt(now);
    const captured = Math.min(frame.capturedAt ?? wall - this.format.frameMs, wall);
    const endOfTurn = frame.endOfTurn === true || this.#endsTurn;
    const drop = this.#drop();
    if (drop !== undefined) return this.#leaveOut(drop, endOfTurn);
    const { timestamp } = frame;
    const position = timestamp === undefined ? undefined : this.#source.place(timestamp, captured);
    if (timestamp !== undefined && position === undefined) return this.#leaveOut("late", false);
    const copies = this.spoken.redundancy + 1;
    const excess = this.#rates.take(this.stream, frame.payload.length * copies);
    if (excess !== undefined) {
      this.#isCut = true;
      return this.#leaveOut(excess, endOfTurn);
    }
    const isAfterLoss = frame.isAfterLoss === true || this.#isCut;
    this.#isCut = false;
    const { level, voice = false } = frame;
    const sequence = this.spoken.send(
      frame.payload,
      captured,
      {
        startOfTurn: frame.startOfTurn ?? this.#isTurnOver,
        endOfTurn,
        position,
        isAfterLoss,
        ...(level === undefined ? {} : { audioLevel: { level, voice } }),
      },
      now,
    );
    if (this.#isTurnOver) this.said.endTurn();
    this.said.mark(sequence);
    this.said.pass(this.format.frameMs);
    this.#isTurnOver = false;
    if (endOfTurn) this.#endTurn();
    return "sent";
  }

  /** The next frame is the last of a turn. */
  endTurn(): void {
    if (!this.#isTurnOver) this.#endsTurn = true;
  }

  /** Nothing waits here; what is on its way out is not said any more, and what follows begins a turn. */
  flush(): void {
    this.spoken.discard();
    this.#isTurnOver = true;
    this.#endsTurn = false;
  }

  beginEpoch(epoch: number): void {
    this.flush();
    this.spoken.beginEpoch(epoch);
  }

  returnToEpoch(epoch: number): void {
    this.spoken.beginEpoch(epoch);
  }

  /** A source goes on whatever the other end asks: words that nobody shows to have come go out, and what it pauses it keeps. Nothing goes where nobody can be. */
  pause(reason: StreamPause | WaitReason): void {
    if (reason === "muted") this.muted = true;
    else if (reason === "suspended") {
      this.#pauses.add(reason);
      this.flush();
    } else if (reason === "detached" || reason === "peer-detached") this.#pauses.add(reason);
  }

  goOn(reason: StreamPause | WaitReason): void {
    if (reason === "suspended") this.#isTurnOver = true;
    if (reason !== "paused" && reason !== "peer-silent") this.#pauses.delete(reason);
  }

  /** What the encoder elsewhere should do: told to whoever runs it. */
  tune({ bitrate, expectedLoss }: CodecTuning): void {
    const before = this.#wants;
    const wants = {
      ...before,
      ...(bitrate === undefined ? {} : { bitrate }),
      ...(expectedLoss === undefined ? {} : { expectedLoss }),
    };
    if (wants.bitrate === before.bitrate && wants.expectedLoss === before.expectedLoss) return;
    this.#wants = wants;
    this.#wanted(wants);
  }

  talkingOver(_isHeard: boolean): void {}

  #check(payload: Uint8Array): void {
    const { name, frameTicks, frameMs } = this.format;
    if (unwrap(payloadTicks(name, payload)) === frameTicks) return;
    throw new ParleyError({
      code: "field-invalid",
      message: `Frames of this voice last ${frameMs} ms.`,
      at: "payload",
    });
  }

  #drop(): EncodedDrop | undefined {
    if (this.#pauses.has("muted")) return "muted";
    if (this.#pauses.has("suspended")) return "suspended";
    if (!this.permitted) return "forbidden";
    if (this.#pauses.size > 0) return "absent";
    return this.spoken.hasRoom ? undefined : "unstated";
  }

  #leaveOut(reason: EncodedDrop, endOfTurn: boolean): EncodedDrop {
    this.#dropped[reason] += 1;
    if (endOfTurn) this.#endTurn();
    return reason;
  }

  #endTurn(): void {
    if (!this.#isTurnOver) this.#turns += 1;
    this.#isTurnOver = true;
    this.#endsTurn = false;
  }
}
