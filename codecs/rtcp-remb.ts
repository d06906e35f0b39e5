/** How much a receiver takes at most: the REMB message (draft-alvestrand-rmcat-remb-03, section 2.2). */
import { readU32, writeU32 } from "./big-endian.ts";
import { MAX_U32, requireInteger } from "./field-range.ts";
import { ok, type Result } from "./result.ts";
import { malformedRtcp, RTCP_HEADER_BYTES, RTCP_TYPES, type RtcpPacket, writeRtcpHeader } from "./rtcp.ts";

/** The format, FMT, of application layer feedback (RFC 4585, section 6.4), which REMB is. */
export const REMB_FORMAT = 15;
/** Streams that one message may name. */
const MAX_REMB_STREAMS = 255;

export interface Remb {
  /** Synchronization source of who says so. */
  readonly sender: number;
  /** Bits a second, of all streams named together. Written with 18 significant bits, rounded down. */
  readonly bitsPerSecond: number;
  /** Synchronization sources of the streams it is about. */
  readonly streams: readonly number[];
}

/** One RTCP packet. Throws `field-invalid` on what does not fit. */
export function encodeRemb(remb: Remb): Uint8Array {
  requireInteger(remb.sender, MAX_U32, "sender");
  requireInteger(remb.bitsPerSecond, Number.MAX_SAFE_INTEGER, "bitsPerSecond");
  requireInteger(remb.streams.length, MAX_REMB_STREAMS, "streams.length");
  const length = FIXED_BYTES + 4 * remb.streams.length;
  const bytes = new Uint8Array(length);
  writeRtcpHeader(bytes, 0, { type: RTCP_TYPES.payloadFeedback, count: REMB_FORMAT, length });
  writeU32(bytes, RTCP_HEADER_BYTES, remb.sender);
  writeU32(bytes, NAME, REMB_NAME);
  const exponent = Math.max(0, Math.ceil(Math.log2((remb.bitsPerSecond + 1) / 2 ** MANTISSA_BITS)));
  const mantissa = Math.floor(remb.bitsPerSecond / 2 ** exponent);
  bytes[COUNT] = remb.streams.length;
  bytes[RATE] = (exponent << 2) | (mantissa >>> 16);
  bytes[RATE + 1] = mantissa >>> 8;
  bytes[RATE + 2] = mantissa;
  let at = FIXED_BYTES;
  for (const ssrc of remb.streams) {
    requireInteger(ssrc, MAX_U32, "streams");
    at = writeU32(bytes, at, ssrc);
  }
  return bytes;
}

/** Reads a packet of this type and format. Never throws. */
export function parseRemb(bytes: Uint8Array, packet: RtcpPacket): Result<Remb> {
  const { offset, end } = packet;
  if (packet.type !== RTCP_TYPES.payloadFeedback || packet.count !== REMB_FORMAT)
    return malformedRtcp("no application layer feedback", offset);
  if (end - offset < FIXED_BYTES || readU32(bytes, offset + NAME) !== REMB_NAME)
    return malformedRtcp("no REMB", offset);
  const count = bytes[offset + COUNT] as number;
  if (end - offset !== FIXED_BYTES + 4 * count) return malformedRtcp("other streams than it counts", end);
  const rate = readU32(bytes, offset + COUNT) & 0xffffff;
  const streams = Array.from({ length: count }, (_, index) =>
    readU32(bytes, offset + FIXED_BYTES + 4 * index),
  );
  const bitsPerSecond = (rate & (2 ** MANTISSA_BITS - 1)) * 2 ** (rate >>> MANTISSA_BITS);
  // Nobody takes more than can be counted: an exponent of up to 63 says more than that.
  const countable = Math.min(bitsPerSecond, Number.MAX_SAFE_INTEGER);
  return ok({ sender: readU32(bytes, offset + RTCP_HEADER_BYTES), bitsPerSecond: countable, streams });
}

/** "REMB". */
const REMB_NAME = 0x52454d42;
const MANTISSA_BITS = 18;
const NAME = RTCP_HEADER_BYTES + 8;
const COUNT = NAME + 4;
const RATE = COUNT + 1;
const FIXED_BYTES = COUNT + 4;
