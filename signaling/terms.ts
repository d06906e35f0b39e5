import { canonicalBytes } from "../codecs/canonical-json.ts";
import type { Answer, AnswerStream } from "./answer.ts";
import type { AnswerCodec } from "./audio-stream.ts";
import type { DataFormat } from "./data-stream.ts";
import type { Offer, OfferStream } from "./offer.ts";
import { formatScopes } from "./scope.ts";
import { type Direction, type Profile, sends } from "./stream-fields.ts";

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
  | { readonly modality: "data"; readonly format: DataFormat };

/** How a leg sends a stream of audio where both ends agreed on it since. */
export type StreamSetting = {
  readonly leg: 0 | 1;
  readonly stream: number;
  /** Bits of payload a second, what is said twice included. Absent: as much as the codec takes. */
  readonly bitrate_bps?: number;
  /** Earlier payloads that each packet brings once more (RFC 2198). Absent: none. */
  readonly redundancy?: 0 | 1 | 2;
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
  readonly streams: readonly TermsStream[];
  /** What both ends agreed to have otherwise than in offer and answer, by rising leg and stream. Absent: nothing. */
  readonly settings?: readonly StreamSetting[];
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
    streams: answer.payload.streams.map((stream) => {
      const offered = offer.payload.streams.find(
        (candidate) => candidate.stream === stream.stream,
      ) as OfferStream;
      return {
        stream: stream.stream,
        ...formatOf(stream),
        directions: [mirror(stream.direction), stream.direction],
        ssrcs: [offered.ssrc, stream.ssrc],
        ...interruptibleBy(offered, stream),
      };
    }),
  };
}

/** Whether what the end `speaker` says on a stream may be interrupted by the other end; it may take back itself what it says. */
export function isInterruptible(terms: Terms, stream: number, speaker: number): boolean {
  return terms.streams.find((agreed) => agreed.stream === stream)?.interruptible?.[speaker] !== false;
}

/** The streams that `leg` sends on under `terms`. */
export function streamsSentBy(terms: Terms, leg: 0 | 1): readonly TermsStream[] {
  return terms.streams.filter((stream) => sends(stream.directions[leg]));
}

/** The payload type that the packets of a stream bear. */
export function payloadTypeOf(agreed: TermsFormat): number {
  return agreed.modality === "audio" ? agreed.codec.payload_type : agreed.format.payload_type;
}

/** The payload type of packets that carry earlier frames once more; `undefined` where none may come. */
export function redPayloadTypeOf(agreed: TermsFormat): number | undefined {
  return agreed.modality === "audio" ? agreed.codec.red_payload_type : undefined;
}

/** What an answer chose for one stream, apart from its number and direction. */
function formatOf(stream: AnswerStream): TermsFormat {
  return stream.modality === "audio"
    ? { modality: stream.modality, codec: stream.codec }
    : { modality: stream.modality, format: stream.format };
}

/** Canonical JSON of the terms, as an evidence file keeps them. */
export function termsBytes(terms: Terms): Uint8Array {
  return canonicalBytes(terms);
}

function interruptibleBy(
  offered: OfferStream,
  answered: AnswerStream,
): { readonly interruptible?: readonly [boolean, boolean] } {
  const says = [offered, answered].map(
    (stream) => stream.modality !== "audio" || stream.interruptible !== false,
  ) as [boolean, boolean];
  return says.every(Boolean) ? {} : { interruptible: says };
}

/** The same flow as the other end sees it. */
function mirror(direction: Direction): Direction {
  if (direction === "sendonly") return "recvonly";
  return direction === "recvonly" ? "sendonly" : "sendrecv";
}
