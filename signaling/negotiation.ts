import { ok, type Result, refuse } from "../codecs/result.ts";
import type { AnswerStream } from "./answer.ts";
import { arePayloadTypesDistinct } from "./audio-stream.ts";
import {
  type AudioCapabilities,
  answerAudio,
  isForbiddenAudio,
  type ProposedCodec,
  proposedCodecs,
} from "./negotiate-audio.ts";
import { answerData, type DataCapabilities } from "./negotiate-data.ts";
import type { OfferPayload, OfferStream } from "./offer.ts";
import type { ScopeLimits } from "./scope.ts";
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

/** What an end can and may do. A modality that is absent is not taken. */
export interface Capabilities {
  readonly profiles: readonly Profile[];
  readonly audio?: AudioCapabilities | undefined;
  readonly data?: DataCapabilities | undefined;
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
  offer: Pick<OfferPayload, "streams" | "profiles">,
  local: Capabilities,
  ssrcOf: (stream: number) => number,
): Result<Choice> {
  const contradiction = contradictionIn(offer.streams);
  if (contradiction !== undefined) return reject("ambiguous", contradiction, local);
  const profile = offer.profiles.find((candidate) => local.profiles.includes(candidate));
  if (profile === undefined)
    return reject("composition-impossible", "No attribution profile in common.", local);
  const streams = offer.streams
    .map((offered) => answerStream(offered, local, ssrcOf(offered.stream)))
    .filter((stream) => stream !== undefined);
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
        "No format in common: codec, sample rate, channels and frame size of audio, format of data.",
        local,
      );
}

/** What the headers of an ESTABLISH say about its offer; absent ones say nothing. */
export interface OfferHeaders {
  /** Communication-Modalities; `structured-data` reads as `data`. */
  readonly modalities?: readonly string[] | undefined;
  /** Audio-Codecs, in order of preference. */
  readonly audioCodecs?: readonly string[] | undefined;
  /** Video-Codecs: an offer has no video. */
  readonly videoCodecs?: readonly string[] | undefined;
  /** Data-Formats, in order of preference. */
  readonly dataFormats?: readonly string[] | undefined;
}

/** What the headers of an ESTABLISH say of these streams. */
export function offerHeaders(streams: readonly OfferStream[]): Record<keyof OfferHeaders, readonly string[]> {
  return {
    modalities: distinct(streams.map((stream) => stream.modality)),
    audioCodecs: distinct(
      streams.flatMap((stream) => (stream.modality === "audio" ? stream.codecs.map(({ name }) => name) : [])),
    ),
    videoCodecs: [],
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
  readonly modalities?: readonly ("audio" | "data")[];
  readonly profiles?: readonly Profile[];
  /** Of audio. */
  readonly directions?: readonly Direction[];
  readonly codecs: readonly ProposedCodec[];
  readonly data_directions?: readonly Direction[];
  readonly data_formats?: readonly string[];
  /** Caps of the scope that what was proposed exceeds. */
  readonly limits?: ScopeLimits;
};

const CAP = integer(0, Number.MAX_SAFE_INTEGER);

/** Form of a {@link CounterProposal}, with room for every codec there is; whoever passes one on bounds its bytes besides. */
export const COUNTER_PROPOSAL: Shape<CounterProposal> = object<CounterProposal>({
  modalities: optional(list(oneOf("audio", "data"), { max: 2 })),
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
  const { audio, data, profiles } = local;
  return {
    modalities: (["audio", "data"] as const).filter((modality) => local[modality] !== undefined),
    profiles,
    ...(audio === undefined ? {} : { directions: directionsOf(audio) }),
    codecs: audio === undefined ? [] : proposedCodecs(audio),
    ...(data === undefined ? {} : { data_directions: directionsOf(data), data_formats: data.formats }),
  };
}

function answerStream(offered: OfferStream, local: Capabilities, ssrc: number): AnswerStream | undefined {
  if (offered.modality === "audio") return local.audio && answerAudio(offered, local.audio, ssrc);
  return local.data && answerData(offered, local.data, ssrc);
}

function canFlow(offered: OfferStream, local: Capabilities): boolean {
  const capable = local[offered.modality];
  return capable !== undefined && answeringDirection(offered.direction, capable) !== undefined;
}

function isForbidden(offered: OfferStream, local: Capabilities): boolean {
  return offered.modality === "audio" && local.audio !== undefined && isForbiddenAudio(offered, local.audio);
}

function contradictionIn(streams: readonly OfferStream[]): string | undefined {
  if (!allDistinct(streams.map((stream) => stream.stream))) return "A stream is offered twice.";
  if (!allDistinct(streams.map((stream) => stream.ssrc))) return "Two streams have the same SSRC.";
  const clash = streams.some((stream) => {
    if (stream.modality === "audio") return !arePayloadTypesDistinct(stream.codecs);
    return !allDistinct(stream.formats.map((choice) => choice.payload_type));
  });
  return clash ? "Two codecs or formats of a stream have the same payload type." : undefined;
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

function allDistinct(values: readonly number[]): boolean {
  return new Set(values).size === values.length;
}

function sameList(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((value, i) => value === right[i]);
}
