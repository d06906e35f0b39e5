import { canonicalBytes } from "../codecs/canonical-json.ts";
import type { Answer, AnswerStream } from "./answer.ts";
import type { AnswerCodec } from "./audio-stream.ts";
import { type DataDelivery, type DataFormat, deliveryOf } from "./data-stream.ts";
import type { Offer, OfferStream } from "./offer.ts";
import { formatScopes } from "./scope.ts";
import { type Direction, type Profile, sends } from "./stream-fields.ts";
import type { VideoCodec, VideoSource } from "./video-stream.ts";

/** Number of the terms that follow from offer and answer; later ones count up. */
const FIRST_TERMS = 1;

export type TermsStream = {
  readonly stream: number;
  /** By leg: which way it flows as that end sees it. */
  readonly directions: readonly [Direction, Direction];
  /** By leg: the SSRC of what that end sends. */
  readonly ssrcs: readonly [number, number];
  /** By leg: whether the other end may interrupt what it says. Absent: both may. */
  readonly interruptible?: readonly [boolean, boolean];
} & TermsFormat;

/** What was agreed for the packets of one stream, by its modality. */
export type TermsFormat =
  | { readonly modality: "audio"; readonly codec: AnswerCodec }
  | ({ readonly modality: "video"; readonly codec: VideoCodec } & VideoSource)
  | ({ readonly modality: "data"; readonly format: DataFormat } & DataDelivery);

/** How a leg sends a stream where both ends agreed on it since. */
export type StreamSetting = {
  readonly leg: 0 | 1;
  readonly stream: number;
  /** Bits of payload a second, what is said twice included. Absent: as much as codec or format takes. */
  readonly bitrate_bps?: number;
  /** Of audio: earlier payloads that each packet brings once more (RFC 2198). Absent: none. */
  readonly redundancy?: 0 | 1 | 2;
  /** Of video, pixels. Absent: as the codec was taken. */
  readonly max_height?: number;
  /** Of video, frames a second. Absent: as the codec was taken. */
  readonly max_frame_rate?: number;
};

/** A stream that an end opened during the session: as if that end had offered it, and the other one had answered. */
export type OpenedStream = {
  readonly by: 0 | 1;
  /** With the one codec or format that the answer takes. */
  readonly offer: OfferStream;
  readonly answer: AnswerStream;
};

/** What may change during a session, numbered: profile, expiry, who may send what and how. */
export type Terms = {
  readonly v: 1;
  readonly session_id: string;
  readonly number: number;
  readonly profile: Profile;
  /** Unix seconds. */
  readonly expires_at: number;
  readonly legs: readonly { readonly leg: number; readonly scope: readonly string[] }[];
  /** Those that are open: of offer and answer as answered, then those opened since. */
  readonly streams: readonly TermsStream[];
  /** What both ends agreed to have otherwise than in offer and answer, by rising leg and stream. Absent: nothing. */
  readonly settings?: readonly StreamSetting[];
  /** Those of `streams` that an end opened during the session, by rising number. Absent: none. */
  readonly opened?: readonly OpenedStream[];
  /** The highest number that an opened stream ever had. Absent: none was opened. */
  readonly last_stream?: number;
  /** Streams of offer and answer that were closed, by rising number. Absent: none. */
  readonly closed?: readonly number[];
  /** Opened streams that were closed since the last change that both signed, which still names them. Absent: none. */
  readonly closed_since?: readonly number[];
};

/** Terms number 1 of a verified offer and answer. Anyone who has both derives the same ones. */
export function deriveTerms(offer: Offer, answer: Answer): Terms {
  return {
    v: 1,
    session_id: answer.payload.session_id,
    number: FIRST_TERMS,
    profile: answer.payload.profile,
    expires_at: answer.payload.iat + offer.payload.session.ttl,
    legs: [
      { leg: 0, scope: formatScopes(offer.scope) },
      { leg: 1, scope: formatScopes(answer.scope) },
    ],
    streams: answer.payload.streams.map((stream) =>
      streamOf(
        offer.payload.streams.find((candidate) => candidate.stream === stream.stream) as OfferStream,
        stream,
        0,
      ),
    ),
  };
}

/** What an offered and an answered stream come to; `by` offered it. */
export function streamOf(offered: OfferStream, answered: AnswerStream, by: 0 | 1): TermsStream {
  const byLeg = <T>(offers: T, answers: T): readonly [T, T] =>
    by === 0 ? [offers, answers] : [answers, offers];
  return {
    stream: answered.stream,
    ...formatOf(answered),
    directions: byLeg(mirror(answered.direction), answered.direction),
    ssrcs: byLeg(offered.ssrc, answered.ssrc),
    ...interruptibleBy(offered, answered, by),
  };
}

/** What one end sends on a stream, in the form of an answer. */
export function asSent(agreed: TermsStream, speaker: 0 | 1): AnswerStream {
  const { directions: _, ssrcs, interruptible: __, ...format } = agreed;
  return { ...format, direction: "sendonly", ssrc: ssrcs[speaker] };
}

/** The inverse of {@link asSent}: the one direction of the stream. */
export function sentStream(sent: AnswerStream, speaker: 0 | 1): TermsStream {
  const directions =
    speaker === 0 ? (["sendonly", "recvonly"] as const) : (["recvonly", "sendonly"] as const);
  return { stream: sent.stream, ...formatOf(sent), directions, ssrcs: [sent.ssrc, sent.ssrc] };
}

/** Whether what the end `speaker` says on a stream may be interrupted by the other end; it may take back itself what it says. */
export function isInterruptible(terms: Pick<Terms, "streams">, stream: number, speaker: number): boolean {
  return terms.streams.find((agreed) => agreed.stream === stream)?.interruptible?.[speaker] !== false;
}

/** A stream that is open under `terms`. */
export function streamIn(terms: Terms, stream: number): TermsStream | undefined {
  return terms.streams.find((agreed) => agreed.stream === stream);
}

/** The highest number that a stream of the session ever had: one that is opened has a higher one. */
export function lastStreamOf({ streams, closed = [], last_stream: last = -1 }: Terms): number {
  return Math.max(last, ...streams.map(({ stream }) => stream), ...closed);
}

/** The streams that `leg` sends on under `terms`. */
export function streamsSentBy(terms: Terms, leg: 0 | 1): readonly TermsStream[] {
  return terms.streams.filter((stream) => sends(stream.directions[leg]));
}

/** The payload type that the packets of a stream bear. */
export function payloadTypeOf(agreed: TermsFormat): number {
  return agreed.modality === "data" ? agreed.format.payload_type : agreed.codec.payload_type;
}

/** The payload type of packets that carry earlier frames once more; `undefined` where none may come. */
export function redPayloadTypeOf(agreed: TermsFormat): number | undefined {
  return agreed.modality === "audio" ? agreed.codec.red_payload_type : undefined;
}

/** What an answer chose for one stream, apart from its number and direction. */
function formatOf(stream: AnswerStream): TermsFormat {
  switch (stream.modality) {
    case "audio":
      return { modality: stream.modality, codec: stream.codec };
    case "video": {
      const { modality, codec, source, rendition } = stream;
      return {
        ...{ modality, codec },
        ...(source === undefined ? {} : { source }),
        ...(rendition === undefined ? {} : { rendition }),
      };
    }
    case "data":
      return { modality: stream.modality, format: stream.format, ...deliveryOf(stream) };
  }
}

/** Canonical JSON of the terms, as an evidence file keeps them. */
export function termsBytes(terms: Terms): Uint8Array {
  return canonicalBytes(terms);
}

function interruptibleBy(
  offered: OfferStream,
  answered: AnswerStream,
  by: 0 | 1,
): { readonly interruptible?: readonly [boolean, boolean] } {
  const says = [offered, answered].map(
    (stream) => stream.modality !== "audio" || stream.interruptible !== false,
  ) as [boolean, boolean];
  return says.every(Boolean) ? {} : { interruptible: by === 0 ? says : [says[1], says[0]] };
}

/** The same flow as the other end sees it. */
function mirror(direction: Direction): Direction {
  if (direction === "sendonly") return "recvonly";
  return direction === "recvonly" ? "sendonly" : "sendrecv";
}
