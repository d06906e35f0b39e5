import { canonicalBytes, type JsonValue, parseCanonical } from "./canonical-json.ts";
import { ParleyError } from "./parley-error.ts";
import { type Result, refuse } from "./result.ts";

/** Longest payload of one data message, bytes. A longer one is refused where it is made, by the relay and where it is read. */
export const MAX_DATA_MESSAGE_BYTES = 16 * 1024;

/**
 * The payload of one message of format `json`: RFC 8785 canonical JSON. Throws `json-unrepresentable` for what has no such
 * form, `too-large` with `details.bytes` for more than {@link MAX_DATA_MESSAGE_BYTES}.
 */
export function encodeDataMessage(value: unknown): Uint8Array {
  const payload = canonicalBytes(value);
  if (payload.length <= MAX_DATA_MESSAGE_BYTES) return payload;
  throw new ParleyError({
    code: "too-large",
    message: `A data message has at most ${MAX_DATA_MESSAGE_BYTES} bytes.`,
    details: { bytes: payload.length, limit: MAX_DATA_MESSAGE_BYTES },
  });
}

/** The value of one message. Faults: `too-large`, `json-not-canonical`. */
export function decodeDataMessage(payload: Uint8Array): Result<JsonValue> {
  if (payload.length > MAX_DATA_MESSAGE_BYTES) {
    return refuse("too-large", `A data message has at most ${MAX_DATA_MESSAGE_BYTES} bytes.`);
  }
  return parseCanonical(payload);
}
