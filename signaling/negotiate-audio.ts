import { ok, type Result, refuse } from "../codecs/result.ts";
import type { AnswerCodec, AnswerStream } from "./answer.ts";
import type { OfferCodec, OfferPayload, OfferStream } from "./offer.ts";
import { list, object, oneOf, optional, type Shape } from "./shape.ts";
import {
  CHANNELS,
  CLOCK_RATE,
  CODEC_NAME,
  DIRECTION,
  type Direction,
  FRAME_MS,
  PROFILE,
  type Profile,
  receives,
  sends,
} from "./stream-fields.ts";

/** One audio codec as an end can run it. */
export interface AudioCapability {
  /** Lowercase RTP encoding name. */
  readonly name: string;
  readonly clockRate: number;
  readonly channels: 1 | 2;
  /** Milliseconds of one frame that it can make and take. */
  readonly frameMs: readonly number[];
  /** Bytes of one millisecond of payload where the rate is constant; absent for codecs that are told their rate. */
  readonly bytesPerMs?: number | undefined;
}

/** What an end can and may do with audio. */
export interface AudioCapabilities {
  readonly codecs: readonly AudioCapability[];
  /** Names of codecs that it could run and its policy forbids. */
  readonly forbiddenCodecs?: readonly string[] | undefined;
  readonly profiles: readonly Profile[];
  readonly send: boolean;
  readonly receive: boolean;
  /** Largest payload a packet can carry here, bytes. Default {@link MAX_PAYLOAD_BYTES}. */
  readonly maxPayloadBytes?: number | undefined;
}

/** What an answer takes of an offer. */
export interface AudioChoice {
  readonly profile: Profile;
  readonly streams: readonly AnswerStream[];
}

/** Why no common ground was found (`spec/agtp.md` 3.3), in `details.reason`. */
export type RejectionReason = "composition-impossible" | "policy-refused" | "ambiguous";

/**
 * Bytes of payload that always fit in one datagram of 1,150 bytes: flow identifier 8, RTP header 12, extension header
 * 4, attribution 79, frame info 6, epoch 6, level 3, recorded 52, padding 3.
 */
export const MAX_PAYLOAD_BYTES = 1150 - (8 + 12 + 4 + 79 + 6 + 6 + 3 + 52 + 3);

/**
 * Chooses what to answer to an offer: for each stream the first codec in the offer's order of preference that both
 * ends have, with the first of its frame sizes that both have and that fits a packet; the first profile both have.
 * Streams without common ground are left out. `ssrcOf` gives the SSRC that the answering end sends a stream with.
 *
 * Faults: `proposal-rejected` with `details.reason`, `details.explanation` and `details.counter_proposal` when nothing
 * is left, or when the offer contradicts itself.
 */
export function negotiateAudio(
  offer: Pick<OfferPayload, "streams" | "profiles">,
  local: AudioCapabilities,
  ssrcOf: (stream: number) => number,
): Result<AudioChoice> {
  const contradiction = contradictionIn(offer.streams);
  if (contradiction !== undefined) return reject("ambiguous", contradiction, local);
  const profile = offer.profiles.find((candidate) => local.profiles.includes(candidate));
  if (profile === undefined)
    return reject("composition-impossible", "No attribution profile in common.", local);
  const streams: AnswerStream[] = [];
  for (const offered of offer.streams) {
    const direction = answeringDirection(offered.direction, local);
    const codec = chooseCodec(offered.codecs, local);
    if (direction === undefined || codec === undefined) continue;
    streams.push({
      stream: offered.stream,
      modality: offered.modality,
      direction,
      ssrc: ssrcOf(offered.stream),
      codec,
    });
  }
  if (streams.length > 0) return ok({ profile, streams });
  if (offer.streams.every((stream) => answeringDirection(stream.direction, local) === undefined)) {
    return reject("composition-impossible", "No stream flows in a direction that is possible here.", local);
  }
  const permissive = { ...local, forbiddenCodecs: [] };
  const forbidden = offer.streams.some((stream) => chooseCodec(stream.codecs, permissive) !== undefined);
  return forbidden
    ? reject("policy-refused", "The only codecs in common are not allowed here.", local)
    : reject("composition-impossible", "No codec, sample rate, channels and frame size in common.", local);
}

/** What the headers of an ESTABLISH say about its offer; absent ones say nothing. */
export interface OfferHeaders {
  /** Communication-Modalities. */
  readonly modalities?: readonly string[] | undefined;
  /** Audio-Codecs, in order of preference. */
  readonly audioCodecs?: readonly string[] | undefined;
}

/**
 * Headers must say what the offer says: the same modalities, the same codec names in the same order. Faults:
 * `proposal-rejected` with reason `ambiguous`.
 */
export function checkOfferHeaders(
  offer: Pick<OfferPayload, "streams">,
  headers: OfferHeaders,
  local: AudioCapabilities,
): Result<undefined> {
  const modalities = distinct(offer.streams.map((stream) => stream.modality)).sort();
  if (headers.modalities !== undefined && !sameList(distinct(headers.modalities).sort(), modalities)) {
    return reject("ambiguous", "Communication-Modalities differs from the offer.", local);
  }
  const codecs = distinct(offer.streams.flatMap((stream) => stream.codecs.map((codec) => codec.name)));
  if (headers.audioCodecs !== undefined && !sameList(distinct(headers.audioCodecs), codecs)) {
    return reject("ambiguous", "Audio-Codecs differs from the offer.", local);
  }
  return ok(undefined);
}

/** What an end would take instead, in the form of an offer's members: `details.counter_proposal`. */
export type CounterProposal = {
  readonly modalities?: readonly "audio"[];
  readonly profiles?: readonly Profile[];
  readonly directions?: readonly Direction[];
  readonly codecs: readonly {
    readonly name: string;
    readonly clock_rate: number;
    readonly channels: 1 | 2;
    readonly frame_ms: readonly number[];
  }[];
};

/** Form of a {@link CounterProposal}, with room for every codec there is; whoever passes one on bounds its bytes besides. */
export const COUNTER_PROPOSAL: Shape<CounterProposal> = object<CounterProposal>({
  modalities: optional(list(oneOf("audio"), { max: 1 })),
  profiles: optional(list(PROFILE, { max: 2 })),
  directions: optional(list(DIRECTION, { max: 3 })),
  codecs: list(
    object<CounterProposal["codecs"][number]>({
      name: CODEC_NAME,
      clock_rate: CLOCK_RATE,
      channels: CHANNELS,
      frame_ms: list(FRAME_MS, { max: 16 }),
    }),
    { max: 32 },
  ),
});

/** What `local` says it would take. */
export function counterProposal(local: AudioCapabilities): CounterProposal {
  const allowed = local.codecs.filter((codec) => !isForbidden(codec.name, local));
  return {
    modalities: ["audio"],
    profiles: local.profiles,
    directions: directionsOf(local),
    codecs: allowed.map((codec) => ({
      name: codec.name,
      clock_rate: codec.clockRate,
      channels: codec.channels,
      frame_ms: codec.frameMs.filter((ms) => fitsPacket(codec, ms, local)),
    })),
  };
}

function chooseCodec(offered: readonly OfferCodec[], local: AudioCapabilities): AnswerCodec | undefined {
  for (const { name, clock_rate, channels, frame_ms, payload_type } of offered) {
    if (isForbidden(name, local)) continue;
    for (const codec of local.codecs) {
      if (codec.name !== name || codec.clockRate !== clock_rate || codec.channels !== channels) continue;
      const frame = frame_ms.find((ms) => codec.frameMs.includes(ms) && fitsPacket(codec, ms, local));
      if (frame !== undefined) return { name, clock_rate, channels, frame_ms: frame, payload_type };
    }
  }
  return undefined;
}

function answeringDirection(offered: Direction, local: AudioCapabilities): Direction | undefined {
  const send = local.send && receives(offered);
  const receive = local.receive && sends(offered);
  if (send && receive) return "sendrecv";
  if (send) return "sendonly";
  return receive ? "recvonly" : undefined;
}

function directionsOf(local: AudioCapabilities): Direction[] {
  const all: readonly Direction[] = ["sendrecv", "sendonly", "recvonly"];
  return all.filter(
    (direction) => (local.send || !sends(direction)) && (local.receive || !receives(direction)),
  );
}

function fitsPacket(codec: AudioCapability, ms: number, local: AudioCapabilities): boolean {
  return (codec.bytesPerMs ?? 0) * ms <= (local.maxPayloadBytes ?? MAX_PAYLOAD_BYTES);
}

function isForbidden(name: string, local: AudioCapabilities): boolean {
  return local.forbiddenCodecs?.includes(name) === true;
}

function contradictionIn(streams: readonly OfferStream[]): string | undefined {
  if (!allDistinct(streams.map((stream) => stream.stream))) return "A stream is offered twice.";
  if (!allDistinct(streams.map((stream) => stream.ssrc))) return "Two streams have the same SSRC.";
  const codecsClash = streams.some(
    (stream) => !allDistinct(stream.codecs.map((codec) => codec.payload_type)),
  );
  return codecsClash ? "Two codecs of a stream have the same payload type." : undefined;
}

function reject(
  reason: RejectionReason,
  explanation: string,
  local: AudioCapabilities,
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
