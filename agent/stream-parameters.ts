import { type DataFormatName, dataFormat } from "../codecs/data-formats.ts";
import { ok, type Result, refuse } from "../codecs/result.ts";
import { findVideoFormat, type VideoFormatName } from "../codecs/video-formats.ts";
import type { ChainState } from "./statement-chain.ts";

/** One direction of one stream, as the server laid it out for this end's connection. */
export type StreamParameters = AudioStreamParameters | VideoStreamParameters | DataStreamParameters;

/** What every stream has, whatever it carries. */
interface FlowParameters {
  readonly stream: number;
  /** Leg of the speaker. */
  readonly leg: number;
  readonly direction: "send" | "receive";
  /** Flow of the media frames, of the speaker's checkpoints, and of the listener's receipts. */
  readonly flow: number;
  readonly checkpointFlow: number;
  readonly receiptFlow: number;
  readonly ssrc: number;
  readonly payloadType: number;
  readonly clockRate: number;
  /** Where the call goes on after another connection: the number that the next frame has at least, and the media epoch in force. */
  readonly nextSequence: number | undefined;
  readonly epoch: number | undefined;
  /** False where the server does not know what the listener has: it says so once it is back. */
  readonly isSettled: boolean;
  /** It was closed: only what was stated about it is yet to come. */
  readonly isClosed: boolean;
}

export interface AudioStreamParameters extends FlowParameters {
  readonly modality: "audio";
  readonly codec: string;
  readonly channels: number;
  readonly frameMs: number;
  /** Of packets that carry earlier frames once more, where they were agreed. */
  readonly redPayloadType: number | undefined;
}

export interface VideoStreamParameters extends FlowParameters {
  readonly modality: "video";
  readonly codec: VideoFormatName;
  /** Pixels, and frames a second, as the codec was taken. */
  readonly maxWidth: number;
  readonly maxHeight: number;
  readonly maxFrameRate: number;
  /** Of which video it is a rendition; undefined: it shows one alone. */
  readonly source: number | undefined;
  /** 0 is the best. */
  readonly rendition: number;
}

export interface DataStreamParameters extends FlowParameters {
  readonly modality: "data";
  readonly format: DataFormatName;
  /** What the streams of a call are told apart by. */
  readonly label: string | undefined;
  /** `latest`: each message may be lost, and a newer one takes its place. Undefined: complete and in order. */
  readonly delivery: "latest" | undefined;
  /** Of latest values: age at which one is of no use any more, ms. */
  readonly deadlineMs: number | undefined;
}

/** Reads `result.streams` of an answer to ESTABLISH, CONFIRM or OPEN. */
export function readStreamParameters(value: unknown): Result<StreamParameters[]> {
  if (!Array.isArray(value)) return refuse("field-invalid", "The answer lists no streams.", "streams");
  const streams: StreamParameters[] = [];
  for (const [index, entry] of value.entries()) {
    const at = `streams[${index}]`;
    if (typeof entry !== "object" || entry === null) return refuse("field-invalid", "Not an object.", at);
    const fields = entry as Readonly<Record<string, unknown>>;
    const { direction, codec, format, modality } = fields;
    if (modality !== "audio" && modality !== "video" && modality !== "data") {
      return refuse("field-invalid", "Not a modality known here.", `${at}.modality`);
    }
    const wanted = [...NUMBERS, ...NUMBERS_OF[modality]];
    const missing = wanted.find(
      (name) => !Number.isSafeInteger(fields[name]) || (fields[name] as number) < 0,
    );
    if (missing !== undefined) return refuse("field-invalid", "Not a whole number.", `${at}.${missing}`);
    if (direction !== "send" && direction !== "receive") {
      return refuse("field-invalid", "Neither send nor receive.", `${at}.direction`);
    }
    const number = (name: (typeof NUMBERS)[number] | (typeof NUMBERS_OF)[keyof typeof NUMBERS_OF][number]) =>
      fields[name] as number;
    const flow: FlowParameters = {
      stream: number("stream"),
      leg: number("leg"),
      direction,
      flow: number("flow"),
      checkpointFlow: number("checkpoint_flow"),
      receiptFlow: number("receipt_flow"),
      ssrc: number("ssrc"),
      payloadType: number("payload_type"),
      clockRate: number("clock_rate"),
      nextSequence: countOf(fields.next_sequence),
      epoch: countOf(fields.epoch),
      isSettled: fields.unsettled !== true,
      isClosed: fields.closed === true,
    };
    if (modality === "audio") {
      if (typeof codec !== "string") return refuse("field-invalid", "Not a codec name.", `${at}.codec`);
      streams.push({
        ...flow,
        modality,
        codec,
        channels: number("channels"),
        frameMs: number("frame_ms"),
        redPayloadType: countOf(fields.red_payload_type),
      });
    } else if (modality === "video") {
      const known = typeof codec === "string" ? findVideoFormat(codec) : undefined;
      if (known === undefined) return refuse("field-invalid", "Not a codec known here.", `${at}.codec`);
      streams.push({
        ...flow,
        modality,
        codec: known.name,
        maxWidth: number("max_width"),
        maxHeight: number("max_height"),
        maxFrameRate: number("max_frame_rate"),
        source: countOf(fields.source),
        rendition: countOf(fields.rendition) ?? 0,
      });
    } else {
      const known = typeof format === "string" ? dataFormat(format) : undefined;
      if (known === undefined) return refuse("field-invalid", "Not a format known here.", `${at}.format`);
      const { label, delivery } = fields;
      streams.push({
        ...flow,
        modality,
        format: known.name,
        label: typeof label === "string" ? label : undefined,
        delivery: delivery === "latest" ? delivery : undefined,
        deadlineMs: countOf(fields.deadline_ms),
      });
    }
  }
  return ok(streams);
}

const NUMBERS = [
  "stream",
  "leg",
  "flow",
  "checkpoint_flow",
  "receipt_flow",
  "ssrc",
  "payload_type",
  "clock_rate",
] as const;
const NUMBERS_OF = {
  audio: ["channels", "frame_ms"],
  video: ["max_width", "max_height", "max_frame_rate"],
  data: [],
} as const;

const DIGEST = /^[0-9a-f]{64}$/;

function countOf(value: unknown): number | undefined {
  return Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : undefined;
}

/** How far the server has the statements of this end about one stream. */
export interface StatementPlace extends ChainState {
  readonly kind: "checkpoint" | "receipt";
  readonly stream: number;
  /** Leg of the speaker. */
  readonly leg: number;
}

/** Reads `result.statements` of an answer to OPEN. */
export function readStatementPlaces(value: unknown): Result<StatementPlace[]> {
  if (!Array.isArray(value)) return refuse("field-invalid", "The answer lists no statements.", "statements");
  const places: StatementPlace[] = [];
  for (const [index, entry] of value.entries()) {
    const fields = (typeof entry === "object" && entry !== null ? entry : {}) as Readonly<
      Record<string, unknown>
    >;
    const { kind, previous, state } = fields;
    const [stream, leg, nextIndex] = [fields.stream, fields.leg, fields.next_index].map(countOf);
    const isKnown =
      (kind === "checkpoint" || kind === "receipt") &&
      (state === "open" || state === "final" || state === "broken");
    if (
      !isKnown ||
      typeof previous !== "string" ||
      !DIGEST.test(previous) ||
      stream === undefined ||
      leg === undefined ||
      nextIndex === undefined
    ) {
      return refuse("field-invalid", "Not the place of a statement.", `statements[${index}]`);
    }
    places.push({ kind, stream, leg, nextIndex, previous, state });
  }
  return ok(places);
}
