import { findAudioFormat } from "../codecs/audio-formats.ts";
import type { OfferStream } from "./offer.ts";
import { type LimitName, parseScopes, permitsSending, type ScopeLimits, type ScopeSet } from "./scope.ts";
import { sends } from "./stream-fields.ts";
import { type StreamSetting, streamsSentBy, type Terms, type TermsStream } from "./terms.ts";
import { LEAST_VIDEO_BITS_PER_SECOND, type VideoCodec } from "./video-stream.ts";

/** What is more than a scope's cap lets its holder do. */
export interface LimitExcess {
  readonly limit: LimitName;
  readonly cap: number;
  readonly asked: number;
}

/**
 * The first cap that even the least of an offer exceeds, by what its caller would send: the number of streams, their payload with the
 * cheapest codec of each, height and frame rate of its video with the one that shows least. Data takes as much as there is to say, so it counts for
 * nothing here and is held to the cap while it flows.
 */
export function excessOfOffer(streams: readonly OfferStream[], limits: ScopeLimits): LimitExcess | undefined {
  const sent = streams.filter((stream) => sends(stream.direction));
  return excess(sent.map(leastOf), limits);
}

/**
 * The same for what a leg would send under terms. Videos of streams that are not `fresh` fit any cap that came since: who sends them keeps to it.
 */
export function excessOfTerms(
  terms: Terms,
  leg: 0 | 1,
  limits: ScopeLimits,
  isFresh: (stream: number) => boolean = () => true,
): LimitExcess | undefined {
  const taken = streamsSentBy(terms, leg).map((stream) =>
    isFresh(stream.stream) ? takenBy(stream) : { ...NOTHING, bits: takenBy(stream).bits },
  );
  return excess(taken, limits);
}

/** The first cap that what both agreed on since exceeds, of a stream that `leg` sends. */
export function excessOfSettings(
  { settings = [] }: Pick<Terms, "settings">,
  leg: 0 | 1,
  limits: ScopeLimits,
): LimitExcess | undefined {
  const names = Object.keys(LIMIT_OF_SETTING) as (keyof typeof LIMIT_OF_SETTING)[];
  for (const setting of settings.filter((each) => each.leg === leg)) {
    for (const name of names) {
      const limit = LIMIT_OF_SETTING[name];
      const [cap, asked = 0] = [limits[limit], setting[name]];
      if (cap !== undefined && asked > cap) return { limit, cap, asked };
    }
  }
  return undefined;
}

/** The cap of a scope that a setting is held to. */
export const LIMIT_OF_SETTING = {
  bitrate_bps: "bitrate-bps",
  max_height: "height",
  max_frame_rate: "frame-rate",
} as const satisfies Partial<Record<keyof StreamSetting, LimitName>>;

/** What a video may be at the most. */
export interface PictureCaps {
  /** Pixels. */
  readonly maxWidth: number;
  readonly maxHeight: number;
  /** Frames a second. */
  readonly maxFrameRate: number;
  /** Bits of payload a second; `undefined` where nothing says. */
  readonly bitrate: number | undefined;
}

/**
 * What `leg` may send of a stream of video: as the codec was taken, by what both agreed on since, and under the scope of that leg in the terms, or
 * under `limits` where less is in force.
 */
export function pictureCaps(
  { codec, stream }: Extract<TermsStream, { modality: "video" }>,
  { settings = [], legs }: Terms,
  leg: 0 | 1,
  limits: ScopeLimits = limitsOf(legs, leg),
): PictureCaps {
  const setting: Partial<StreamSetting> =
    settings.find((each) => each.leg === leg && each.stream === stream) ?? {};
  const most = (...caps: readonly (number | undefined)[]) =>
    Math.min(...caps.map((cap) => cap ?? Number.POSITIVE_INFINITY));
  const bitrate = most(setting.bitrate_bps, limits["bitrate-bps"]);
  return {
    maxWidth: codec.max_width,
    maxHeight: most(codec.max_height, setting.max_height, limits.height),
    maxFrameRate: most(codec.max_frame_rate, setting.max_frame_rate, limits["frame-rate"]),
    bitrate: Number.isFinite(bitrate) ? bitrate : undefined,
  };
}

function limitsOf(legs: Terms["legs"], leg: 0 | 1): ScopeLimits {
  const scope = parseScopes(legs.find((each) => each.leg === leg)?.scope ?? []);
  return scope.ok ? scope.value.limits : {};
}

/** The streams a leg may send under its scope: those whose modality it covers, as many as its cap allows, the lowest numbers first. */
export function permittedStreams(terms: Terms, leg: 0 | 1, scope: ScopeSet): readonly TermsStream[] {
  const covered = streamsSentBy(terms, leg).filter(({ modality }) => permitsSending(scope, modality));
  const most = scope.limits.streams ?? covered.length;
  return covered.toSorted((a, b) => a.stream - b.stream).slice(0, most);
}

/** Whether any codec known here may be sent under the cap. */
export function fitsBitrate(codec: string, limits: ScopeLimits): boolean {
  return leastBitrate(codec) <= (limits["bitrate-bps"] ?? Number.POSITIVE_INFINITY);
}

/** What a stream takes at least. */
interface Taken {
  readonly bits: number;
  readonly height: number;
  readonly frameRate: number;
}

const NOTHING: Taken = { bits: 0, height: 0, frameRate: 0 };

function leastOf(stream: OfferStream): Taken {
  switch (stream.modality) {
    case "audio":
      return { ...NOTHING, bits: Math.min(...stream.codecs.map(({ name }) => leastBitrate(name))) };
    case "video": {
      const pictures = stream.codecs.map(pictureOf);
      return {
        bits: LEAST_VIDEO_BITS_PER_SECOND,
        height: Math.min(...pictures.map(({ height }) => height)),
        frameRate: Math.min(...pictures.map(({ frameRate }) => frameRate)),
      };
    }
    case "data":
      return NOTHING;
  }
}

function takenBy(stream: TermsStream): Taken {
  switch (stream.modality) {
    case "audio":
      return { ...NOTHING, bits: leastBitrate(stream.codec.name) };
    case "video":
      return pictureOf(stream.codec);
    case "data":
      return NOTHING;
  }
}

function pictureOf({ max_height: height, max_frame_rate: frameRate }: VideoCodec): Taken {
  return { bits: LEAST_VIDEO_BITS_PER_SECOND, height, frameRate };
}

function excess(taken: readonly Taken[], limits: ScopeLimits): LimitExcess | undefined {
  const asked: readonly (readonly [LimitName, number])[] = [
    ["streams", taken.length],
    ["bitrate-bps", taken.reduce((sum, { bits }) => sum + bits, 0)],
    ["height", Math.max(0, ...taken.map(({ height }) => height))],
    ["frame-rate", Math.max(0, ...taken.map(({ frameRate }) => frameRate))],
  ];
  for (const [limit, most] of asked) {
    const cap = limits[limit];
    if (cap !== undefined && most > cap) return { limit, cap, asked: most };
  }
  return undefined;
}

/** Bits of payload a second that a codec takes at least; 0 for one that is not known here. */
function leastBitrate(codec: string): number {
  return findAudioFormat(codec)?.leastBitsPerSecond ?? 0;
}
