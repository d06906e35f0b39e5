/** Who a source is, and that it is gone (RFC 3550, sections 6.5 and 6.6). */
import { readU32, writeU32 } from "./big-endian.ts";
import { MAX_U32, requireInteger } from "./field-range.ts";
import { ok, type Result } from "./result.ts";
import { malformedRtcp, RTCP_HEADER_BYTES, RTCP_TYPES, type RtcpPacket, writeRtcpHeader } from "./rtcp.ts";

/** A source and its canonical name: sources of the same name are played in step. One RTCP packet. Throws `field-invalid` on what does not fit. */
export function encodeCanonicalName({
  ssrc,
  name,
}: {
  readonly ssrc: number;
  readonly name: string;
}): Uint8Array {
  requireInteger(ssrc, MAX_U32, "ssrc");
  const text = new TextEncoder().encode(name);
  requireInteger(text.length, MAX_TEXT, "name.length", 1);
  // One null at least ends the items of a source.
  const length = 4 * Math.ceil((RTCP_HEADER_BYTES + 4 + 2 + text.length + 1) / 4);
  const bytes = new Uint8Array(length);
  const header = { type: RTCP_TYPES.sourceDescription, count: 1, length };
  const at = writeU32(bytes, writeRtcpHeader(bytes, 0, header), ssrc);
  bytes.set([CNAME, text.length], at);
  bytes.set(text, at + 2);
  return bytes;
}

/** Sources that are gone, and why. */
export interface Goodbye {
  readonly streams: readonly number[];
  readonly reason?: string;
}

/** One RTCP packet. Throws `field-invalid` on what does not fit. */
export function encodeGoodbye({ streams, reason }: Goodbye): Uint8Array {
  requireInteger(streams.length, MAX_STREAMS, "streams.length");
  const text = reason === undefined ? undefined : new TextEncoder().encode(reason);
  requireInteger(text?.length ?? 0, MAX_TEXT, "reason.length");
  const fixed = RTCP_HEADER_BYTES + 4 * streams.length;
  const length = text === undefined ? fixed : fixed + 4 * Math.ceil((1 + text.length) / 4);
  const bytes = new Uint8Array(length);
  let at = writeRtcpHeader(bytes, 0, { type: RTCP_TYPES.bye, count: streams.length, length });
  for (const ssrc of streams) {
    requireInteger(ssrc, MAX_U32, "streams");
    at = writeU32(bytes, at, ssrc);
  }
  if (text !== undefined) {
    bytes[at] = text.length;
    bytes.set(text, at + 1);
  }
  return bytes;
}

/** Reads a packet of this type. Never throws. */
export function parseGoodbye(bytes: Uint8Array, packet: RtcpPacket): Result<Goodbye> {
  if (packet.type !== RTCP_TYPES.bye) return malformedRtcp("no goodbye", packet.offset);
  const start = packet.offset + RTCP_HEADER_BYTES;
  const at = start + 4 * packet.count;
  if (at > packet.end) return malformedRtcp("fewer sources than it counts", packet.end);
  const streams = Array.from({ length: packet.count }, (_, index) => readU32(bytes, start + 4 * index));
  if (at === packet.end) return ok({ streams });
  const end = at + 1 + (bytes[at] as number);
  if (end > packet.end) return malformedRtcp("a reason that passes the end", at);
  return ok({ streams, reason: new TextDecoder().decode(bytes.subarray(at + 1, end)) });
}

const CNAME = 1;
const MAX_TEXT = 255;
const MAX_STREAMS = 31;
