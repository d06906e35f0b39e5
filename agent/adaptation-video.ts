import type { Clock } from "../codecs/clock.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import { type PictureEstimate, VideoAdaptation } from "../sfu/video-adaptation.ts";
import {
  MOST_RATE,
  type PictureLimits,
  payloadRate,
  type RenditionPlan,
  shareAmongRenditions,
  usualVideoRate,
  VIDEO_FLOOR,
} from "../sfu/video-ladder.ts";
import type { PathEstimate } from "../sfu/voice-adaptation.ts";
import type { Terms } from "../signaling/terms.ts";
import { settingOf } from "../signaling/terms-change.ts";
import type { WantedChange, WantedSetting } from "./call-changes.ts";
import type { CallVideos } from "./call-videos.ts";
import type { VideoStream } from "./video-stream.ts";

/** How long after it could not be agreed on, a plan is asked for again at the earliest, ms. */
const ASK_AGAIN_MS = 5_000;
/**
 * Where videos have no more than so many bits a second, the ends agree on something else so long after the last time at the earliest, ms, but on less than half: what is
 * told of new terms has 10 KB, and goes the same way.
 */
const THIN_PICTURES = 200_000;
const BETWEEN_TERMS_MS = 2_000;
/** Over so long the rate of data is looked at, ms. */
const DATA_WINDOW_MS = 1_000;

/** What the terms are to say of one rendition. */
type WantedPicture = Required<Pick<WantedSetting, "stream" | "bitrate" | "maxHeight" | "maxFrameRate">>;

interface VideoAgreementOptions {
  readonly clock: Clock;
  readonly leg: 0 | 1;
  readonly videos: CallVideos;
  /** In force. */
  readonly terms: () => Terms;
  /** Bytes of data sent so far. */
  readonly dataBytes: () => number;
  /** As `Call.propose`. */
  readonly propose: (wanted: WantedChange, reason: string) => Promise<Terms>;
  /** Everything is sent that offer, answer and terms let be sent, whatever the way. */
  readonly isFixed: boolean;
  readonly isOver: () => boolean;
  readonly report: (error: unknown) => void;
}

/**
 * Keeps the videos that this end sends within what their way leaves beside voice and data: what is less is sent at once and asked for, what is more
 * is sent when the other end has agreed. One question at a time; what the plan has become meanwhile is the next one.
 */
export class VideoAgreement {
  readonly #options: VideoAgreementOptions;
  #adaptation: VideoAdaptation | undefined;
  #isAsking = false;
  #notBefore = Number.NEGATIVE_INFINITY;
  #agreedAt = Number.NEGATIVE_INFINITY;
  #data = { at: Number.NEGATIVE_INFINITY, bytes: 0, bitsPerSecond: 0 };

  constructor(options: VideoAgreementOptions) {
    this.#options = options;
    options.videos.onChange(() => this.#streamsChanged());
    this.#streamsChanged();
  }

  /** Takes what is known of the way now, and what the voice takes of it, bits a second; returns what the voice is to go by. */
  observe(estimate: PictureEstimate, voice: number): PathEstimate {
    const { clock, report } = this.#options;
    const adaptation = this.#adaptation;
    if (adaptation === undefined) return estimate;
    const now = clock.now();
    const plan = adaptation.observe(estimate, { voice, data: this.#dataRate(now) }, now);
    if (plan !== undefined) this.#apply();
    // Until something is too much nothing needs to be agreed: offer and answer let everything be sent.
    const isToAgree = (plan !== undefined && !adaptation.isStarting) || this.#isDue(now);
    if (isToAgree) void this.#agree().catch(report);
    return adaptation.voiceEstimate(estimate, voice, now);
  }

  /** Other terms are in force. */
  underTerms(): void {
    this.#apply();
  }

  #streamsChanged(): void {
    const limits = this.#pictures.map((picture) => this.#most(picture));
    if (limits.length === 0) {
      this.#adaptation = undefined;
      return;
    }
    const options = {
      most: limits.reduce((sum, { most }) => sum + most, 0),
      maxHeight: Math.max(...limits.map(({ maxHeight }) => maxHeight)),
      maxFrameRate: Math.max(...limits.map(({ maxFrameRate }) => maxFrameRate)),
    };
    if (this.#adaptation === undefined)
      this.#adaptation = new VideoAdaptation(options, this.#options.isFixed);
    else this.#adaptation.useMost(options);
    this.#apply();
  }

  /** Those that this end sends. */
  get #pictures(): readonly VideoStream[] {
    return this.#options.videos.streams.filter(({ sentParts }) => sentParts.length > 0);
  }

  /** What a video is to be when nothing is in its way. */
  #most(picture: VideoStream): PictureLimits & { readonly most: number } {
    const limits = picture.sentParts.map(({ limits: { width, height, frameRate } }) => ({
      most: usualVideoRate({ width, height, frameRate }),
      maxHeight: height,
      maxFrameRate: frameRate,
    }));
    return {
      most: limits.reduce((sum, { most }) => sum + most, 0),
      maxHeight: Math.max(...limits.map(({ maxHeight }) => maxHeight)),
      maxFrameRate: Math.max(...limits.map(({ maxFrameRate }) => maxFrameRate)),
    };
  }

  /** What each rendition of a video is to be, on the way: each video has its share by what it would take at its most. */
  #planOf(picture: VideoStream): readonly RenditionPlan[] {
    const { bitsPerSecond = 0 } = this.#adaptation?.plan ?? {};
    const all = this.#pictures.reduce((sum, one) => sum + this.#most(one).most, 0);
    const { most, ...limits } = this.#most(picture);
    const share = all === 0 ? 0 : Math.min(most, Math.round((bitsPerSecond * most) / all));
    const plans = shareAmongRenditions(share, picture.sentParts.length, limits);
    if (!picture.keepsSize) return plans;
    return plans.map((plan, at) => ({
      ...plan,
      maxHeight: picture.sentParts[at]?.limits.height ?? plan.maxHeight,
    }));
  }

  /** What is less than agreed holds at once, what is more once it is agreed. */
  #apply(): void {
    const { leg, terms } = this.#options;
    for (const picture of this.#pictures) {
      const plans = this.#planOf(picture);
      const present = picture.sentParts.map(({ sender, rendition, stream, limits }, index) => {
        const plan = plans[index];
        const agreed = settingOf(terms(), leg, stream);
        const maxHeight = Math.min(plan?.maxHeight ?? 0, agreed?.max_height ?? limits.height);
        const maxFrameRate = Math.min(plan?.maxFrameRate ?? 0, agreed?.max_frame_rate ?? limits.frameRate);
        const wanted = plan === undefined ? 0 : payloadRate(plan.bitsPerSecond, maxFrameRate);
        const bitsPerSecond = Math.min(wanted, agreed?.bitrate_bps ?? wanted);
        // Where nothing is in its way an encoder may take what it needs: the usual rate is no bound.
        const isFree = this.#isMost() && agreed?.bitrate_bps === undefined;
        sender.useRate(isFree ? MOST_RATE : bitsPerSecond);
        return { rendition, bitsPerSecond, maxHeight, maxFrameRate };
      });
      picture.plan(present);
    }
  }

  /** What the terms are to say of every stream; what pauses may have the least. */
  #wanted(): readonly WantedPicture[] {
    return this.#pictures.flatMap((picture) => {
      const plans = this.#planOf(picture);
      return picture.sentParts.flatMap(({ stream }, index) => {
        const plan = plans[index];
        if (plan === undefined) return [];
        const { maxHeight, maxFrameRate } = plan;
        const bitrate = payloadRate(Math.max(plan.bitsPerSecond, VIDEO_FLOOR), maxFrameRate);
        return [{ stream, bitrate, maxHeight, maxFrameRate }];
      });
    });
  }

  #isDue(now: number): boolean {
    return this.#notBefore !== Number.NEGATIVE_INFINITY && now >= this.#notBefore;
  }

  async #agree(): Promise<void> {
    if (this.#isAsking) return;
    const { clock, propose, isOver } = this.#options;
    const streams = this.#other();
    this.#notBefore = Number.NEGATIVE_INFINITY;
    if (streams.length === 0 || isOver()) return;
    if (clock.now() - this.#agreedAt < BETWEEN_TERMS_MS && this.#isSmall(streams)) {
      this.#notBefore = this.#agreedAt + BETWEEN_TERMS_MS;
      return;
    }
    this.#isAsking = true;
    try {
      await propose({ streams }, this.#isLess(streams) ? "bandwidth" : "recovered");
      this.#agreedAt = clock.now();
      // What the plan has become meanwhile is due with the next estimate.
      this.#notBefore = this.#agreedAt;
    } catch (error) {
      if (!(error instanceof ParleyError)) throw error;
      this.#notBefore = clock.now() + ASK_AGAIN_MS;
    } finally {
      this.#isAsking = false;
    }
  }

  /** Those of which something else is wanted than is agreed. */
  #other(): readonly WantedPicture[] {
    return this.#wanted().filter(({ stream, bitrate, maxHeight, maxFrameRate }) => {
      const agreed = settingOf(this.#options.terms(), this.#options.leg, stream);
      return (
        (agreed?.bitrate_bps ?? bitrate) !== bitrate ||
        (agreed?.max_height ?? maxHeight) !== maxHeight ||
        (agreed?.max_frame_rate ?? maxFrameRate) !== maxFrameRate ||
        (agreed === undefined && !this.#isMost())
      );
    });
  }

  /** Everything is sent that offer and answer let be sent. */
  #isMost(): boolean {
    const most = this.#pictures.reduce((sum, picture) => sum + this.#most(picture).most, 0);
    return (this.#adaptation?.plan.bitsPerSecond ?? most) >= most;
  }

  /** Little is won by agreeing on it at once. */
  #isSmall(streams: readonly WantedPicture[]): boolean {
    const { leg, terms } = this.#options;
    if ((this.#adaptation?.plan.bitsPerSecond ?? 0) > THIN_PICTURES) return false;
    return streams.every(
      ({ stream, bitrate }) => bitrate >= (settingOf(terms(), leg, stream)?.bitrate_bps ?? bitrate) / 2,
    );
  }

  #isLess(streams: readonly WantedPicture[]): boolean {
    const { leg, terms } = this.#options;
    return streams.some(({ stream, bitrate }) => {
      const agreed = settingOf(terms(), leg, stream)?.bitrate_bps;
      return agreed === undefined || bitrate < agreed;
    });
  }

  /** Bits of data a second, lately. */
  #dataRate(now: number): number {
    const bytes = this.#options.dataBytes();
    const passed = now - this.#data.at;
    if (passed < DATA_WINDOW_MS) return this.#data.bitsPerSecond;
    const bitsPerSecond = Number.isFinite(passed) ? ((bytes - this.#data.bytes) * 8_000) / passed : 0;
    this.#data = { at: now, bytes, bitsPerSecond };
    return bitsPerSecond;
  }
}
