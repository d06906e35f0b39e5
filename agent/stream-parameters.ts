import { ok, type Result, refuse } from "../codecs/result.ts";

/** One direction of one stream, as the server laid it out for this end's connection. */
export interface StreamParameters {
  readonly stream: number;
  readonly modality: "audio";
  /** Leg of the speaker. */
  readonly leg: number;
  readonly direction: "send" | "receive";
  /** Flow of the media frames, of the speaker's checkpoints, and of the listener's receipts. */
  readonly flow: number;
  readonly checkpointFlow: number;
  readonly receiptFlow: number;
  readonly ssrc: number;
  readonly payloadType: number;
  readonly codec: string;
  readonly clockRate: number;
  readonly channels: number;
  readonly frameMs: number;
}

/** Reads `result.streams` of an answer to ESTABLISH or CONFIRM. */
export function readStreamParameters(value: unknown): Result<StreamParameters[]> {
  if (!Array.isArray(value)) return refuse("field-invalid", "The answer lists no streams.", "streams");
  const streams: StreamParameters[] = [];
  for (const [index, entry] of value.entries()) {
    const at = `streams[${index}]`;
    if (typeof entry !== "object" || entry === null) return refuse("field-invalid", "Not an object.", at);
    const fields = entry as Readonly<Record<string, unknown>>;
    const missing = NUMBERS.find(
      (name) => !Number.isSafeInteger(fields[name]) || (fields[name] as number) < 0,
    );
    if (missing !== undefined) return refuse("field-invalid", "Not a whole number.", `${at}.${missing}`);
    const { direction, codec, modality } = fields;
    if (direction !== "send" && direction !== "receive") {
      return refuse("field-invalid", "Neither send nor receive.", `${at}.direction`);
    }
    if (typeof codec !== "string") return refuse("field-invalid", "Not a codec name.", `${at}.codec`);
    if (modality !== "audio") return refuse("field-invalid", "Not a modality known here.", `${at}.modality`);
    const number = (name: (typeof NUMBERS)[number]) => fields[name] as number;
    streams.push({
      stream: number("stream"),
      modality,
      leg: number("leg"),
      direction,
      flow: number("flow"),
      checkpointFlow: number("checkpoint_flow"),
      receiptFlow: number("receipt_flow"),
      ssrc: number("ssrc"),
      payloadType: number("payload_type"),
      codec,
      clockRate: number("clock_rate"),
      channels: number("channels"),
      frameMs: number("frame_ms"),
    });
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
  "channels",
  "frame_ms",
] as const;
