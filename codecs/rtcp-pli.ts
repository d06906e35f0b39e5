/** A listener's word that it needs a key frame: Picture Loss Indication (RFC 4585, section 6.3.1). */
import { readU32, writeU32 } from "./big-endian.ts";
import { MAX_U32, requireInteger } from "./field-range.ts";
import { ok, type Result } from "./result.ts";
import { malformedRtcp, RTCP_HEADER_BYTES, RTCP_TYPES, type RtcpPacket, writeRtcpHeader } from "./rtcp.ts";

/** The format, FMT, of this feedback among that about a payload. */
export const PLI_FORMAT = 1;

export interface PictureLoss {
  /** Synchronization source of who says so. */
  readonly sender: number;
  /** Of the stream that needs a key frame. */
  readonly ssrc: number;
}

/** One RTCP packet. Throws `field-invalid` on what does not fit. */
export function encodePictureLoss({ sender, ssrc }: PictureLoss): Uint8Array {
  requireInteger(sender, MAX_U32, "sender");
  requireInteger(ssrc, MAX_U32, "ssrc");
  const bytes = new Uint8Array(BYTES);
  const header = { type: RTCP_TYPES.payloadFeedback, count: PLI_FORMAT, length: BYTES };
  writeU32(bytes, writeU32(bytes, writeRtcpHeader(bytes, 0, header), sender), ssrc);
  return bytes;
}

/** Reads a packet of this type and format. Never throws. */
export function parsePictureLoss(bytes: Uint8Array, packet: RtcpPacket): Result<PictureLoss> {
  const { offset, end } = packet;
  if (packet.type !== RTCP_TYPES.payloadFeedback || packet.count !== PLI_FORMAT)
    return malformedRtcp("no picture loss indication", offset);
  if (end - offset !== BYTES) return malformedRtcp("a picture loss indication has 12 bytes", offset);
  return ok({
    sender: readU32(bytes, offset + RTCP_HEADER_BYTES),
    ssrc: readU32(bytes, offset + RTCP_HEADER_BYTES + 4),
  });
}

const BYTES = RTCP_HEADER_BYTES + 8;
