/** A command to send a key frame: Full Intra Request (RFC 5104, section 4.3.1). */
import { readU32, writeU32 } from "./big-endian.ts";
import { MAX_U32, requireInteger } from "./field-range.ts";
import { ok, type Result } from "./result.ts";
import { malformedRtcp, RTCP_HEADER_BYTES, RTCP_TYPES, type RtcpPacket, writeRtcpHeader } from "./rtcp.ts";

/** The format, FMT, of this feedback among that about a payload. */
const FIR_FORMAT = 4;

export interface FullIntraRequest {
  /** Synchronization source of who asks. */
  readonly sender: number;
  /** The streams that are to send one. A command that is repeated has the number it had. */
  readonly streams: readonly { readonly ssrc: number; readonly number: number }[];
}

/** One RTCP packet. Throws `field-invalid` on what does not fit. */
export function encodeFullIntra({ sender, streams }: FullIntraRequest): Uint8Array {
  requireInteger(sender, MAX_U32, "sender");
  requireInteger(streams.length, MAX_STREAMS, "streams.length", 1);
  const length = FIXED_BYTES + ENTRY_BYTES * streams.length;
  const bytes = new Uint8Array(length);
  const header = { type: RTCP_TYPES.payloadFeedback, count: FIR_FORMAT, length };
  writeU32(bytes, writeRtcpHeader(bytes, 0, header), sender);
  streams.forEach(({ ssrc, number }, index) => {
    requireInteger(ssrc, MAX_U32, "streams.ssrc");
    requireInteger(number, 255, "streams.number");
    bytes[writeU32(bytes, FIXED_BYTES + ENTRY_BYTES * index, ssrc)] = number;
  });
  return bytes;
}

/** Reads a packet of this type and format. Never throws. */
export function parseFullIntra(bytes: Uint8Array, packet: RtcpPacket): Result<FullIntraRequest> {
  const { offset, end } = packet;
  if (packet.type !== RTCP_TYPES.payloadFeedback || packet.count !== FIR_FORMAT)
    return malformedRtcp("no full intra request", offset);
  const entries = (end - offset - FIXED_BYTES) / ENTRY_BYTES;
  if (!Number.isInteger(entries) || entries < 1)
    return malformedRtcp("a full intra request of no streams, or of parts", end);
  const streams = Array.from({ length: entries }, (_, index) => {
    const at = offset + FIXED_BYTES + ENTRY_BYTES * index;
    return { ssrc: readU32(bytes, at), number: bytes[at + 4] as number };
  });
  return ok({ sender: readU32(bytes, offset + RTCP_HEADER_BYTES), streams });
}

/** More than anybody asks of at once. */
const MAX_STREAMS = 64;
const FIXED_BYTES = RTCP_HEADER_BYTES + 8;
const ENTRY_BYTES = 8;
