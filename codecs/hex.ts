import { ok, type Result, refuse } from "./result.ts";

/** Lowercase hexadecimal text of `bytes`. */
export function encodeHex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) {
    text += PAIRS[byte];
  }
  return text;
}

/**
 * Strict inverse of `encodeHex`: lowercase digits only, in pairs. `length`, when given, is the exact number of bytes
 * wanted. Faults: `field-invalid` with `at` as given.
 */
export function decodeHex(text: string, length?: number, at?: string): Result<Uint8Array> {
  if (text.length % 2 !== 0 || !LOWER_HEX.test(text)) {
    return refuse("field-invalid", "Not lowercase hexadecimal digits in pairs.", at);
  }
  if (length !== undefined && text.length !== length * 2) {
    return refuse("field-invalid", `Not ${length} bytes of hexadecimal.`, at);
  }
  const bytes = new Uint8Array(text.length / 2);
  for (let index = 0; index < bytes.length; index += 1) {
    bytes[index] = Number.parseInt(text.slice(index * 2, index * 2 + 2), 16);
  }
  return ok(bytes);
}

const LOWER_HEX = /^[0-9a-f]*$/;
const PAIRS = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
