import { list, object, oneOf, optional, type Shape } from "./shape.ts";
import {
  CHANNELS,
  CLOCK_RATE,
  CODEC_NAME,
  FRAME_MS,
  PAYLOAD_TYPE,
  type StreamFields,
  streamFields,
} from "./stream-fields.ts";

/** Most codecs offered for one stream. More are refused (`field-invalid`). */
export const MAX_CODECS = 16;

export type OfferCodec = {
  /** Lowercase RTP encoding name. */
  readonly name: string;
  /** Hz. */
  readonly clock_rate: number;
  readonly channels: 1 | 2;
  /** Milliseconds of one frame, in order of preference. */
  readonly frame_ms: readonly number[];
  readonly payload_type: number;
  /** Payload type of packets that carry earlier frames once more (RFC 2198); the codecs of a stream may share it. Absent: none may come. */
  readonly red_payload_type?: number;
};

export type AnswerCodec = {
  readonly name: string;
  readonly clock_rate: number;
  readonly channels: 1 | 2;
  readonly frame_ms: number;
  readonly payload_type: number;
  /** As offered, where both ends take such packets. */
  readonly red_payload_type?: number;
};

export type AudioOfferStream = StreamFields<"audio"> & {
  /** In order of preference. */
  readonly codecs: readonly OfferCodec[];
  /** The callee may not interrupt what the caller says on it. Absent: it may. */
  readonly interruptible?: false;
};

export type AudioAnswerStream = StreamFields<"audio"> & {
  readonly codec: AnswerCodec;
  /** The caller may not interrupt what the callee says on it. Absent: it may. */
  readonly interruptible?: false;
};

/** True when `offered` holds the codec that an answer chose, frame size included. */
export function isOfferedCodec(codec: AnswerCodec, offered: AudioOfferStream): boolean {
  return offered.codecs.some(
    (candidate) =>
      candidate.name === codec.name &&
      candidate.clock_rate === codec.clock_rate &&
      candidate.channels === codec.channels &&
      candidate.payload_type === codec.payload_type &&
      (codec.red_payload_type === undefined || candidate.red_payload_type === codec.red_payload_type) &&
      candidate.frame_ms.includes(codec.frame_ms),
  );
}

/** Whether the payload types of a stream's codecs tell them apart, and from packets that carry earlier frames. */
export function arePayloadTypesDistinct(codecs: readonly OfferCodec[]): boolean {
  const types = codecs.map((codec) => codec.payload_type);
  const red = codecs.flatMap(({ red_payload_type: type }) => (type === undefined ? [] : [type]));
  return new Set(types).size === types.length && !red.some((type) => types.includes(type));
}

export const AUDIO_OFFER_STREAM: Shape<AudioOfferStream> = object<AudioOfferStream>({
  ...streamFields("audio"),
  codecs: list(
    object<OfferCodec>({
      name: CODEC_NAME,
      clock_rate: CLOCK_RATE,
      channels: CHANNELS,
      frame_ms: list(FRAME_MS, { min: 1, max: 8 }),
      payload_type: PAYLOAD_TYPE,
      red_payload_type: optional(PAYLOAD_TYPE),
    }),
    { min: 1, max: MAX_CODECS },
  ),
  interruptible: optional(oneOf(false)),
});

export const AUDIO_ANSWER_STREAM: Shape<AudioAnswerStream> = object<AudioAnswerStream>({
  ...streamFields("audio"),
  codec: object<AnswerCodec>({
    name: CODEC_NAME,
    clock_rate: CLOCK_RATE,
    channels: CHANNELS,
    frame_ms: FRAME_MS,
    payload_type: PAYLOAD_TYPE,
    red_payload_type: optional(PAYLOAD_TYPE),
  }),
  interruptible: optional(oneOf(false)),
});
