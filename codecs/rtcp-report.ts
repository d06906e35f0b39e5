/** What RTP itself reports (RFC 3550, section 6.4): of a sender, what time its timestamps are of; of a receiver, what it lacks. */
import { readU32, writeU32 } from "./big-endian.ts";
import { MAX_U32, requireInteger } from "./field-range.ts";
import type { NtpTime } from "./ntp.ts";
import { ok, type Result } from "./result.ts";
import { malformedRtcp, RTCP_HEADER_BYTES, RTCP_TYPES, type RtcpPacket, writeRtcpHeader } from "./rtcp.ts";

/** What came of one source. */
export interface ReceptionReport {
  readonly ssrc: number;
  /** Lost since the report before, in 1/256 of what was to come. */
  readonly fractionLost: number;
  /** Lost since the beginning; below zero where more came twice. */
  readonly lost: number;
  /** Highest sequence number that came, and above its 16 bits how often it went over the end. */
  readonly highest: number;
  /** Mean deviation of the transit time, in units of the timestamp. */
  readonly jitter: number;
  /** Middle 32 bits of the time in the last report of that source, 0 before the first; and since when it is here, in 1/65,536 s. */
  readonly lastReport: number;
  readonly delay: number;
}

export interface ReceiverReport {
  /** Synchronization source of who reports. */
  readonly sender: number;
  readonly blocks: readonly ReceptionReport[];
}

export interface SenderReport extends ReceiverReport {
  /** The same moment by the wall clock and as a timestamp of the source. */
  readonly time: NtpTime;
  readonly timestamp: number;
  /** Packets sent so far, and octets of payload in them, modulo 2^32. */
  readonly packets: number;
  readonly octets: number;
}

/** One RTCP packet. Throws `field-invalid` on what does not fit. */
export function encodeSenderReport(report: SenderReport): Uint8Array {
  const { time, timestamp, packets, octets } = report;
  const bytes = encodeBlocks(report, RTCP_TYPES.senderReport, SENDER_BYTES);
  let at = RTCP_HEADER_BYTES + 4;
  for (const word of [time.seconds, time.fraction, timestamp, packets, octets]) {
    requireInteger(word, MAX_U32, "report");
    at = writeU32(bytes, at, word);
  }
  return bytes;
}

/** One RTCP packet. Throws `field-invalid` on what does not fit. */
export function encodeReceiverReport(report: ReceiverReport): Uint8Array {
  return encodeBlocks(report, RTCP_TYPES.receiverReport, 0);
}

/** Reads a packet of this type. What profiles add behind is passed over. Never throws. */
export function parseSenderReport(bytes: Uint8Array, packet: RtcpPacket): Result<SenderReport> {
  if (packet.type !== RTCP_TYPES.senderReport) return malformedRtcp("no sender report", packet.offset);
  const report = parseBlocks(bytes, packet, SENDER_BYTES);
  if (!report.ok) return report;
  const at = packet.offset + RTCP_HEADER_BYTES + 4;
  return ok({
    ...report.value,
    time: { seconds: readU32(bytes, at), fraction: readU32(bytes, at + 4) },
    timestamp: readU32(bytes, at + 8),
    packets: readU32(bytes, at + 12),
    octets: readU32(bytes, at + 16),
  });
}

/** Reads a packet of this type. What profiles add behind is passed over. Never throws. */
export function parseReceiverReport(bytes: Uint8Array, packet: RtcpPacket): Result<ReceiverReport> {
  if (packet.type !== RTCP_TYPES.receiverReport) return malformedRtcp("no receiver report", packet.offset);
  return parseBlocks(bytes, packet, 0);
}

function encodeBlocks({ sender, blocks }: ReceiverReport, type: number, own: number): Uint8Array {
  requireInteger(sender, MAX_U32, "sender");
  requireInteger(blocks.length, MAX_BLOCKS, "blocks.length");
  const start = RTCP_HEADER_BYTES + 4 + own;
  const length = start + BLOCK_BYTES * blocks.length;
  const bytes = new Uint8Array(length);
  writeU32(bytes, writeRtcpHeader(bytes, 0, { type, count: blocks.length, length }), sender);
  blocks.forEach((block, index) => {
    requireInteger(block.ssrc, MAX_U32, "blocks.ssrc");
    requireInteger(block.fractionLost, 255, "blocks.fractionLost");
    requireInteger(block.lost, MOST_LOST, "blocks.lost", -MOST_LOST - 1);
    let at = writeU32(bytes, start + BLOCK_BYTES * index, block.ssrc);
    at = writeU32(bytes, at, ((block.fractionLost << 24) | (block.lost & 0xffffff)) >>> 0);
    for (const word of [block.highest, block.jitter, block.lastReport, block.delay]) {
      requireInteger(word, MAX_U32, "blocks");
      at = writeU32(bytes, at, word);
    }
  });
  return bytes;
}

function parseBlocks(bytes: Uint8Array, packet: RtcpPacket, own: number): Result<ReceiverReport> {
  const start = packet.offset + RTCP_HEADER_BYTES + 4 + own;
  if (start + BLOCK_BYTES * packet.count > packet.end)
    return malformedRtcp("fewer blocks than it counts", packet.end);
  const blocks = Array.from({ length: packet.count }, (_, index) => {
    const at = start + BLOCK_BYTES * index;
    const losses = readU32(bytes, at + 4);
    return {
      ssrc: readU32(bytes, at),
      fractionLost: losses >>> 24,
      lost: (losses << 8) >> 8,
      highest: readU32(bytes, at + 8),
      jitter: readU32(bytes, at + 12),
      lastReport: readU32(bytes, at + 16),
      delay: readU32(bytes, at + 20),
    };
  });
  return ok({ sender: readU32(bytes, packet.offset + RTCP_HEADER_BYTES), blocks });
}

const MAX_BLOCKS = 31;
const BLOCK_BYTES = 24;
/** Time, timestamp and counts of a sender. */
const SENDER_BYTES = 20;
const MOST_LOST = 0x7fffff;
