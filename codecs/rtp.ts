/**
 * The fixed RTP header (RFC 3550 section 5.1) and the two-byte header extension block (RFC 8285 section 4.3) in the
 * one shape that Parley's frames have: version 2, no padding, no contributing sources, an extension.
 */
import { writeU16, writeU32 } from "./big-endian.ts";

/** Bytes before the extension block. */
export const RTP_HEADER_BYTES = 12;
/** First byte of every frame: V=2, P=0, X=1, CC=0. */
export const RTP_FIRST_BYTE = 0x90;
/** Profile word of a two-byte extension block with appbits 0. */
export const TWO_BYTE_PROFILE = 0x1000;
/** Profile word and length word of the extension block, bytes. */
export const EXTENSION_HEADER_BYTES = 4;
/** Identifier and length before each element's data, bytes. */
export const ELEMENT_HEADER_BYTES = 2;
/** Payload types fit seven bits. */
export const MAX_PAYLOAD_TYPE = 127;

/** Fields of the fixed header that differ from frame to frame. */
export interface RtpHeader {
  /** First packet of a talk spurt, or last of an access unit, as the payload format says. */
  readonly marker: boolean;
  /** 0 to 127. */
  readonly payloadType: number;
  /** Low 16 bits of the sequence number. */
  readonly sequenceLow: number;
  /** Unsigned 32 bits, in the format's clock rate. */
  readonly timestamp: number;
  /** Synchronization source, unsigned 32 bits. */
  readonly ssrc: number;
}

/** Writes the fixed header; returns the offset after it. */
export function writeRtpHeader(target: Uint8Array, offset: number, header: RtpHeader): number {
  target[offset] = RTP_FIRST_BYTE;
  target[offset + 1] = (header.marker ? 0x80 : 0) | header.payloadType;
  let at = writeU16(target, offset + 2, header.sequenceLow);
  at = writeU32(target, at, header.timestamp);
  return writeU32(target, at, header.ssrc);
}

/** Writes the extension block's header for `elementBytes` of elements before padding; returns the offset after it. */
export function writeExtensionHeader(target: Uint8Array, offset: number, elementBytes: number): number {
  const at = writeU16(target, offset, TWO_BYTE_PROFILE);
  return writeU16(target, at, paddedExtension(elementBytes) / 4);
}

/** Writes an element's identifier and length; returns the offset where its data belongs. */
export function writeElementHeader(target: Uint8Array, offset: number, id: number, length: number): number {
  target[offset] = id;
  target[offset + 1] = length;
  return offset + ELEMENT_HEADER_BYTES;
}

/** Element bytes rounded up to whole 32-bit words. */
export function paddedExtension(elementBytes: number): number {
  return (elementBytes + 3) & ~3;
}
