/**
 * QUIC variable-length integers (RFC 9000 section 16): flow identifiers and lengths. Values are JS numbers, so
 * those past 2^53-1 can be read over but not told apart.
 */
import { requireInteger } from "./field-range.ts";

/** Longest encoding, bytes. */
export const MAX_VARINT_BYTES = 8;

/** Bytes the encoding that starts with byte `first` takes: 1, 2, 4 or 8. */
export function varintLength(first: number): number {
  return 1 << (first >> 6);
}

/**
 * The integer at `offset`, in any of the encodings it may have, also longer ones than needed. NaN when the bytes end
 * before it does (`end` bounds them; default: the whole array). Infinity for values past 2^53-1, so that a caller's
 * own cap refuses them. How far to go on: `varintLength(bytes[offset])`.
 */
export function readVarint(bytes: Uint8Array, offset: number, end: number = bytes.length): number {
  if (!(offset < end)) return Number.NaN;
  const first = bytes[offset] as number;
  if (first < 0x40) return first;
  const length = varintLength(first);
  if (offset + length > end) return Number.NaN;
  let value = first & 0x3f;
  for (let at = 1; at < length; at++) value = value * 256 + (bytes[offset + at] as number);
  return value > Number.MAX_SAFE_INTEGER ? Number.POSITIVE_INFINITY : value;
}

/** Bytes of the shortest encoding of `value`. Throws `field-invalid` unless it is an integer of 0 to 2^53-1. */
export function varintSize(value: number): number {
  requireInteger(value, Number.MAX_SAFE_INTEGER, "varint");
  if (value < 0x40) return 1;
  if (value < 0x4000) return 2;
  return value < 0x40000000 ? 4 : 8;
}

/**
 * Writes the shortest encoding of `value` and returns the offset after it. The target must have room
 * (`varintSize(value)`). Throws `field-invalid` unless `value` is an integer of 0 to 2^53-1.
 */
export function writeVarint(target: Uint8Array, offset: number, value: number): number {
  const length = varintSize(value);
  let rest = value;
  for (let at = length - 1; at > 0; at--) {
    target[offset + at] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  target[offset] = rest | (Math.log2(length) << 6);
  return offset + length;
}

/** The shortest encoding of `value`. Throws `field-invalid` unless it is an integer of 0 to 2^53-1. */
export function encodeVarint(value: number): Uint8Array {
  const bytes = new Uint8Array(varintSize(value));
  writeVarint(bytes, 0, value);
  return bytes;
}
