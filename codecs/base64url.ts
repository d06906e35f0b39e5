import { ok, type Result, refuse } from "./result.ts";

/** Base64url without padding (RFC 4648 section 5, RFC 7515 section 2). */
export function encodeBase64url(bytes: Uint8Array): string {
  const out = new Uint8Array(Math.ceil((bytes.length * 4) / 3));
  let to = 0;
  for (let from = 0; from < bytes.length; from += 3) {
    const group = ((bytes[from] as number) << 16) | ((bytes[from + 1] ?? 0) << 8) | (bytes[from + 2] ?? 0);
    // Stores past the end of a typed array are dropped, which is what cuts the last group.
    out[to] = ALPHABET[group >>> 18] as number;
    out[to + 1] = ALPHABET[(group >>> 12) & 63] as number;
    out[to + 2] = ALPHABET[(group >>> 6) & 63] as number;
    out[to + 3] = ALPHABET[group & 63] as number;
    to += 4;
  }
  return decoder.decode(out);
}

/**
 * Strict inverse of `encodeBase64url`: only its alphabet, no padding, no whitespace, and unused trailing bits zero, so
 * that one value has one text. Faults: `field-invalid` with `at` as given, or the character's place.
 */
export function decodeBase64url(text: string, at?: string): Result<Uint8Array> {
  const rest = text.length % 4;
  if (rest === 1) {
    return refuse("field-invalid", "Base64url text cannot have this length.", at);
  }
  const out = new Uint8Array(Math.floor((text.length * 3) / 4));
  let bits = 0;
  let held = 0;
  let to = 0;
  for (let index = 0; index < text.length; index += 1) {
    const value = VALUES[text.charCodeAt(index)] ?? 255;
    if (value === 255) {
      return refuse(
        "field-invalid",
        "A character outside the base64url alphabet.",
        at ?? `character ${index}`,
      );
    }
    bits = ((bits << 6) | value) & 0xffff;
    held += 6;
    if (held >= 8) {
      held -= 8;
      out[to] = bits >>> held;
      to += 1;
    }
  }
  if ((bits & ((1 << held) - 1)) !== 0) {
    return refuse(
      "field-invalid",
      "Base64url text with unused bits that are not zero.",
      at ?? `character ${text.length - 1}`,
    );
  }
  return ok(out);
}

const ALPHABET = new TextEncoder().encode("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");
const VALUES = new Uint8Array(128).fill(255);
ALPHABET.forEach((code, value) => {
  VALUES[code] = value;
});
const decoder = new TextDecoder();
