import { ok, type Result } from "../codecs/result.ts";
import { integer, list, object, oneOf, optional, readShape, type Shape, text } from "./shape.ts";
import { CODEC_NAME, PAYLOAD_TYPE, type StreamFields, streamFields } from "./stream-fields.ts";

/** Most formats offered for one stream. More are refused (`field-invalid`). */
const MAX_FORMATS = 8;

/**
 * What a sender of data keeps to, and a relay lets through with a margin: messages and bytes of packets a second, and
 * seconds of credit after a pause.
 */
export const DATA_RATE = { messagesPerSecond: 100, bytesPerSecond: 256 * 1024, burst: 2 } as const;

/**
 * Seconds of {@link DATA_RATE} that may arrive at once: what a stream that stood still gives out when it flows again.
 */
export const DATA_CATCH_UP_SECONDS = 25;

/**
 * Messages, and bytes of their packets, of one stream that may be on their way: said, and not yet in a receipt of the listener. The speaker keeps them,
 * and so does the server what it let through, since a connection that breaks does not say how much of them arrived. Beyond it nothing more is said.
 */
export const DATA_WINDOW = { messages: 1_024, bytes: 1_048_576 } as const;

/** A listener signs a receipt after so many messages, or bytes of their packets, at the latest. */
export const DATA_RECEIPT = { messages: 256, bytes: 262_144 } as const;

/** How one message is written, and the payload type its packets bear. */
export type DataFormat = {
  /** Lowercase name, as `Data-Formats` lists it. */
  readonly name: string;
  readonly payload_type: number;
};

/** Age at which a latest value is of no use any more where nobody says, ms. */
export const LATEST_DEADLINE_MS = 1_000;

/** Most characters of a label. */
const MAX_LABEL_CHARACTERS = 64;

/** How the messages of a stream come, and what they are for. */
export type DataDelivery = {
  /** What the streams of a call are told apart by. Those that begin with `parley.` are Parley's own. */
  readonly label?: string;
  /**
   * `latest`: each message in one datagram, which may be lost; a newer one takes the place of one that waits. Absent: complete and in order.
   */
  readonly delivery?: "latest";
  /** Of `latest`: age at which a message is neither sent nor handed out any more, ms. Absent: {@link LATEST_DEADLINE_MS}. */
  readonly deadline_ms?: number;
};

export type DataOfferStream = StreamFields<"data"> &
  DataDelivery & {
    /** In order of preference. */
    readonly formats: readonly DataFormat[];
  };

/** Label, delivery and deadline are those of the offer. */
export type DataAnswerStream = StreamFields<"data"> &
  DataDelivery & {
    readonly format: DataFormat;
  };

/** True when `offered` holds the format that an answer chose. */
export function isOfferedFormat(format: DataFormat, offered: DataOfferStream): boolean {
  return offered.formats.some(
    ({ name, payload_type }) => name === format.name && payload_type === format.payload_type,
  );
}

/** Whether messages come in the same way on both. */
export function isSameDelivery(left: DataDelivery, right: DataDelivery): boolean {
  return left.delivery === right.delivery && left.deadline_ms === right.deadline_ms;
}

/** What `stream` says of delivery and label, and nothing else. */
export function deliveryOf({ label, delivery, deadline_ms: deadline }: DataDelivery): DataDelivery {
  return {
    ...(label === undefined ? {} : { label }),
    ...(delivery === undefined ? {} : { delivery }),
    ...(deadline === undefined ? {} : { deadline_ms: deadline }),
  };
}

/** Whether a data stream may bear this label, as offers and answers are held to it. Fault: `field-invalid`. */
export function checkDataLabel(label: string, at: string): Result<void> {
  const read = readShape(LABEL, label, at);
  return read.ok ? ok(undefined) : read;
}

/** Printable characters of ASCII, no blank at either end. */
const LABEL = text({ min: 1, max: MAX_LABEL_CHARACTERS, pattern: /^[!-~](?:[ -~]*[!-~])?$/ });
const FORMAT: Shape<DataFormat> = object<DataFormat>({ name: CODEC_NAME, payload_type: PAYLOAD_TYPE });

const DELIVERY = {
  label: optional(LABEL),
  delivery: optional(oneOf("latest")),
  deadline_ms: optional(integer(20, 10_000)),
} as const;

export const DATA_OFFER_STREAM: Shape<DataOfferStream> = object<DataOfferStream>({
  ...streamFields("data"),
  formats: list(FORMAT, { min: 1, max: MAX_FORMATS }),
  ...DELIVERY,
});

export const DATA_ANSWER_STREAM: Shape<DataAnswerStream> = object<DataAnswerStream>({
  ...streamFields("data"),
  format: FORMAT,
  ...DELIVERY,
});
