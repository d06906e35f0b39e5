/** Redundant audio data (RFC 2198): one payload that carries earlier ones beside the present one. */
import { ok, type Result, refuse } from "./result.ts";

/** Earlier payloads that one packet carries at most; one with more is refused. */
export const MAX_RED_BLOCKS = 4;
/** Timestamp units that an earlier payload may lie back: 14 bits. */
export const MAX_RED_OFFSET = 0x3fff;
/** Bytes that an earlier payload may have: 10 bits. */
export const MAX_RED_BLOCK_BYTES = 0x3ff;
/** Bytes before each earlier payload's data, and before the present one's. */
export const RED_BLOCK_HEADER_BYTES = 4;
export const RED_LAST_HEADER_BYTES = 1;

/** An earlier payload. */
export interface RedBlock {
  readonly payloadType: number;
  /** By how much its timestamp lies before the packet's, in units of the RTP clock. */
  readonly timestampOffset: number;
  readonly payload: Uint8Array;
}

/** What one packet carries. */
export interface RedPayload {
  /** Oldest first. */
  readonly earlier: readonly RedBlock[];
  /** Of the present payload. */
  readonly payloadType: number;
  readonly payload: Uint8Array;
}

/** One payload out of all of them, a new array. The fields must fit: see the limits above. */
export function writeRed({ earlier, payloadType, payload }: RedPayload): Uint8Array {
  const data = earlier.reduce((sum, block) => sum + block.payload.length, payload.length);
  const bytes = new Uint8Array(earlier.length * RED_BLOCK_HEADER_BYTES + RED_LAST_HEADER_BYTES + data);
  let at = 0;
  for (const block of earlier) {
    const { timestampOffset: offset, payload: carried } = block;
    bytes[at++] = FOLLOWED | block.payloadType;
    bytes[at++] = offset >> 6;
    bytes[at++] = ((offset & 0x3f) << 2) | (carried.length >> 8);
    bytes[at++] = carried.length & 0xff;
  }
  bytes[at++] = payloadType;
  for (const block of earlier) {
    bytes.set(block.payload, at);
    at += block.payload.length;
  }
  bytes.set(payload, at);
  return bytes;
}

/** What a payload carries, as views on `bytes`. Fault: `payload-malformed`. */
export function parseRed(bytes: Uint8Array): Result<RedPayload> {
  const headers: { payloadType: number; timestampOffset: number; length: number }[] = [];
  let at = 0;
  for (;;) {
    const first = bytes[at];
    if (first === undefined) return malformed("ends within its headers", at);
    if ((first & FOLLOWED) === 0) break;
    if (headers.length === MAX_RED_BLOCKS) return malformed("carries too many earlier payloads", at);
    if (at + RED_BLOCK_HEADER_BYTES > bytes.length) return malformed("ends within its headers", at);
    const [high, middle, low] = [bytes[at + 1], bytes[at + 2], bytes[at + 3]] as [number, number, number];
    headers.push({
      payloadType: first & 0x7f,
      timestampOffset: (high << 6) | (middle >> 2),
      length: ((middle & 0x03) << 8) | low,
    });
    at += RED_BLOCK_HEADER_BYTES;
  }
  const payloadType = bytes[at] as number;
  at += RED_LAST_HEADER_BYTES;
  const earlier: RedBlock[] = [];
  for (const { length, ...block } of headers) {
    if (at + length > bytes.length) return malformed("ends within an earlier payload", at);
    earlier.push({ ...block, payload: bytes.subarray(at, at + length) });
    at += length;
  }
  return ok({ earlier, payloadType, payload: bytes.subarray(at) });
}

function malformed(what: string, at: number): Result<never> {
  return refuse("payload-malformed", `The redundant payload ${what}.`, `byte ${at}`);
}

/** The header's first bit: another follows. */
const FOLLOWED = 0x80;
