/** RTP packets of other implementations, whatever is in their headers (RFC 3550 section 5.1, RFC 8285): what WebRTC sends and takes. */
import { readU16, readU32, writeU16, writeU32 } from "./big-endian.ts";
import { MAX_U16, MAX_U32, requireInteger } from "./field-range.ts";
import { ok, type Result, refuse } from "./result.ts";
import { MAX_PAYLOAD_TYPE, RTP_HEADER_BYTES, TWO_BYTE_PROFILE } from "./rtp.ts";

/** An element of the header extension. */
export interface RtpExtension {
  /** As the session agreed on: 1 to 14, or to 255 in the two-byte form. */
  readonly id: number;
  readonly data: Uint8Array;
}

/** One packet. What was parsed has views on its bytes. */
export interface RtpPacket {
  readonly marker: boolean;
  /** 0 to 127. */
  readonly payloadType: number;
  /** 16 bits. */
  readonly sequence: number;
  /** Unsigned 32 bits, in the format's clock rate. */
  readonly timestamp: number;
  /** Synchronization source, unsigned 32 bits. */
  readonly ssrc: number;
  readonly extensions: readonly RtpExtension[];
  /** Without padding; empty in packets that are nothing else. */
  readonly payload: Uint8Array;
}

/** Reads a packet. Refuses with `rtp-malformed` what is cut or of another version; contributing sources and extensions of unknown shape are passed over. */
export function parseRtpPacket(bytes: Uint8Array): Result<RtpPacket> {
  if (bytes.length < RTP_HEADER_BYTES) return malformed("shorter than its header", bytes.length);
  const first = bytes[0] as number;
  if (first >>> 6 !== VERSION) return malformed("of another version", 0);
  let at = RTP_HEADER_BYTES + 4 * (first & CONTRIBUTORS);
  let end = bytes.length;
  if ((first & PADDING) !== 0) {
    const padding = bytes[end - 1] as number;
    if (padding === 0 || end - padding < at) return malformed("padding", end - 1);
    end -= padding;
  }
  let extensions: readonly RtpExtension[] = [];
  if ((first & EXTENDED) !== 0) {
    const start = at + 4;
    const after = start > end ? start : start + 4 * readU16(bytes, at + 2);
    if (after > end) return malformed("extensions pass the end", at);
    extensions = readExtensions(bytes.subarray(start, after), readU16(bytes, at));
    at = after;
  }
  if (at > end) return malformed("contributing sources pass the end", RTP_HEADER_BYTES);
  const second = bytes[1] as number;
  return ok({
    marker: (second & MARKER) !== 0,
    payloadType: second & MAX_PAYLOAD_TYPE,
    sequence: readU16(bytes, 2),
    timestamp: readU32(bytes, 4),
    ssrc: readU32(bytes, 8),
    extensions,
    payload: bytes.subarray(at, end),
  });
}

/** The bytes of a packet, a new array; extensions in the shortest form that takes them all. Throws `field-invalid` on what does not fit. */
export function writeRtpPacket(packet: RtpPacket): Uint8Array {
  requireInteger(packet.payloadType, MAX_PAYLOAD_TYPE, "payloadType");
  requireInteger(packet.sequence, MAX_U16, "sequence");
  requireInteger(packet.timestamp, MAX_U32, "timestamp");
  requireInteger(packet.ssrc, MAX_U32, "ssrc");
  const { extensions, payload } = packet;
  const isShort = extensions.every(
    ({ id, data }) => id < ONE_BYTE_END && data.length > 0 && data.length <= ONE_BYTE_MOST,
  );
  const head = isShort ? 1 : 2;
  const elements = extensions.reduce((sum, { data }) => sum + head + data.length, 0);
  const block = extensions.length === 0 ? 0 : 4 + 4 * Math.ceil(elements / 4);
  const bytes = new Uint8Array(RTP_HEADER_BYTES + block + payload.length);
  bytes[0] = (VERSION << 6) | (block === 0 ? 0 : EXTENDED);
  bytes[1] = (packet.marker ? MARKER : 0) | packet.payloadType;
  let at = writeU16(bytes, 2, packet.sequence);
  at = writeU32(bytes, at, packet.timestamp);
  at = writeU32(bytes, at, packet.ssrc);
  if (block > 0) {
    at = writeU16(bytes, at, isShort ? ONE_BYTE_PROFILE : TWO_BYTE_PROFILE);
    at = writeU16(bytes, at, block / 4 - 1);
    for (const { id, data } of extensions) {
      requireInteger(id, MAX_ID, "extensions.id", 1);
      requireInteger(data.length, MAX_ID, "extensions.data.length");
      if (isShort) bytes[at++] = (id << 4) | (data.length - 1);
      else at = writeU16(bytes, at, (id << 8) | data.length);
      bytes.set(data, at);
      at += data.length;
    }
  }
  bytes.set(payload, RTP_HEADER_BYTES + block);
  return bytes;
}

/** Elements up to the first that is cut; none of a block whose shape nobody here knows. */
function readExtensions(block: Uint8Array, profile: number): readonly RtpExtension[] {
  const isShort = profile === ONE_BYTE_PROFILE;
  if (!isShort && profile >>> 4 !== TWO_BYTE_PROFILE >>> 4) return [];
  const extensions: RtpExtension[] = [];
  for (let at = 0; at < block.length; ) {
    const byte = block[at++] as number;
    // Padding between elements.
    if (byte === 0) continue;
    const id = isShort ? byte >> 4 : byte;
    if (isShort && id === ONE_BYTE_END) break;
    const length = isShort ? (byte & 0x0f) + 1 : block[at++];
    if (length === undefined || at + length > block.length) break;
    if (id !== 0) extensions.push({ id, data: block.subarray(at, at + length) });
    at += length;
  }
  return extensions;
}

function malformed(message: string, offset: number): Result<never> {
  return refuse("rtp-malformed", message, `byte ${offset}`);
}

const VERSION = 2;
const PADDING = 0x20;
const EXTENDED = 0x10;
const CONTRIBUTORS = 0x0f;
const MARKER = 0x80;
/** Profile word of a block of one-byte elements, and the identifier with which it ends (RFC 8285 section 4.2). */
const ONE_BYTE_PROFILE = 0xbede;
const ONE_BYTE_END = 15;
const ONE_BYTE_MOST = 16;
const MAX_ID = 255;
