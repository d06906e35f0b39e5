import { ok, type Result, refuse } from "../codecs/result.ts";

/** One direction of one stream, as the server laid it out for this end's connection. */
export type StreamParameters = AudioStreamParameters | DataStreamParameters;

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
}

export interface AudioStreamParameters extends FlowParameters {
  readonly modality: "audio";
  readonly codec: string;
  readonly channels: number;
  readonly frameMs: number;
}

export interface DataStreamParameters extends FlowParameters {
  readonly modality: "data";
  readonly format: string;
}

/** Reads `result.streams` of an answer to ESTABLISH or CONFIRM. */
export function readStreamParameters(value: unknown): Result<StreamParameters[]> {
  if (!Array.isArray(value)) return refuse("field-invalid", "The answer lists no streams.", "streams");
  const streams: StreamParameters[] = [];
  for (const [index, entry] of value.entries()) {
    const at = `streams[${index}]`;
    if (typeof entry !== "object" || entry === null) return refuse("field-invalid", "Not an object.", at);
    const fields = entry as Readonly<Record<string, unknown>>;
    const { direction, codec, format, modality } = fields;
    if (modality !== "audio" && modality !== "data") {
      return refuse("field-invalid", "Not a modality known here.", `${at}.modality`);
    }
    const wanted = modality === "audio" ? [...NUMBERS, ...AUDIO_NUMBERS] : NUMBERS;
    const missing = wanted.find(
      (name) => !Number.isSafeInteger(fields[name]) || (fields[name] as number) < 0,
    );
    if (missing !== undefined) return refuse("field-invalid", "Not a whole number.", `${at}.${missing}`);
    if (direction !== "send" && direction !== "receive") {
      return refuse("field-invalid", "Neither send nor receive.", `${at}.direction`);
    }
    const number = (name: (typeof NUMBERS)[number] | (typeof AUDIO_NUMBERS)[number]) =>
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
    };
    if (modality === "audio") {
      if (typeof codec !== "string") return refuse("field-invalid", "Not a codec name.", `${at}.codec`);
      streams.push({ ...flow, modality, codec, channels: number("channels"), frameMs: number("frame_ms") });
    } else {
      if (typeof format !== "string") return refuse("field-invalid", "Not a format name.", `${at}.format`);
      streams.push({ ...flow, modality, format });
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
const AUDIO_NUMBERS = ["channels", "frame_ms"] as const;
