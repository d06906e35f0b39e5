/**
 * Big-endian integers inside byte arrays. The caller has checked that the bytes are there: none of these looks at the
 * array's length.
 */

/** Unsigned 16 bits at `offset`. */
export function readU16(bytes: Uint8Array, offset: number): number {
  return ((bytes[offset] as number) << 8) | (bytes[offset + 1] as number);
}

/** Unsigned 32 bits at `offset`. */
export function readU32(bytes: Uint8Array, offset: number): number {
  return (
    (((bytes[offset] as number) << 24) |
      ((bytes[offset + 1] as number) << 16) |
      ((bytes[offset + 2] as number) << 8) |
      (bytes[offset + 3] as number)) >>>
    0
  );
}

/** Unsigned 48 bits at `offset`, exact. */
export function readU48(bytes: Uint8Array, offset: number): number {
  return readU32(bytes, offset) * 0x10000 + readU16(bytes, offset + 4);
}

/** Writes the low 16 bits of `value`; returns the offset after them. */
export function writeU16(target: Uint8Array, offset: number, value: number): number {
  target[offset] = value >>> 8;
  target[offset + 1] = value;
  return offset + 2;
}

/** Writes the low 32 bits of `value`; returns the offset after them. */
export function writeU32(target: Uint8Array, offset: number, value: number): number {
  target[offset] = value >>> 24;
  target[offset + 1] = value >>> 16;
  target[offset + 2] = value >>> 8;
  target[offset + 3] = value;
  return offset + 4;
}

/** Writes an integer of 0 to 2^48-1; returns the offset after it. */
export function writeU48(target: Uint8Array, offset: number, value: number): number {
  writeU32(target, offset, Math.floor(value / 0x10000));
  return writeU16(target, offset + 4, value % 0x10000);
}
