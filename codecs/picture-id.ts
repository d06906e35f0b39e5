/** Picture numbers as the payload descriptors of VP8 (RFC 7741) and VP9 (RFC 9628) write them. */

/** The number of a picture. A sender stays with one width. */
export interface PictureId {
  readonly value: number;
  readonly bits: 7 | 15;
}

/** The picture number at `at`, and the offset after it; undefined where the bytes end before it does. */
export function readPictureId(
  bytes: Uint8Array,
  at: number,
): { readonly pictureId: PictureId; readonly next: number } | undefined {
  const first = bytes[at];
  if (first === undefined) return undefined;
  if ((first & LONG) === 0) return { pictureId: { value: first, bits: 7 }, next: at + 1 };
  const second = bytes[at + 1];
  if (second === undefined) return undefined;
  return { pictureId: { value: ((first & ~LONG) << 8) | second, bits: 15 }, next: at + 2 };
}

/** The bytes of a picture number; what does not fit its width is cut off, as numbers wrap. */
export function pictureIdBytes({ value, bits }: PictureId): readonly number[] {
  return bits === 7 ? [value & 0x7f] : [LONG | ((value >> 8) & 0x7f), value & 0xff];
}

const LONG = 0x80;
