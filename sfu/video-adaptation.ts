import type { HopEstimate } from "./congestion/media-hop.ts";
import { isJammedBy } from "./jammed-way.ts";
import { SILENT_VOICES } from "./untried-way.ts";
import {
  type PictureLimits,
  pictureAt,
  VIDEO_FLOOR,
  videoRateAbove,
  videoRateWithin,
} from "./video-ladder.ts";
import type { PathEstimate } from "./voice-adaptation.ts";

/** What video is to be sent like. */
export interface VideoPlan extends PictureLimits {
  /** Bits a second, all that is around the payloads included; 0: it pauses. */
  readonly bitsPerSecond: number;
}

/** The part of what is known of a way that pictures go by. */
export type PictureEstimate = PathEstimate &
  Partial<Pick<HopEstimate, "beginning" | "limited" | "standing" | "voices">>;

/** What goes the same way and is not to give way, bits a second. */
export interface Beside {
  /** The voice, as it is agreed. */
  readonly voice: number;
  /** Data, as it is sent. */
  readonly data: number;
}

export interface VideoAdaptationOptions extends PictureLimits {
  /** Bits a second when nothing is in its way. */
  readonly most: number;
}

/** Share of what the way takes that is used. */
const USED = 0.9;
/** Below this share of what is sent nothing is waited for; above it, a lack has to last, ms. */
const FAR_TOO_MUCH = 0.85;
const LACK_MS = 150;
/** Packets that wait on the way longer than this say that it is full before the estimate does: then this share is sent, and it has so long to drain, ms. */
const FILLING_MS = 80;
const LESS_WHEN_FILLING = 0.5;
const DRAIN_MS = 1_000;
/** So much of what is sent, ms of its rate, that was to be heard of long ago stands in a queue of which nothing is known yet. */
const STANDING_MS = 60;
/** At the floor nothing is taken from pictures before the way was too thin for so long, ms: what is known of it swings as it empties. */
const THIN_MS = 2_000;
/** Packets that wait longer than this leave no room for more, ms. */
const FULL_MS = 40;
/** Room has to have been there so long before more is sent, ms; and so long after it was less, doubled each time that it was soon too much. */
const ROOM_MS = 1_000;
const ROOM_AFTER_LACK_MS = 4_000;
const LONGEST_ROOM_MS = 24_000;
/** Less that follows more within this time says that it was too early, ms. */
const SOON_MS = 5_000;
/** How much more at once. */
const RAISE = 1.3;
const FIRST_RAISE = 1.6;
/** What is sent before anything is known of the way, bits a second; and how long there has to be room for more until there is none for the first time, ms. */
const FIRST_RATE = 200_000;
const FIRST_ROOM_MS = 250;
/** Data leaves this share of the way to video, whatever it would take. */
const KEPT_FROM_DATA = 0.5;
/** For so long after video was lowered the voice is still not judged by what waits on the way: it is video that waits, ms. */
const VOICE_SPARED_MS = 3_000;
/** Nor, while there are pictures, before there was too little for them for so long, ms: what goes by at once is no thinner way. */
const BURST_MS = 1_000;

/**
 * Decides how video is sent from what is known of its way and what goes beside it: less at once, more by and by. Give it every estimate; times are
 * milliseconds of any one clock.
 */
export class VideoAdaptation {
  #options: VideoAdaptationOptions;
  #plan: VideoPlan;
  #lackSince: number | undefined;
  #roomSince: number | undefined;
  #loweredAt = Number.NEGATIVE_INFINITY;
  #raisedAt = Number.NEGATIVE_INFINITY;
  #roomWanted = FIRST_ROOM_MS;
  #isStarting = true;
  #patience = ROOM_AFTER_LACK_MS;

  /** `atMost`: it begins with the most. */
  constructor(options: VideoAdaptationOptions, atMost: boolean = false) {
    this.#options = options;
    this.#plan = this.#planAt(atMost ? options.most : videoRateWithin(FIRST_RATE, options.most));
  }

  /** How much the way takes is being found out: nothing has been too much so far. */
  get isStarting(): boolean {
    return this.#isStarting;
  }

  get plan(): VideoPlan {
    return this.#plan;
  }

  /** Streams came or went: there is more, or less, that can be sent. Where it was sent at its most it still is. */
  useMost(options: VideoAdaptationOptions): void {
    const wasMost = this.#plan.bitsPerSecond >= this.#options.most;
    this.#options = options;
    this.#plan = this.#planAt(
      wasMost ? options.most : videoRateWithin(this.#plan.bitsPerSecond, options.most),
    );
  }

  /** Takes an estimate; returns the plan where it is another one than before. */
  observe(estimate: PictureEstimate, beside: Beside, now: number): VideoPlan | undefined {
    const before = this.#plan.bitsPerSecond;
    const bitsPerSecond = this.#rate(estimate, beside, now);
    if (bitsPerSecond === before) return undefined;
    this.#plan = this.#planAt(bitsPerSecond);
    return this.#plan;
  }

  /**
   * What the voice beside it is to go by: while video has more than its floor, or had until a moment ago, the voice keeps what it has, and what waits is video's.
   */
  voiceEstimate(estimate: PathEstimate, voice: number, now: number): PathEstimate {
    const present = this.#plan.bitsPerSecond;
    const isBurst = present > 0 && now - (this.#lackSince ?? now) < BURST_MS;
    const isSpared = present > VIDEO_FLOOR || now - this.#loweredAt < VOICE_SPARED_MS || isBurst;
    if (!isSpared) return estimate;
    const { behind, bitsPerSecond } = estimate;
    return {
      ...estimate,
      bitsPerSecond: Math.max(bitsPerSecond, voice),
      behind: behind === undefined ? undefined : Math.max(behind, voice),
      queueDelay: 0,
    };
  }

  #rate(estimate: PictureEstimate, beside: Beside, now: number): number {
    const { bitsPerSecond, behind, queueDelay } = estimate;
    const present = this.#plan.bitsPerSecond;
    const own = this.#left(bitsPerSecond, { ...beside, voice: this.#voiceOn(estimate, beside.voice) });
    const usable = behind === undefined ? own : Math.min(own, this.#left(behind, beside));
    const isFilling =
      (queueDelay > FILLING_MS || this.#isStanding(estimate, beside)) && now - this.#loweredAt >= DRAIN_MS;
    if (present > 0 && (usable < present || isFilling)) {
      this.#roomSince = undefined;
      this.#lackSince ??= now;
      const isUrgent = isFilling || usable < present * FAR_TOO_MUCH;
      if (!isUrgent && now - this.#lackSince < LACK_MS) return present;
      if (present <= VIDEO_FLOOR && now - this.#lackSince < THIN_MS) return present;
      // Where no voice goes there is nothing but pictures that shows when the way is open again.
      const least = present > VIDEO_FLOOR || beside.voice === 0 ? VIDEO_FLOOR : 0;
      if (present <= least) return present;
      return this.#lowered(
        Math.max(least, isFilling ? Math.min(usable, present * LESS_WHEN_FILLING) : usable),
        now,
      );
    }
    this.#lackSince = undefined;
    const next = videoRateAbove(present, this.#options.most);
    if (next <= present || next > usable || queueDelay > FULL_MS) {
      this.#roomSince = undefined;
      return present;
    }
    this.#roomSince ??= now;
    if (now - this.#roomSince < this.#roomWanted) return present;
    this.#roomSince = now;
    if (!this.#isStarting) this.#roomWanted = ROOM_MS;
    this.#raisedAt = now;
    if (present === 0) return next;
    const raised = Math.max(
      next,
      videoRateWithin(
        Math.min(usable, present * (this.#isStarting ? FIRST_RAISE : RAISE)),
        this.#options.most,
      ),
    );
    if (raised === this.#options.most) this.#isStarting = false;
    return raised;
  }

  /** What a way leaves to pictures. At the floor all of it counts: what offers nothing never finds out that there is more. */
  #left(bitsPerSecond: number, { voice, data }: Beside): number {
    const beyondVoice = Math.max(0, bitsPerSecond * USED - voice);
    const beyondData = Math.max(0, beyondVoice - Math.min(data, beyondVoice * (1 - KEPT_FROM_DATA)));
    const isFloor = this.#plan.bitsPerSecond <= VIDEO_FLOOR && bitsPerSecond - voice >= VIDEO_FLOOR;
    return isFloor ? Math.max(VIDEO_FLOOR, beyondData) : beyondData;
  }

  /**
   * What the voice takes of its way. Where that has room to spare no more is known of it than is offered, the voice included: a silent one counts for
   * what it is, or there would never seem to be room.
   */
  #voiceOn(
    { beginning = false, limited = false, queueDelay, voices = Number.POSITIVE_INFINITY }: PictureEstimate,
    agreed: number,
  ): number {
    const isUntried = limited || (beginning && voices < SILENT_VOICES);
    return isUntried && queueDelay <= FULL_MS ? Math.min(agreed, voices) : agreed;
  }

  #lowered(usable: number, now: number): number {
    const wasTooEarly = !this.#isStarting && now - this.#raisedAt < SOON_MS;
    this.#isStarting = false;
    if (wasTooEarly) this.#patience = Math.min(LONGEST_ROOM_MS, 2 * this.#patience);
    else if (now - this.#loweredAt > SOON_MS) this.#patience = ROOM_AFTER_LACK_MS;
    this.#roomWanted = this.#patience;
    this.#loweredAt = now;
    // One raise was too early once, however often less is sent until the way is empty.
    this.#raisedAt = Number.NEGATIVE_INFINITY;
    this.#lackSince = now;
    return videoRateWithin(usable, this.#options.most);
  }

  /** Less comes out than goes in, and the reports that say so are yet to come. */
  #isStanding({ standing = 0 }: PictureEstimate, { voice, data }: Beside): boolean {
    const sent = this.#plan.bitsPerSecond + voice + data;
    return isJammedBy(standing, sent, STANDING_MS);
  }

  #planAt(bitsPerSecond: number): VideoPlan {
    return { bitsPerSecond, ...pictureAt(bitsPerSecond, this.#options) };
  }
}
