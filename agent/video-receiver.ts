import type { Clock } from "../codecs/clock.ts";
import type { FrameProfile, FrameView } from "../codecs/frame.ts";
import type { ReceiptTotals } from "../codecs/receipt.ts";
import type { VideoFormatName } from "../codecs/video-formats.ts";
import { parseVideoPayload } from "../codecs/video-payload.ts";
import type { Attribution, UnattributedFrames } from "../sfu/attribution.ts";
import type { AvSync, SkewStats } from "../sfu/av-sync.ts";
import type { FreezeMeter } from "../sfu/freeze-meter.ts";
import type { ReceiptTracker } from "../sfu/receipt-tracker.ts";
import type { UnpackedFrames } from "../sfu/unpacking.ts";
import { KeyFrameRecord, KeyFrameRequests } from "../sfu/video-keyframes.ts";
import { type OrderedUnit, UnitOrder, type UnitOrderCounters } from "../sfu/video-order.ts";
import type { FrameFate, FrameWatch } from "./frame-fate.ts";
import { FrameIntake, type FrameIntakeCounters, type FrameIntakeOptions } from "./frame-intake.ts";
import type { PeerClock } from "./heard-row.ts";
import type { HeardVideo } from "./heard-video.ts";
import type { MediaTime } from "./media-time.ts";
import type { HeardKey } from "./tag-keys.ts";

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

export interface VideoReceiverOptions extends Omit<FrameIntakeOptions, "taken" | "refused"> {
  readonly clock: Clock;
  readonly time: MediaTime;
  readonly format: VideoFormatName;
  /** 0, the best, where the picture comes in one alone. */
  readonly rendition: number;
  readonly receipts: ReceiptTracker;
  /** Of the picture: told while something of it is to come in this stream. */
  readonly freezes: FreezeMeter;
  readonly attribution: Attribution;
  /** Whether nothing more is handed out while something that was is not attributed. */
  readonly stopsUnattributed: boolean;
  readonly unattributed: (frames: UnattributedFrames) => void;
  readonly speaker: string;
  /** Keeps what is shown in step with what is heard. Its times are those of `time`. */
  readonly sync: AvSync;
  /** Takes a unit that can be decoded. False: nobody takes it, and what needs it need not come either. */
  readonly heard: (unit: HeardVideo) => boolean;
  /** Asks the speaker for a key frame; `isRecorded`: on record, too. */
  readonly askKeyFrame: (isRecorded: boolean) => void;
  /** To the speaker and back, ms, as far as it is known. */
  readonly roundTrip: () => number;
  /** Takes a signed receipt for the flow's reliable stream. */
  readonly receipt: (bytes: Uint8Array) => void;
  readonly hasRoom: () => boolean;
  readonly watch: FrameWatch;
}

/** Why nothing of a picture is to come for now: its speaker says so, or this end wants none. */
export type PictureQuiet = "muted" | "unwanted";

/** One stream of video as this end hears it: each unit is judged as the relay did, put in order, and handed out when it can be decoded; receipts say what came. */
export class VideoReceiver {
  readonly #options: VideoReceiverOptions;
  readonly #intake: FrameIntake;
  readonly #order = new UnitOrder<WaitingUnit>();
  readonly #requests = new KeyFrameRequests();
  readonly #record = new KeyFrameRecord();
  readonly #quiet = new Set<PictureQuiet>();
  #cancelTimer: (() => void) | undefined;
  #held = false;
  #finished = false;
  #isPresent = false;
  #receiptCount = 0;
  #malformed = 0;
  #shownLate = 0;
  #isTransmitAllowed = true;
  #taken = 0;

  constructor(options: VideoReceiverOptions) {
    this.#options = options;
    this.#intake = new FrameIntake({
      ...options,
      taken: (frames, now, _, view) => this.#insert(frames, view, now),
      refused: (sequence, reason, now) => {
        options.receipts.refused();
        this.#tell("refused", sequence, now, reason);
      },
    });
    this.#noteQuiet();
  }

  /** `undefined` until the first unit. */
  get counters(): VideoReceiverCounters | undefined {
    if (this.#taken === 0 && Object.keys(this.#intake.counters.refused).length === 0) return undefined;
    return {
      ...this.#order.counters,
      ...this.#intake.counters,
      malformed: this.#malformed,
      shownLate: this.#shownLate,
      unattributed: this.#options.attribution.unattributed,
      isStopped: this.#isStopped,
      keyFramesAsked: this.#requests.asked,
    };
  }

  /** How far pictures and voice were apart. */
  get skew(): SkewStats {
    return this.#options.sync.skew;
  }

  /** What the receipts signed so far add up to. */
  get receipts(): ReceiptTotals & { readonly receipts: number } {
    return { ...this.#options.receipts.totals(), receipts: this.#receiptCount };
  }

  /** Stream id. */
  get stream(): number {
    return this.#options.row.stream;
  }

  /** One whole unit, valid during the call. */
  item(bytes: Uint8Array): void {
    this.#intake.item(bytes);
  }

  /** One datagram of this flow, valid during the call: the relay takes no video in one, and neither does this end. */
  datagram(bytes: Uint8Array, held = 0): void {
    this.#intake.datagram(bytes, held);
  }

  /** One checkpoint of the speaker. */
  checkpoint(bytes: Uint8Array): void {
    this.#intake.checkpoint(bytes);
  }

  /** Nothing can be decoded here until another key frame comes: asks for one, unless one is on its way. */
  requestKeyFrame(): void {
    this.#requests.want();
    this.#drive();
  }

  /** A reader took the unit. */
  shown(unit: HeardVideo): void {
    const { clock, receipts, attribution, sync, time } = this.#options;
    if (this.#finished) return;
    receipts.heard(unit.sequence);
    attribution.played(unit.sequence, clock.now());
    sync.shown(unit.capturedAt, time.wallAt(Math.max(unit.playAt, clock.now())));
  }

  /** Units come on another flow from now on: the call goes on over another connection, and some may be missing. */
  moveTo(flow: number): void {
    this.#intake.moveTo(flow);
    this.#options.attribution.forget(this.#options.clock.now());
    this.#startOver();
    this.requestKeyFrame();
  }

  /** Another process speaks from now on, with this key. */
  takeKey(key: HeardKey, expiresAt: number): void {
    this.#intake.takeKey(key, expiresAt);
    const unattributed = this.#options.attribution.changeSpeaker();
    if (unattributed !== undefined) this.#options.unattributed(unattributed);
    this.#startOver();
    this.#order.forget();
    this.#intake.judgeEarly();
  }

  /** The speaker goes by another clock from now on. */
  takeClock(clock: PeerClock): void {
    this.#intake.takeClock(clock);
  }

  /** What waits is let go, and what comes is not handed out, until `release`: the call is suspended, or the stream held. Idempotent. */
  hold(): void {
    this.#held = true;
    this.#noteQuiet();
    this.#order.restart();
  }

  /** It goes on with the next key frame, which is asked for. Idempotent. */
  release(): void {
    if (!this.#held) return;
    this.#held = false;
    this.#noteQuiet();
    this.requestKeyFrame();
  }

  /** Nothing is to come for now, so nothing is asked for, or it goes on, with a key frame. Idempotent. */
  setQuiet(why: PictureQuiet, isQuiet: boolean): void {
    if (isQuiet === this.#quiet.has(why)) return;
    if (isQuiet) this.#quiet.add(why);
    else this.#quiet.delete(why);
    this.#noteQuiet();
    if (isQuiet) {
      this.#schedule();
      return;
    }
    this.#startOver();
    this.requestKeyFrame();
  }

  underTerms(termsNumber: number, transmitAllowed: boolean): void {
    this.#intake.underTerms(termsNumber, transmitAllowed);
    this.#isTransmitAllowed = transmitAllowed;
    this.#noteQuiet();
  }

  useProfile(profile: FrameProfile, termsNumber: number): void {
    this.#intake.useProfile(profile, termsNumber);
  }

  expectProfile(profile: FrameProfile): void {
    this.#intake.expectProfile(profile);
  }

  /** Nothing of the speaker can come until `reached`: the time in which it is to be attributed does not count. Idempotent. */
  cutOff(): void {
    this.#options.attribution.pause(this.#options.clock.now());
  }

  reached(): void {
    this.#options.attribution.resume(this.#options.clock.now());
  }

  /** Signs receipts that have fallen due. */
  poll(now: number): void {
    if (this.#finished) return;
    const { hasRoom, receipts, time } = this.#options;
    this.#attribute();
    if (!hasRoom()) return;
    const due = receipts.poll(now, time.wallAt(now));
    if (due !== undefined) this.#owe(due);
  }

  /** Hands nothing out any more and signs the final receipt. Idempotent. */
  finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#noteQuiet();
    this.#cancelTimer?.();
    this.#intake.finish();
    for (const receipt of this.#options.receipts.finish(this.#options.time.wall())) this.#owe(receipt);
  }

  get #mayAsk(): boolean {
    return !this.#held && this.#quiet.size === 0;
  }

  /** What was asked for may be heard now. */
  #startOver(): void {
    this.#requests.startOver();
    this.#record.startOver();
  }

  get #isStopped(): boolean {
    return this.#options.stopsUnattributed && this.#options.attribution.isBroken;
  }

  #insert({ own }: UnpackedFrames, { layer, needs }: FrameView, now: number): void {
    const { format, receipts, sync, time } = this.#options;
    const { sequence, captured, payload } = own;
    this.#taken += 1;
    this.#startOver();
    receipts.received(sequence);
    this.#attribute();
    this.#showPresence(now);
    const unit = parseVideoPayload(format, payload);
    if (!unit.ok) {
      this.#malformed += 1;
      this.#tell("verified", sequence, now);
      return;
    }
    sync.came(captured, time.wallAt(now));
    const { key, width, height, data } = unit.value;
    const waiting = { sequence, key, layer, needs, bytes: payload.length, captured, data, width, height };
    const place = this.#held || this.#isStopped ? "late" : this.#order.insert(waiting, now);
    if (place === "late") receipts.late();
    this.#tell(place === "late" ? "late" : "verified", sequence, now);
    this.#drive();
  }

  /** Hands out what can be decoded, asks for a key frame where nothing can, and comes back when that may change. */
  #drive(): void {
    if (this.#finished) return;
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
    if (key) this.#requests.came();
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
    const isToCome = this.#mayAsk && this.#isTransmitAllowed && !this.#finished;
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

  #attribute(): void {
    const { attribution, clock, stopsUnattributed, unattributed } = this.#options;
    for (;;) {
      const frames = attribution.poll(clock.now());
      if (frames === undefined) return;
      if (stopsUnattributed) this.#order.restart();
      unattributed(frames);
    }
  }

  /** The first receipt does not wait: by it the speaker sees that its picture arrives. */
  #showPresence(now: number): void {
    const { hasRoom, receipts, time } = this.#options;
    if (this.#isPresent || !hasRoom()) return;
    this.#isPresent = true;
    const receipt = receipts.state(now, time.wallAt(now));
    if (receipt !== undefined) this.#owe(receipt);
  }

  #owe(receipt: Uint8Array): void {
    this.#receiptCount += 1;
    this.#options.receipt(receipt);
  }

  #tell(fate: FrameFate["fate"], sequence: number | undefined, at: number, reason?: string): void {
    const { stream } = this;
    const told = { direction: "heard", stream, sequence, fate, at } as const;
    this.#options.watch(reason === undefined ? told : { ...told, reason });
  }
}
