import { ok, type Result, refuse } from "../codecs/result.ts";
import type { AnswerStream } from "./answer.ts";
import {
  type AudioCapabilities,
  answerAudio,
  isForbiddenAudio,
  type ProposedCodec,
  proposedCodecs,
} from "./negotiate-audio.ts";
import { answerData, type DataCapabilities } from "./negotiate-data.ts";
import {
  answerVideo,
  isForbiddenVideo,
  type ProposedVideoCodec,
  proposedVideoCodecs,
  type VideoCapabilities,
} from "./negotiate-video.ts";
import type { OfferPayload, OfferStream } from "./offer.ts";
import { type Modality, parseScopes, type ScopeLimits } from "./scope.ts";
import { integer, list, object, oneOf, optional, type Shape } from "./shape.ts";
import {
  answeringDirection,
  CHANNELS,
  CLOCK_RATE,
  CODEC_NAME,
  DIRECTION,
  type Direction,
  directionsOf,
  FRAME_MS,
  PROFILE,
  type Profile,
} from "./stream-fields.ts";
import { clashIn } from "./stream-pairs.ts";
import { FRAME_RATE, PIXELS } from "./video-stream.ts";

/** What an end can and may do. A modality that is absent is not taken. */
export interface Capabilities {
  readonly profiles: readonly Profile[];
  readonly audio?: AudioCapabilities | undefined;
  readonly video?: VideoCapabilities | undefined;
  readonly data?: DataCapabilities | undefined;
  /** Caps of the scope that this end answers under. Absent: none. */
  readonly limits?: ScopeLimits | undefined;
}

/** What an answer takes of an offer. */
export interface Choice {
  readonly profile: Profile;
  readonly streams: readonly AnswerStream[];
}

/** Why no common ground was found (`spec/agtp.md` 3.3), in `details.reason`. */
export type RejectionReason = "composition-impossible" | "policy-refused" | "ambiguous";

/**
 * Chooses what to answer to an offer: each stream by the rules of its modality, and the first profile both ends have. Streams
 * without common ground are left out. `ssrcOf` gives the SSRC that the answering end sends a stream with.
 *
 * Faults: `proposal-rejected` with `details.reason`, `details.explanation` and `details.counter_proposal` when nothing
 * is left, or when the offer contradicts itself.
 */
export function negotiate(
  offer: Pick<OfferPayload, "streams" | "profiles"> & Partial<Pick<OfferPayload, "scope">>,
  local: Capabilities,
  ssrcOf: (stream: number) => number,
): Result<Choice> {
  const clash = clashIn(offer.streams);
  if (clash !== undefined) return reject("ambiguous", clash.message, local);
  const scope = parseScopes(offer.scope ?? [], "offer.scope");
  if (!scope.ok) return scope;
  const profile = offer.profiles.find((candidate) => local.profiles.includes(candidate));
  if (profile === undefined)
    return reject("composition-impossible", "No attribution profile in common.", local);
  const streams = answerStreams(offer.streams, scope.value.limits, local, ssrcOf);
  if (streams.length > 0) return ok({ profile, streams });
  const known = offer.streams.filter((stream) => local[stream.modality] !== undefined);
  if (known.length === 0) return reject("composition-impossible", "No modality in common.", local);
  if (known.every((stream) => !canFlow(stream, local))) {
    return reject("composition-impossible", "No stream flows in a direction that is possible here.", local);
  }
  return known.some((stream) => isForbidden(stream, local))
    ? reject("policy-refused", "The only codecs in common are not allowed here.", local)
    : reject(
        "composition-impossible",
        "No format in common: codec, sample rate, channels and frame size of audio, codec of video, format of data.",
        local,
      );
}

/** What the headers of an ESTABLISH say about its offer; absent ones say nothing. */
export interface OfferHeaders {
  /** Communication-Modalities; `structured-data` reads as `data`. */
  readonly modalities?: readonly string[] | undefined;
  /** Audio-Codecs, in order of preference. */
  readonly audioCodecs?: readonly string[] | undefined;
  /** Video-Codecs, in order of preference. */
  readonly videoCodecs?: readonly string[] | undefined;
  /** Data-Formats, in order of preference. */
  readonly dataFormats?: readonly string[] | undefined;
}

/** What the headers of an ESTABLISH say of these streams. */
export function offerHeaders(streams: readonly OfferStream[]): Record<keyof OfferHeaders, readonly string[]> {
  return {
    modalities: distinct(streams.map((stream) => stream.modality)),
    audioCodecs: codecNames(streams, "audio"),
    videoCodecs: codecNames(streams, "video"),
    dataFormats: distinct(
      streams.flatMap((stream) => (stream.modality === "data" ? stream.formats.map(({ name }) => name) : [])),
    ),
  };
}

/**
 * Headers must say what the offer says: the same modalities, the same codecs and formats in the same order. Faults:
 * `proposal-rejected` with reason `ambiguous`.
 */
export function checkOfferHeaders(
  offer: Pick<OfferPayload, "streams">,
  headers: OfferHeaders,
  local: Capabilities,
): Result<undefined> {
  const expected = offerHeaders(offer.streams);
  const modalities = headers.modalities?.map((name) => (name === "structured-data" ? "data" : name));
  const checks = [
    ["Communication-Modalities", modalities?.sort(), [...expected.modalities].sort()],
    ["Audio-Codecs", headers.audioCodecs, expected.audioCodecs],
    ["Video-Codecs", headers.videoCodecs, expected.videoCodecs],
    ["Data-Formats", headers.dataFormats, expected.dataFormats],
  ] as const;
  for (const [name, said, offered] of checks) {
    if (said === undefined || sameList(distinct(said), offered)) continue;
    return reject("ambiguous", `${name} differs from the offer.`, local);
  }
  return ok(undefined);
}

/** What an end would take instead, in the form of an offer's members: `details.counter_proposal`. */
export type CounterProposal = {
  readonly modalities?: readonly Modality[];
  readonly profiles?: readonly Profile[];
  /** Of audio. */
  readonly directions?: readonly Direction[];
  readonly codecs: readonly ProposedCodec[];
  readonly video_directions?: readonly Direction[];
  readonly video_codecs?: readonly ProposedVideoCodec[];
  readonly data_directions?: readonly Direction[];
  readonly data_formats?: readonly string[];
  /** Caps of the scope that what was proposed exceeds. */
  readonly limits?: ScopeLimits;
};

const CAP = integer(0, Number.MAX_SAFE_INTEGER);

/** Form of a {@link CounterProposal}, with room for every codec there is; whoever passes one on bounds its bytes besides. */
export const COUNTER_PROPOSAL: Shape<CounterProposal> = object<CounterProposal>({
  modalities: optional(list(oneOf("audio", "video", "data"), { max: 3 })),
  profiles: optional(list(PROFILE, { max: 2 })),
  directions: optional(list(DIRECTION, { max: 3 })),
  codecs: list(
    object<ProposedCodec>({
      name: CODEC_NAME,
      clock_rate: CLOCK_RATE,
      channels: CHANNELS,
      frame_ms: list(FRAME_MS, { max: 16 }),
    }),
    { max: 32 },
  ),
  video_directions: optional(list(DIRECTION, { max: 3 })),
  video_codecs: optional(
    list(
      object<ProposedVideoCodec>({
        name: CODEC_NAME,
        max_width: PIXELS,
        max_height: PIXELS,
        max_frame_rate: FRAME_RATE,
      }),
      { max: 8 },
    ),
  ),
  data_directions: optional(list(DIRECTION, { max: 3 })),
  data_formats: optional(list(CODEC_NAME, { max: 8 })),
  limits: optional(
    object<ScopeLimits>({
      "bitrate-bps": optional(CAP),
      "duration-s": optional(CAP),
      streams: optional(CAP),
      "frame-rate": optional(CAP),
      height: optional(CAP),
    }),
  ),
});

/** What `local` says it would take. */
export function counterProposal(local: Capabilities): CounterProposal {
  const { audio, video, data, profiles } = local;
  return {
    modalities: (["audio", "video", "data"] as const).filter((modality) => local[modality] !== undefined),
    profiles,
    ...(audio === undefined ? {} : { directions: directionsOf(audio) }),
    codecs: audio === undefined ? [] : proposedCodecs(audio),
    ...(video === undefined
      ? {}
      : { video_directions: directionsOf(video), video_codecs: proposedVideoCodecs(video) }),
    ...(data === undefined ? {} : { data_directions: directionsOf(data), data_formats: data.formats }),
  };
}

function answerStreams(
  offered: readonly OfferStream[],
  offerer: ScopeLimits,
  local: Capabilities,
  ssrcOf: (stream: number) => number,
): AnswerStream[] {
  const { audio, video, data, limits: answerer = {} } = local;
  const pictures = offered.filter((stream) => stream.modality === "video");
  const shown = video && answerVideo(pictures, video, { offerer, answerer }, ssrcOf);
  return offered.flatMap((stream) => {
    const answered =
      stream.modality === "audio"
        ? audio && answerAudio(stream, audio, ssrcOf(stream.stream))
        : stream.modality === "video"
          ? shown?.get(stream.stream)
          : data && answerData(stream, data, ssrcOf(stream.stream));
    return answered === undefined ? [] : [answered];
  });
}

function codecNames(streams: readonly OfferStream[], modality: "audio" | "video"): string[] {
  return distinct(
    streams.flatMap((stream) => (stream.modality === modality ? stream.codecs.map(({ name }) => name) : [])),
  );
}

function canFlow(offered: OfferStream, local: Capabilities): boolean {
  const capable = local[offered.modality];
  return capable !== undefined && answeringDirection(offered.direction, capable) !== undefined;
}

function isForbidden(offered: OfferStream, { audio, video }: Capabilities): boolean {
  if (offered.modality === "audio") return audio !== undefined && isForbiddenAudio(offered, audio);
  return offered.modality === "video" && video !== undefined && isForbiddenVideo(offered, video);
}

function reject(
  reason: RejectionReason,
  explanation: string,
  local: Capabilities,
): ReturnType<typeof refuse> {
  return refuse("proposal-rejected", explanation, "offer", {
    reason,
    explanation,
    counter_proposal: counterProposal(local),
  });
}

function distinct<T>(values: readonly T[]): T[] {
  return [...new Set(values)];
}

function sameList(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((value, i) => value === right[i]);
}
