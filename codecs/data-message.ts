import { canonicalBytes, type JsonValue, parseCanonical } from "./canonical-json.ts";
import type { DataFormatName } from "./data-formats.ts";
import { ParleyError } from "./parley-error.ts";
import { ok, type Result, refuse } from "./result.ts";

/** Longest payload of one data message, bytes. A longer one is refused where it is made, by the relay and where it is read. */
export const MAX_DATA_MESSAGE_BYTES = 16 * 1024;

/** The same of a message of latest values, which goes in one datagram. */
export const MAX_LATEST_MESSAGE_BYTES = 1_024;

/** What one message says: a JSON value, a text in format `text`, bytes in format `binary`. */
export type DataValue = JsonValue | Uint8Array;

/**
 * The payload of one message of format `json`: RFC 8785 canonical JSON. Throws `json-unrepresentable` for what has no such
 * form, `too-large` with `details.bytes` for more than {@link MAX_DATA_MESSAGE_BYTES}.
 */
export function encodeDataMessage(value: unknown): Uint8Array {
  return atMost(canonicalBytes(value), MAX_DATA_MESSAGE_BYTES);
}

/** The value of one message of format `json`. Faults: `too-large`, `json-not-canonical`. */
export function decodeDataMessage(payload: Uint8Array): Result<JsonValue> {
  return isTooLong(payload) ? tooLong() : parseCanonical(payload);
}

/**
 * The payload of one message of any format, of at most `limit` bytes. Throws as {@link encodeDataMessage}, and `field-invalid` for what is no text
 * (lone surrogates included) or no `Uint8Array`. Bytes are copied.
 */
export function encodeData(
  format: DataFormatName,
  value: unknown,
  limit = MAX_DATA_MESSAGE_BYTES,
): Uint8Array {
  return atMost(ENCODERS[format](value), limit);
}

/** What one message of any format says; bytes are a copy. Faults: `too-large`, `json-not-canonical`, `payload-malformed`. */
export function decodeData(format: DataFormatName, payload: Uint8Array): Result<DataValue> {
  return isTooLong(payload) ? tooLong() : DECODERS[format](payload);
}

const ENCODERS: Readonly<Record<DataFormatName, (value: unknown) => Uint8Array>> = {
  json: canonicalBytes,
  text: (value) => {
    if (typeof value === "string" && value.isWellFormed()) return encoder.encode(value);
    throw new ParleyError({ code: "field-invalid", message: "Not a well-formed text.", at: "value" });
  },
  binary: (value) => {
    if (value instanceof Uint8Array) return value.slice();
    throw new ParleyError({ code: "field-invalid", message: "Not a Uint8Array.", at: "value" });
  },
};

const DECODERS: Readonly<Record<DataFormatName, (payload: Uint8Array) => Result<DataValue>>> = {
  json: parseCanonical,
  text: (payload) => {
    try {
      return ok(decoder.decode(payload));
    } catch {
      return refuse("payload-malformed", "A text message is not UTF-8.");
    }
  },
  binary: (payload) => ok(payload.slice()),
};

function isTooLong(payload: Uint8Array): boolean {
  return payload.length > MAX_DATA_MESSAGE_BYTES;
}

function tooLong(): Result<never> {
  return refuse("too-large", `A data message has at most ${MAX_DATA_MESSAGE_BYTES} bytes.`);
}

function atMost(payload: Uint8Array, limit: number): Uint8Array {
  if (payload.length <= limit) return payload;
  throw new ParleyError({
    code: "too-large",
    message: `A data message has at most ${limit} bytes.`,
    details: { bytes: payload.length, limit },
  });
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
