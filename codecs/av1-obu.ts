/** The open bitstream units that AV1 is made of (AV1 bitstream specification section 5.3). */
import { ok, type Result, refuse } from "./result.ts";

/** Kinds of units that anybody here looks for. */
export const OBU_TYPE = {
  sequenceHeader: 1,
  temporalDelimiter: 2,
  frameHeader: 3,
  frame: 6,
  tileList: 8,
} as const;

/** One unit. The bytes are views on what was read. */
export interface Obu {
  readonly type: number;
  /** Header without its size bit: one byte, or two where there are layers. */
  readonly header: Uint8Array;
  readonly content: Uint8Array;
  /** Where the units are of layers: the temporal one, 0 to 7. */
  readonly layer?: number;
}

/**
 * The unit that begins at `start` and ends before `end`, and where it ends. One without a size of its own takes all of it. Fault:
 * `payload-malformed`.
 */
export function readObu(
  bytes: Uint8Array,
  start: number,
  end: number,
): Result<{ readonly obu: Obu; readonly next: number }> {
  const first = bytes[start];
  if (first === undefined || start >= end) return malformed("a unit without a header", start);
  if ((first & FORBIDDEN) !== 0) return malformed("a unit with its forbidden bit set", start);
  const isLayered = (first & HAS_EXTENSION) !== 0;
  const extension = isLayered ? bytes[start + 1] : 0;
  let at = start + (isLayered ? 2 : 1);
  if (extension === undefined || at > end) return malformed("a unit that ends within its header", start);
  const header = Uint8Array.of(first & ~HAS_SIZE, ...(isLayered ? [extension] : []));
  let next = end;
  if ((first & HAS_SIZE) !== 0) {
    const size = readLeb128(bytes, at, end);
    if (size === undefined) return malformed("a size that cannot be read", at);
    at = size.next;
    next = at + size.value;
    if (next > end) return malformed("a unit that passes the end", start);
  }
  const obu: Obu = {
    type: (first >> 3) & 0x0f,
    header,
    content: bytes.subarray(at, next),
    ...(isLayered ? { layer: extension >> 5 } : {}),
  };
  return ok({ obu, next });
}

/** An unsigned number of seven bits a byte, lowest first, up to 32 bits in eight bytes; undefined where it is cut or larger. */
export function readLeb128(
  bytes: Uint8Array,
  start: number,
  end: number,
): { readonly value: number; readonly next: number } | undefined {
  let value = 0;
  for (let index = 0; index < MAX_LEB128_BYTES && start + index < end; index += 1) {
    const byte = bytes[start + index] as number;
    value += (byte & 0x7f) * 2 ** (7 * index);
    if ((byte & 0x80) === 0) return value > 0xffffffff ? undefined : { value, next: start + index + 1 };
  }
  return undefined;
}

/** The shortest bytes of a number below 2^32. */
export function leb128Bytes(value: number): number[] {
  const bytes: number[] = [];
  let left = value;
  for (; left > 0x7f; left = Math.floor(left / 0x80)) bytes.push((left & 0x7f) | 0x80);
  bytes.push(left);
  return bytes;
}

/** Bit of a unit's first byte that says that its size follows. */
export const HAS_SIZE = 0x02;
const HAS_EXTENSION = 0x04;
const FORBIDDEN = 0x80;
const MAX_LEB128_BYTES = 8;

function malformed(message: string, offset: number): Result<never> {
  return refuse("payload-malformed", `AV1 payload: ${message}`, `byte ${offset}`);
}
