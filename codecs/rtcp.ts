/**
 * RTCP packets one after the other in one datagram (RFC 3550, section 6.1), reduced in size (RFC 5506): no report of RTP's
 * own needs to come first.
 */
import { readU16, writeU16 } from "./big-endian.ts";
import { ok, type Result, refuse } from "./result.ts";

/** Bytes of the header that all RTCP packets have. */
export const RTCP_HEADER_BYTES = 4;
/** Packet types that are read here: those of RTP itself (RFC 3550, section 12.1), and feedback about transport (RFC 4585, section 6.2) and about a payload (section 6.3). */
export const RTCP_TYPES = {
  senderReport: 200,
  receiverReport: 201,
  sourceDescription: 202,
  bye: 203,
  transportFeedback: 205,
  payloadFeedback: 206,
} as const;

/** One packet of a compound, as offsets into its bytes. */
export interface RtcpPacket {
  /** 200 to 213. */
  readonly type: number;
  /** The five bits beside the version: a count or a format, as the type says. */
  readonly count: number;
  /** Where the header begins. */
  readonly offset: number;
  /** Where the content ends, padding left out. */
  readonly end: number;
}

/**
 * Whether the packet at `offset` is RTCP rather than RTP (RFC 5761, section 4): its second byte is 200 to 213, which as RTP
 * would be a marker with payload type 72 to 85. Of those Parley agrees none.
 */
export function isRtcp(bytes: Uint8Array, offset: number): boolean {
  const type = bytes[offset + 1] ?? 0;
  return type >= FIRST_TYPE && type <= LAST_TYPE && (bytes[offset] as number) >>> 6 === 2;
}

/** Takes a compound apart; of what types it consists is for the caller to judge. Never throws. */
export function parseRtcp(bytes: Uint8Array, offset = 0): Result<RtcpPacket[]> {
  const packets: RtcpPacket[] = [];
  let at = offset;
  do {
    if (at + RTCP_HEADER_BYTES > bytes.length) return malformedRtcp("too short", at);
    const first = bytes[at] as number;
    if (!isRtcp(bytes, at)) return malformedRtcp("no RTCP of version 2", at);
    const next = at + RTCP_HEADER_BYTES + 4 * readU16(bytes, at + 2);
    if (next > bytes.length) return malformedRtcp("length reaches beyond the datagram", at);
    let end = next;
    if ((first & PADDING) !== 0) {
      const padding = bytes[next - 1] as number;
      const fits = padding > 0 && padding % 4 === 0 && next - padding >= at + RTCP_HEADER_BYTES;
      if (next !== bytes.length || !fits) return malformedRtcp("padding", at);
      end = next - padding;
    }
    packets.push({ type: bytes[at + 1] as number, count: first & 0x1f, offset: at, end });
    at = next;
  } while (at < bytes.length);
  return ok(packets);
}

/** Writes a header for a packet of `length` bytes in all, a multiple of four; returns the offset after it. */
export function writeRtcpHeader(
  target: Uint8Array,
  offset: number,
  header: { readonly type: number; readonly count: number; readonly length: number },
): number {
  target[offset] = 0x80 | header.count;
  target[offset + 1] = header.type;
  return writeU16(target, offset + 2, header.length / 4 - 1);
}

/** Refuses bytes as RTCP. @internal */
export function malformedRtcp(message: string, offset: number): Result<never> {
  return refuse("rtcp-malformed", message, `byte ${offset}`);
}

const FIRST_TYPE = 200;
const LAST_TYPE = 213;
const PADDING = 0x20;
