import type { FrameView } from "../codecs/frame.ts";
import type { VideoFormatName } from "../codecs/video-formats.ts";
import { parseVideoPayload } from "../codecs/video-payload.ts";
import type { AvSync, SkewStats } from "../sfu/av-sync.ts";
import type { FreezeMeter } from "../sfu/freeze-meter.ts";
import type { UnpackedFrames } from "../sfu/unpacking.ts";
import { KeyFrameRecord, KeyFrameRequests } from "../sfu/video-keyframes.ts";
import { type OrderedUnit, UnitOrder, type UnitOrderCounters } from "../sfu/video-order.ts";
import type { FrameIntakeCounters } from "./frame-intake.ts";
import { HeardFrames, type HeardStreamOptions } from "./heard-stream.ts";
import type { HeardVideo } from "./heard-video.ts";

export interface VideoReceiverCounters extends UnitOrderCounters, FrameIntakeCounters {
  /** Units that verified and are none of the stream's codec. */
  readonly malformed: number;
  /** Handed out after the time at which they should have been shown. */
  readonly shownLate: number;
  /** Units of profile `chain` that were not attributed in time, and whether nothing is handed out for it now. */
  readonly unattributed: number;
  readonly isStopped: boolean;
  /** Key frames asked for. */
  readonly keyFramesAsked: number;
}

interface WaitingUnit extends OrderedUnit {
  readonly captured: number;
  readonly data: Uint8Array;
  readonly width: number | undefined;
  readonly height: number | undefined;
}

export interface VideoReceiverOptions extends HeardStreamOptions {
  readonly format: VideoFormatName;
  /** 0, the best, where the video comes in one alone. */
  readonly rendition: number;
  /** Of the video: told while something of it is to come in this stream. */
  readonly freezes: FreezeMeter;
  /** Keeps what is shown in step with what is heard. Its times are those of `time`. */
  readonly sync: AvSync;
  /** Takes a unit that can be decoded. False: nobody takes it, and what needs it need not come either. */
  readonly heard: (unit: HeardVideo) => boolean;
  /** Asks the speaker for a key frame; `isRecorded`: on record, too. */
  readonly askKeyFrame: (isRecorded: boolean) => void;
  /** To the speaker and back, ms. */
  readonly roundTrip: () => number;
}

/** Why nothing of a video is to come for now: its speaker says so, or this end wants none. */
export type PictureQuiet = "muted" | "unwanted";

/** One stream of video as this end hears it: each unit is put in order, and handed out when it can be decoded. */
export class VideoReceiver extends HeardFrames {
  readonly #options: VideoReceiverOptions;
  readonly #order = new UnitOrder<WaitingUnit>();
  readonly #requests = new KeyFrameRequests();
  readonly #record = new KeyFrameRecord();
  readonly #quiet = new Set<PictureQuiet>();
  #cancelTimer: (() => void) | undefined;
  #held = false;
  #malformed = 0;
  #shownLate = 0;
  #isTransmitAllowed = true;
  /** A key frame was handed out since its speaker muted it: it goes on, and the news of that is yet to come. */
  #goesOn = false;
  #taken = 0;

  constructor(options: VideoReceiverOptions) {
    super(options);
    this.#options = options;
    this.#noteQuiet();
  }

  /** `undefined` until the first unit. */
  get counters(): VideoReceiverCounters | undefined {
    if (this.#taken === 0 && Object.keys(this.intake.counters.refused).length === 0) return undefined;
    return {
      ...this.#order.counters,
      ...this.intake.counters,
      malformed: this.#malformed,
      shownLate: this.#shownLate,
      unattributed: this.#options.attribution.unattributed,
      isStopped: this.isBroken,
      keyFramesAsked: this.#requests.asked,
    };
  }

  /** How far video and voice were apart. */
  get skew(): SkewStats {
    return this.#options.sync.skew;
  }

  /** Nothing can be decoded here until another key frame comes: asks for one, unless one is on its way. */
  requestKeyFrame(): void {
    this.#requests.want();
    this.#drive();
  }

  /** A reader took the unit. */
  shown(unit: HeardVideo): void {
    const { clock, receipts, attribution, sync, time } = this.#options;
    if (this.isFinished) return;
    receipts.heard(unit.sequence);
    attribution.played(unit.sequence, clock.now());
    sync.shown(unit.capturedAt, time.wallAt(Math.max(unit.playAt, clock.now())));
  }

  override moveTo(flow: number): void {
    super.moveTo(flow);
    this.#startOver();
    this.requestKeyFrame();
  }

  /** What waits is let go, and what comes is not handed out, until `release`: the call is suspended, or the stream held. Idempotent. */
  hold(): void {
    this.#held = true;
    this.#noteQuiet();
    this.#order.restart();
  }

  /** It goes on with the next key frame, which its speaker makes unasked. Idempotent. */
  release(): void {
    if (!this.#held) return;
    this.#held = false;
    this.#noteQuiet();
    this.#expectKeyFrame();
  }

  /** Nothing is to come for now, so nothing is asked for, or it goes on, with a key frame that comes unasked. Idempotent. */
  setQuiet(why: PictureQuiet, isQuiet: boolean): void {
    if (isQuiet === this.#quiet.has(why)) return;
    if (isQuiet) this.#quiet.add(why);
    else this.#quiet.delete(why);
    this.#noteQuiet();
    if (isQuiet) {
      this.#goesOn = false;
      this.#schedule();
      return;
    }
    this.#startOver();
    if (why === "muted" && this.#goesOn) this.#drive();
    else this.#expectKeyFrame();
  }

  override underTerms(termsNumber: number, transmitAllowed: boolean): void {
    super.underTerms(termsNumber, transmitAllowed);
    this.#isTransmitAllowed = transmitAllowed;
    this.#noteQuiet();
  }

  /** What waits of the process before is not handed out. */
  protected speakerChanged(): void {
    this.#startOver();
    this.#order.forget();
  }

  protected override left(): void {
    if (this.#options.stopsUnattributed) this.#order.restart();
  }

  protected override beforeLast(): void {
    this.#noteQuiet();
    this.#cancelTimer?.();
    super.beforeLast();
  }

  protected taken({ own }: UnpackedFrames, now: number, _held: number, { layer, needs }: FrameView): void {
    const { format, receipts, sync, time } = this.#options;
    const { sequence, captured, payload } = own;
    this.#taken += 1;
    this.#startOver();
    receipts.received(sequence);
    this.attribute(now);
    this.showPresence(now);
    const unit = parseVideoPayload(format, payload);
    if (!unit.ok) {
      this.#malformed += 1;
      this.tell("verified", sequence, now);
      return;
    }
    sync.came(captured, time.wallAt(now));
    const { key, width, height, data } = unit.value;
    const waiting = { sequence, key, layer, needs, bytes: payload.length, captured, data, width, height };
    const place = this.#held || this.isBroken ? "late" : this.#order.insert(waiting, now);
    if (place === "late") receipts.late();
    this.tell(place === "late" ? "late" : "verified", sequence, now);
    this.#drive();
  }

  get #mayAsk(): boolean {
    return !this.#held && this.#quiet.size === 0;
  }

  /** What was asked for may be heard now. */
  #startOver(): void {
    this.#requests.startOver();
    this.#record.startOver();
  }

  #expectKeyFrame(): void {
    this.#requests.expect(this.#options.clock.now());
    this.#drive();
  }

  /** Hands out what can be decoded, asks for a key frame where nothing can, and comes back when that may change. */
  #drive(): void {
    if (this.isFinished) return;
    const { clock, roundTrip, askKeyFrame } = this.#options;
    const now = clock.now();
    for (let unit = this.#order.next(now); unit !== undefined; unit = this.#order.next(now))
      this.#hand(unit, now);
    if (this.#order.isBroken) this.#requests.want();
    if (this.#mayAsk && this.#requests.poll(now, roundTrip())) askKeyFrame(this.#record.takes(now));
    this.#schedule();
  }

  #hand(unit: WaitingUnit, now: number): void {
    const { format, heard, rendition, speaker, sync, time } = this.#options;
    const wall = time.wallAt(now);
    const { captured, data, key, layer, sequence, width, height } = unit;
    if (key) {
      this.#requests.came();
      this.#goesOn = true;
    }
    const playAt = sync.playAt(captured, wall) - wall + now;
    if (captured + sync.delay(wall) < wall) this.#shownLate += 1;
    const isTaken = heard({
      ...{ data, key, layer, codec: format, width, height },
      ...{ capturedAt: captured, playAt, speaker, sequence, verified: true, rendition },
    });
    if (isTaken) return;
    this.#order.restart();
    this.#requests.want();
  }

  #noteQuiet(): void {
    const { clock, freezes } = this.#options;
    const isToCome = this.#mayAsk && this.#isTransmitAllowed && !this.isFinished;
    if (isToCome) freezes.awaits(this.stream, clock.now());
    else freezes.rests(this.stream, clock.now());
  }

  #schedule(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    const { clock, roundTrip } = this.#options;
    const request = this.#mayAsk ? this.#requests.nextTimeout(roundTrip()) : undefined;
    const due = [this.#order.nextTimeout(), request].filter((at) => at !== undefined);
    if (due.length === 0) return;
    this.#cancelTimer = clock.at(Math.max(clock.now(), Math.min(...due)), () => this.#drive());
  }
}
