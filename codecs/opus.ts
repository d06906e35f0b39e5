/** Opus as RTP carries it (RFC 7587), and what a packet says of itself in its first bytes (RFC 6716 section 3). */
import { ok, type Result, refuse } from "./result.ts";

/** RTP clock rate, always, whatever the bandwidth (RFC 7587 section 4.1). */
export const OPUS_CLOCK_RATE = 48000;
/** Dynamic payload type Parley offers. */
export const OPUS_PAYLOAD_TYPE = 111;
/** Milliseconds one packet may last (RFC 7587 section 4.2): the frame lengths of RFC 6716 that whole numbers express, up to the longest that an encoder is asked for. */
export const OPUS_FRAME_MS: readonly number[] = [5, 10, 20, 40, 60];
/** Longest packet in samples at 48 kHz: 120 ms. */
const OPUS_MAX_PACKET_SAMPLES = 5760;
/** First of the configurations (RFC 6716 table 2) that CELT alone makes. */
const CELT_CONFIG = 16;
/** Longest frame inside a packet, bytes. */
const OPUS_MAX_FRAME_BYTES = 1275;

export type OpusMode = "silk" | "hybrid" | "celt";
export type OpusBandwidth = "narrow" | "medium" | "wide" | "superwide" | "full";

/** What the first bytes of an Opus packet say. */
export interface OpusPacket {
  readonly mode: OpusMode;
  readonly bandwidth: OpusBandwidth;
  /** Channels as coded; a decoder makes one or two of either. */
  readonly channels: 1 | 2;
  readonly frames: number;
  /** Samples at 48 kHz, per channel, in each frame: 120 (2.5 ms) to 2,880 (60 ms). */
  readonly frameSamples: number;
  /** Samples at 48 kHz, per channel, in the packet. */
  readonly samples: number;
}

/**
 * Reads the table-of-contents byte and the framing behind it, and refuses with `payload-malformed` what RFC 6716 section
 * 3.4 calls malformed: rules R1 to R7, as far as they can be seen without decoding. Never throws.
 */
export function parseOpusPacket(payload: Uint8Array): Result<OpusPacket> {
  const toc = payload[0];
  if (toc === undefined) return malformed("empty", 0);
  const config = toc >> 3;
  const framing = readFraming(payload, toc & 3);
  if (!framing.ok) return framing;
  const frames = framing.value;
  const frameSamples = configSamples(config);
  const samples = frames * frameSamples;
  if (samples > OPUS_MAX_PACKET_SAMPLES) return malformed("longer than 120 ms", 1);
  return ok({
    mode: config < 12 ? "silk" : config < CELT_CONFIG ? "hybrid" : "celt",
    bandwidth: configBandwidth(config),
    channels: (toc & 4) === 0 ? 1 : 2,
    frames,
    frameSamples,
    samples,
  });
}

/**
 * Whether a packet that {@link parseOpusPacket} reads also carries the frame before it, coarsely (RFC 6716 section 4.2.4). For packets of
 * several frames of unlike length it is whether it may.
 */
export function opusCarriesFec(payload: Uint8Array): boolean {
  const toc = payload[0] ?? 0;
  const config = toc >> 3;
  if (config >= CELT_CONFIG || payload.length < 2) return false;
  const code = toc & 3;
  if (code > 1) return true;
  // One flag of voice activity for each 20 ms stands before that of this; those of the other channel follow.
  const blocks = Math.max(1, configSamples(config) / 960);
  const flags = payload[1] as number;
  const isMono = (toc & 4) === 0;
  return ((flags >> (7 - blocks)) & 1) === 1 || (!isMono && ((flags >> (6 - 2 * blocks)) & 1) === 1);
}

/** The number of frames in the packet, once their lengths fit it. */
function readFraming(payload: Uint8Array, code: number): Result<number> {
  const rest = payload.length - 1;
  if (code === 0) return rest > OPUS_MAX_FRAME_BYTES ? malformed("frame too long", 1) : ok(1);
  if (code === 1) {
    if (rest % 2 !== 0) return malformed("two frames of unequal length", payload.length);
    return rest / 2 > OPUS_MAX_FRAME_BYTES ? malformed("frame too long", 1) : ok(2);
  }
  if (code === 2) {
    const first = readLength(payload, 1, payload.length);
    if (first === undefined || first.length > payload.length - first.next) {
      return malformed("first frame passes the end", 1);
    }
    const second = payload.length - first.next - first.length;
    return second > OPUS_MAX_FRAME_BYTES ? malformed("frame too long", first.next) : ok(2);
  }
  return readCountedFraming(payload);
}

function readCountedFraming(payload: Uint8Array): Result<number> {
  const head = payload[1];
  if (head === undefined) return malformed("no frame count", 1);
  const frames = head & 0x3f;
  if (frames === 0) return malformed("no frames", 1);
  let at = 2;
  let end = payload.length;
  if ((head & 0x40) !== 0) {
    let byte: number;
    do {
      if (at >= end) return malformed("padding passes the end", at);
      byte = payload[at++] as number;
      // 255 stands for 254 bytes and one more length byte.
      end -= byte === 255 ? 254 : byte;
    } while (byte === 255);
    if (end < at) return malformed("padding passes the end", at);
  }
  if ((head & 0x80) === 0) {
    const each = (end - at) / frames;
    if (!Number.isInteger(each)) return malformed("frames of unequal length", at);
    return each > OPUS_MAX_FRAME_BYTES ? malformed("frame too long", at) : ok(frames);
  }
  let total = 0;
  for (let frame = 1; frame < frames; frame++) {
    const length = readLength(payload, at, end);
    if (length === undefined) return malformed("frame lengths pass the end", at);
    at = length.next;
    total += length.length;
  }
  if (at + total > end) return malformed("frames pass the end", at);
  return end - at - total > OPUS_MAX_FRAME_BYTES ? malformed("frame too long", at) : ok(frames);
}

/** A frame length of one or two bytes (RFC 6716 section 3.2.1) before `end`; undefined when cut. */
function readLength(
  payload: Uint8Array,
  at: number,
  end: number,
): { length: number; next: number } | undefined {
  if (at >= end) return undefined;
  const first = payload[at] as number;
  if (first < 252) return { length: first, next: at + 1 };
  if (at + 1 >= end) return undefined;
  return { length: (payload[at + 1] as number) * 4 + first, next: at + 2 };
}

/** Frame size by configuration number, RFC 6716 table 2. */
function configSamples(config: number): number {
  if (config < 12) return [480, 960, 1920, 2880][config & 3] as number;
  if (config < 16) return [480, 960][config & 1] as number;
  return 120 << (config & 3);
}

function configBandwidth(config: number): OpusBandwidth {
  if (config < 12) return (["narrow", "medium", "wide"] as const)[config >> 2] as OpusBandwidth;
  if (config < 16) return config < 14 ? "superwide" : "full";
  return (["narrow", "wide", "superwide", "full"] as const)[(config - 16) >> 2] as OpusBandwidth;
}

function malformed(message: string, offset: number): Result<never> {
  return refuse("payload-malformed", `Opus packet: ${message}`, `byte ${offset}`);
}
