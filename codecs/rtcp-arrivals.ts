/** What arrived when, of each stream: RTCP congestion control feedback (RFC 8888, section 3.1). */
import { readU16, readU32, writeU16, writeU32 } from "./big-endian.ts";
import { MAX_U16, MAX_U32, requireInteger } from "./field-range.ts";
import { ok, type Result } from "./result.ts";
import { malformedRtcp, RTCP_HEADER_BYTES, RTCP_TYPES, type RtcpPacket, writeRtcpHeader } from "./rtcp.ts";

/** The format, FMT, of this feedback among that about transport. */
export const ARRIVALS_FORMAT = 11;
/** Packets of one stream that a report may speak of. */
const MAX_REPORTED = 16_384;
/** Steps of an arrival's offset and of a second. */
export const OFFSETS_PER_SECOND = 1024;
/** Steps of a report's time in a second: the middle 32 bits of an NTP time. */
export const REPORT_TIMES_PER_SECOND = 65_536;
/** The largest offset that is told exactly, just under 8 s. */
export const MAX_OFFSET = 8_189;

/** A report on all streams of a hop. */
export interface ArrivalReport {
  /** Synchronization source of who reports. */
  readonly sender: number;
  readonly streams: readonly StreamArrivals[];
  /** When it was made, 1/65536 s of any clock, 32 bits: it wraps every 18 hours. */
  readonly time: number;
}

/** What a report says of one stream. */
export interface StreamArrivals {
  readonly ssrc: number;
  /** The RTP sequence number that the first of `packets` is about; the others follow, over the wrap. */
  readonly begin: number;
  /** One entry for each packet: see {@link arrivalOf}. 0 where it did not arrive. */
  readonly packets: Uint16Array;
}

/** One packet's entry: that it arrived, `offset` steps of 1/1024 s before the report was made, with these two ECN bits. */
export function arrivalEntry(offset: number, ecn = 0): number {
  return RECEIVED | (ecn << 13) | (offset > MAX_OFFSET ? OFFSET_TOO_LONG : offset);
}

/** Steps of 1/1024 s between an arrival and the report; `undefined` when it did not arrive, or its time is not told. */
export function arrivalOf(entry: number): number | undefined {
  if ((entry & RECEIVED) === 0) return undefined;
  const offset = entry & OFFSET_UNKNOWN;
  return offset > MAX_OFFSET ? undefined : offset;
}

/** Whether the packet arrived, its time told or not. */
export function hasArrived(entry: number): boolean {
  return (entry & RECEIVED) !== 0;
}

/** The two ECN bits of an entry (RFC 3168): 3 is congestion experienced. */
export function ecnOf(entry: number): number {
  return (entry >>> 13) & 3;
}

/** Bytes that a report of so many streams and packets in them has, each stream's entries in pairs. */
export function arrivalReportBytes(packets: readonly number[]): number {
  return packets.reduce((sum, count) => sum + STREAM_BYTES + 2 * (count + (count & 1)), FIXED_BYTES);
}

/** One RTCP packet. Throws `field-invalid` on what does not fit. */
export function encodeArrivalReport(report: ArrivalReport): Uint8Array {
  requireInteger(report.sender, MAX_U32, "sender");
  requireInteger(report.time, MAX_U32, "time");
  const length = arrivalReportBytes(report.streams.map(({ packets }) => packets.length));
  requireInteger(length, 4 * MAX_U16, "streams");
  const bytes = new Uint8Array(length);
  const header = { type: RTCP_TYPES.transportFeedback, count: ARRIVALS_FORMAT, length };
  let at = writeU32(bytes, writeRtcpHeader(bytes, 0, header), report.sender);
  for (const { ssrc, begin, packets } of report.streams) {
    requireInteger(ssrc, MAX_U32, "ssrc");
    requireInteger(begin, MAX_U16, "begin");
    requireInteger(packets.length, MAX_REPORTED, "packets.length");
    at = writeU32(bytes, at, ssrc);
    at = writeU16(bytes, at, begin);
    at = writeU16(bytes, at, packets.length);
    for (const entry of packets) at = writeU16(bytes, at, entry);
    at += 2 * (packets.length & 1);
  }
  writeU32(bytes, at, report.time);
  return bytes;
}

/** Reads a packet that is of this type and format. The result keeps no reference to `bytes`. Never throws. */
export function parseArrivalReport(bytes: Uint8Array, packet: RtcpPacket): Result<ArrivalReport> {
  const start = packet.offset + RTCP_HEADER_BYTES;
  const streamsEnd = packet.end - TIME_BYTES;
  if (packet.type !== RTCP_TYPES.transportFeedback || packet.count !== ARRIVALS_FORMAT)
    return malformedRtcp("no congestion control feedback", packet.offset);
  if (start + 4 > streamsEnd) return malformedRtcp("too short", packet.end);
  const streams: StreamArrivals[] = [];
  let at = start + 4;
  while (at < streamsEnd) {
    if (at + STREAM_BYTES > streamsEnd) return malformedRtcp("a stream's report is cut off", at);
    const count = readU16(bytes, at + 6);
    const entries = at + STREAM_BYTES;
    const next = entries + 2 * (count + (count & 1));
    if (count > MAX_REPORTED || next > streamsEnd)
      return malformedRtcp("more packets than there are", at + 6);
    const packets = new Uint16Array(count);
    for (let index = 0; index < count; index += 1) packets[index] = readU16(bytes, entries + 2 * index);
    streams.push({ ssrc: readU32(bytes, at), begin: readU16(bytes, at + 4), packets });
    at = next;
  }
  return ok({ sender: readU32(bytes, start), streams, time: readU32(bytes, streamsEnd) });
}

const RECEIVED = 0x8000;
/** Arrived longer before the report than can be told. */
const OFFSET_TOO_LONG = 0x1ffe;
/** Arrived at a time that is not told; all of the offset's bits. */
const OFFSET_UNKNOWN = 0x1fff;
const STREAM_BYTES = 8;
const TIME_BYTES = 4;
const FIXED_BYTES = RTCP_HEADER_BYTES + 4 + TIME_BYTES;
