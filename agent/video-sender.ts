import type { Clock } from "../codecs/clock.ts";
import type { FrameSeal } from "../codecs/frame.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import type { VideoFormatName } from "../codecs/video-formats.ts";
import { readVideoUnit, VideoPayloadWriter } from "../codecs/video-payload.ts";
import type { SentFrame } from "../sfu/frame-sender.ts";
import { distanceTo } from "../sfu/video-chain.ts";
import { type CutReason, VideoCut } from "../sfu/video-cut.ts";
import { KeyFrameDue } from "../sfu/video-keyframes.ts";
import type { AgreedRates } from "./agreed-rates.ts";
import type { MediaTime } from "./media-time.ts";
import { type SpokenFrameCounters, SpokenFrames, type SpokenFramesOptions } from "./spoken-frames.ts";
import type { StreamPause } from "./two-way-media.ts";
import { unwrap } from "./unwrap.ts";

/** What an encoder made of one frame. */
export interface UnitToSend {
  /** One access unit, as WebCodecs encodes it: a VP8 frame, a VP9 frame, or an AV1 temporal unit. It is copied. */
  readonly data: Uint8Array;
  /** When the frame was captured, monotonic milliseconds as `performance.now()` counts them. Default: now. */
  readonly capturedAt?: number | undefined;
  /** Temporal layer, 0 to 3, of an encoder in mode L1T2 or L1T3. Default: what the unit says itself, or 0. */
  readonly layer?: number | undefined;
}

/** Where a {@link VideoSender} hands its units. */
export interface VideoOutlet {
  /** A signed unit is to go, whole or not at all; `settled` is told which it was. False: there is no connection, and it goes nowhere. */
  unit(frame: SentFrame, facts: UnitFacts, settled: (isSent: boolean) => void): boolean;
  /** A signed checkpoint for the flow's reliable stream. */
  checkpoint(bytes: Uint8Array): void;
  /** Whether there is room for another one: what cannot be stated must not be shown. */
  hasRoom(): boolean;
}

/** What becomes of a unit on its way goes by this. */
export interface UnitFacts {
  readonly key: boolean;
  readonly layer: number;
}

/** Why nothing is sent, whatever is made. */
export type VideoPause = StreamPause | "forbidden";

export interface VideoSenderCounters extends SpokenFrameCounters {
  readonly keyFrames: number;
  /** Units that were not signed: there was no rate for them, what they need was left out, nothing was to be sent, or nothing more could be stated. */
  readonly leftOut: Readonly<Record<CutReason | "paused" | "unstated", number>>;
  /** Signed ones that did not leave whole. */
  readonly lost: number;
  /** Requests for a key frame that came. */
  readonly keyFramesAsked: number;
}

/** One stream of video as this end sends it: each unit is cut to the rate, signed, listed in checkpoints and handed out. Interrupts are of voices and leave it alone. */
export class VideoSender {
  readonly #clock: Clock;
  readonly #time: MediaTime;
  readonly #format: VideoFormatName;
  readonly #payloads: VideoPayloadWriter;
  readonly #frames: SpokenFramesOptions["frames"];
  readonly #spoken: SpokenFrames;
  readonly #outlet: VideoOutlet;
  readonly #rates: AgreedRates | undefined;
  readonly #cut: VideoCut;
  readonly #keyDue = new KeyFrameDue();
  readonly #pauses = new Set<VideoPause>();
  readonly #changed: () => void;
  readonly #left = { paused: 0, unstated: 0 };
  /** Of the unit that is being signed. */
  #present: { readonly facts: UnitFacts; readonly settled: (isSent: boolean) => void } | undefined;
  #cancelTimer: (() => void) | undefined;
  #finished = false;
  #keyFrames = 0;
  #lost = 0;

  constructor(
    options: Omit<SpokenFramesOptions, "outlet" | "epoch"> & {
      readonly time: MediaTime;
      readonly format: VideoFormatName;
      /** Numbers of the first picture, random. */
      readonly first: { readonly picture: number; readonly base: number };
      /** Bits of payload a second to begin with. */
      readonly bitsPerSecond: number;
      readonly outlet: VideoOutlet;
      /** What comes from elsewhere is held to them. */
      readonly rates: AgreedRates | undefined;
      /** Told when `wantsKeyFrame` is another than before. */
      readonly changed: () => void;
    },
  ) {
    const { clock, outlet } = options;
    this.#clock = clock;
    this.#time = options.time;
    this.#format = options.format;
    this.#payloads = new VideoPayloadWriter(options.format, options.first);
    this.#frames = options.frames;
    this.#outlet = outlet;
    this.#rates = options.rates;
    this.#changed = options.changed;
    this.#cut = new VideoCut({ bitsPerSecond: options.bitsPerSecond, start: clock.now() });
    this.#spoken = new SpokenFrames({
      ...options,
      outlet: {
        frame: (frame, later) => this.#leave(frame, later),
        checkpoint: (bytes) => outlet.checkpoint(bytes),
        hasRoom: () => outlet.hasRoom(),
      },
    });
  }

  get counters(): VideoSenderCounters {
    return {
      ...this.#spoken.counters,
      keyFrames: this.#keyFrames,
      leftOut: { ...this.#cut.leftOut, ...this.#left },
      lost: this.#lost,
      keyFramesAsked: this.#keyDue.asked,
    };
  }

  /** Stream id. */
  get stream(): number {
    return this.#spoken.stream;
  }

  /** While false nothing is sent: the terms do not let this end send. */
  get permitted(): boolean {
    return !this.#pauses.has("forbidden");
  }

  set permitted(permitted: boolean) {
    if (permitted) this.goOn("forbidden");
    else this.pause("forbidden");
  }

  /** The next unit is to be a key frame: somebody needs one, and there is room. */
  get wantsKeyFrame(): boolean {
    return this.#keyDue.isDue && this.#pauses.size === 0 && this.#hasRoomForKeyFrame();
  }

  /**
   * Sends one unit, or leaves it out. Resolves when it left whole, or did not. Throws `payload-malformed` for what is no unit of the stream's
   * codec, `field-invalid` for one that is too large, `closed` after the end.
   */
  async send(unit: UnitToSend): Promise<"sent" | "dropped"> {
    if (this.#finished) throw new ParleyError({ code: "closed", message: "The stream is over." });
    const facts = unwrap(readVideoUnit(this.#format, unit.data));
    const layer = unit.layer ?? facts.layer ?? 0;
    const { key } = facts;
    const now = this.#clock.now();
    const bytes = unit.data.length;
    const wanted = this.wantsKeyFrame;
    const isKept = this.#isKept({ key, layer }, bytes, now);
    const { promise, resolve } = Promise.withResolvers<"sent" | "dropped">();
    if (isKept) this.#sign(unit, { key, layer }, now, (isSent) => resolve(isSent ? "sent" : "dropped"));
    else resolve("dropped");
    if (this.wantsKeyFrame !== wanted) this.#changed();
    return await promise;
  }

  /** The encoder, and what passes here whatever it does, keep to this rate from now on, bits of payload a second; 0: nothing is sent. */
  useRate(bitsPerSecond: number): void {
    this.#change(() => this.#cut.useRate(bitsPerSecond, this.#clock.now()));
  }

  /** The listener, or a relay, asks for a key frame; `isAnswered`: by one that is on its way there. */
  askKeyFrame(isAnswered: boolean): void {
    this.#change(() => this.#keyDue.ask(isAnswered));
  }

  /** The listener's request came on record. */
  askKeyFrameOnRecord(): void {
    this.#change(() => this.#keyDue.askOnRecord(this.#clock.now()));
  }

  /** Nothing is sent until `goOn` for the same reason. Idempotent. */
  pause(reason: VideoPause): void {
    this.#change(() => this.#pauses.add(reason));
  }

  /** It goes on with a key frame. Idempotent. */
  goOn(reason: VideoPause): void {
    if (!this.#pauses.has(reason)) return;
    this.#change(() => {
      this.#pauses.delete(reason);
      this.#begin();
    });
  }

  /** It leaves on another flow from now on, and begins with a key frame: what was on its way may be lost. */
  moveTo(flow: number): void {
    this.#spoken.moveTo(flow);
    this.#change(() => this.#begin());
  }

  /** What follows is sealed so: another profile, or another key of the listener. */
  useSeal(seal: FrameSeal): void {
    this.#spoken.useSeal(seal);
  }

  /** Another process listens from now on: it can decode nothing before a key frame. */
  beginAnew(): void {
    this.#change(() => this.#begin());
  }

  /** Signs checkpoints that have fallen due. */
  poll(now: number): void {
    if (!this.#finished) this.#spoken.poll(now);
  }

  /** Signs the final checkpoint. Idempotent. */
  finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#cancelTimer?.();
    this.#spoken.finish();
  }

  #isKept(facts: UnitFacts, bytes: number, now: number): boolean {
    if (this.#pauses.size > 0) {
      this.#left.paused += 1;
      return false;
    }
    if (!this.#spoken.hasRoom) {
      this.#left.unstated += 1;
      this.#begin();
      return false;
    }
    // Whoever needs a key frame has no use for what goes before it, and that takes the room for it.
    const isAhead = !facts.key && this.#keyDue.isDue && !this.#hasRoomForKeyFrame();
    if (isAhead) this.#cut.leaveOut(facts);
    else if (this.#cut.admit({ ...facts, bytes }, now) === "send") {
      const excess = this.#rates?.take(this.stream, bytes, true);
      if (excess === undefined) return true;
      this.#cut.leaveOut(facts, excess);
    }
    if (!this.#cut.chain.isWhole) this.#keyDue.require();
    this.#awaitRoom(now);
    return false;
  }

  #sign(unit: UnitToSend, facts: UnitFacts, now: number, settled: (isSent: boolean) => void): void {
    const { payload } = unwrap(this.#payloads.write(unit.data, unit.layer));
    const { chain } = this.#cut;
    const { key, layer } = facts;
    const needs = distanceTo(chain.needOf(facts), this.#frames.nextSequence);
    this.#present = {
      facts,
      settled: (isSent) => {
        settled(isSent);
        if (!isSent) this.#lose(facts, sequence);
      },
    };
    const captured = this.#time.wallAt(unit.capturedAt ?? now);
    const marks = { marker: true, unit: { keyFrame: key, layer, needs } };
    const sequence = this.#frames.nextSequence;
    chain.sent(facts, sequence);
    if (key) {
      this.#keyFrames += 1;
      this.#keyDue.sent(now);
    }
    this.#spoken.send(payload, captured, marks, now);
  }

  #leave(frame: SentFrame, later: (isSent: boolean) => void): boolean | "held" {
    const present = this.#present;
    this.#present = undefined;
    if (present === undefined) return false;
    const { facts, settled } = present;
    const isLeaving = this.#outlet.unit(frame, facts, (isSent) => {
      later(isSent);
      settled(isSent);
    });
    if (!isLeaving) settled(false);
    return isLeaving ? "held" : false;
  }

  /** It did not arrive whole: what needs it cannot be decoded. */
  #lose({ layer }: UnitFacts, sequence: number): void {
    this.#lost += 1;
    this.#change(() => {
      this.#cut.chain.lost({ layer, sequence });
      if (!this.#cut.chain.isWhole) this.#keyDue.require();
    });
  }

  /** The next unit that goes is a key frame. */
  #begin(): void {
    this.#cut.chain.restart();
    this.#keyDue.require();
  }

  #change(make: () => void): void {
    const wanted = this.wantsKeyFrame;
    make();
    this.#awaitRoom(this.#clock.now());
    if (this.wantsKeyFrame !== wanted) this.#changed();
  }

  #hasRoomForKeyFrame(): boolean {
    const now = this.#clock.now();
    return (this.#cut.roomForKeyFrame(now) ?? Number.POSITIVE_INFINITY) <= now;
  }

  /** A key frame that is due is asked for when there is room. */
  #awaitRoom(now: number): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    const room = this.#cut.roomForKeyFrame(now);
    if (!this.#keyDue.isDue || room === undefined || room <= now || this.#finished) return;
    this.#cancelTimer = this.#clock.at(room, () => {
      this.#cancelTimer = undefined;
      this.#changed();
    });
  }
}
