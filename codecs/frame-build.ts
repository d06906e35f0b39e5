/** Builds media frames, tag still zero; `signFrame` fills it. */
import { writeU32, writeU48 } from "./big-endian.ts";
import { MAX_U32, requireInteger, requireLength } from "./field-range.ts";
import {
  ATTRIBUTION_HEAD_BYTES,
  AUDIO_LEVEL_BYTES,
  ELEMENT,
  EPOCH_BYTES,
  type FrameProfile,
  INFO_END_OF_TURN,
  INFO_KEY,
  INFO_START_OF_TURN,
  LEVEL_VOICE,
  MAX_AUDIO_LEVEL,
  MAX_FRAME_BYTES,
  MAX_KEY_GENERATION,
  MAX_LAYER,
  MAX_NEEDS,
  PROFILE_NUMBER,
  RECORDED_BYTES,
  SESSION_DIGEST_BYTES,
  TAG_BYTES,
} from "./frame-layout.ts";
import type { Recorded } from "./frame-view.ts";
import { ParleyError } from "./parley-error.ts";
import {
  ELEMENT_HEADER_BYTES,
  EXTENSION_HEADER_BYTES,
  MAX_PAYLOAD_TYPE,
  paddedExtension,
  RTP_HEADER_BYTES,
  writeElementHeader,
  writeExtensionHeader,
  writeRtpHeader,
} from "./rtp.ts";
import { MAX_SEQUENCE, sequenceHigh, sequenceLow } from "./sequence.ts";

/** The frame info element. What is left out is false or 0. */
export interface FrameInfo {
  /** Decodes without earlier frames. */
  readonly keyFrame?: boolean;
  readonly startOfTurn?: boolean;
  readonly endOfTurn?: boolean;
  /** 0 to 31. */
  readonly layer?: number;
  /** How many numbers before this frame the newest one is that it cannot be decoded without, 1 to 255; 0: it does not say. */
  readonly needs?: number;
}

/** The audio level element (RFC 6464). */
export interface AudioLevel {
  /** -dBov: 0 (loudest) to 127 (silence). */
  readonly level: number;
  readonly voice: boolean;
}

/** Everything a frame says. Elements left out are not sent. */
export interface FrameFields {
  readonly profile: FrameProfile;
  /** Generation of the media key that will sign, 0 to 15. */
  readonly keyGeneration: number;
  /** 48 bits. */
  readonly sequence: number;
  /** Capture time, NTP halves. */
  readonly captureSeconds: number;
  readonly captureFraction: number;
  readonly payloadType: number;
  /** RTP marker bit. Default false. */
  readonly marker?: boolean;
  /** Unsigned 32 bits in the format's clock rate. */
  readonly timestamp: number;
  readonly ssrc: number;
  readonly info?: FrameInfo;
  /** Media epoch, unsigned 32 bits. A frame without it is of epoch 0. */
  readonly epoch?: number;
  readonly audioLevel?: AudioLevel;
  readonly recorded?: Recorded;
  readonly payload: Uint8Array;
}

/** Bytes the frame of `fields` takes, from the RTP header to the end of the payload. */
export function frameSize(fields: FrameFields): number {
  return (
    RTP_HEADER_BYTES + EXTENSION_HEADER_BYTES + paddedExtension(elementBytes(fields)) + fields.payload.length
  );
}

/**
 * One frame with a zero tag, in a new array with `headroom` free bytes before it for the flow identifier. Throws
 * `field-invalid` naming the field that is out of range, or `payload` when the frame passes `MAX_FRAME_BYTES`.
 */
export function buildFrame(fields: FrameFields, headroom: number = 0): Uint8Array {
  const bytes = new Uint8Array(headroom + frameSize(fields));
  writeFrame(fields, bytes, headroom);
  return bytes;
}

/**
 * Writes the frame with a zero tag at `offset` of `target`, which must have `frameSize(fields)` bytes left, and returns
 * the offset after it. Throws like `buildFrame`, before anything is written.
 */
export function writeFrame(fields: FrameFields, target: Uint8Array, offset: number): number {
  checkFields(fields);
  const size = frameSize(fields);
  if (size > MAX_FRAME_BYTES || offset + size > target.length) {
    throw new ParleyError({
      code: "field-invalid",
      message: `a frame of ${size} bytes does not fit`,
      at: "payload",
    });
  }
  let at = writeRtpHeader(target, offset, {
    marker: fields.marker ?? false,
    payloadType: fields.payloadType,
    sequenceLow: sequenceLow(fields.sequence),
    timestamp: fields.timestamp,
    ssrc: fields.ssrc,
  });
  const elements = elementBytes(fields);
  at = writeExtensionHeader(target, at, elements);
  const payloadOffset = at + paddedExtension(elements);
  at = writeElements(fields, target, at);
  target.fill(0, at, payloadOffset);
  target.set(fields.payload, payloadOffset);
  return payloadOffset + fields.payload.length;
}

function writeElements(fields: FrameFields, target: Uint8Array, offset: number): number {
  const tagBytes = TAG_BYTES[fields.profile];
  let at = writeElementHeader(target, offset, ELEMENT.attribution, ATTRIBUTION_HEAD_BYTES + tagBytes);
  target[at++] = (PROFILE_NUMBER[fields.profile] << 4) | fields.keyGeneration;
  at = writeU32(target, at, sequenceHigh(fields.sequence));
  at = writeU32(target, at, fields.captureSeconds);
  at = writeU32(target, at, fields.captureFraction);
  target.fill(0, at, at + tagBytes);
  at += tagBytes;
  if (fields.info !== undefined) {
    const { needs = 0 } = fields.info;
    at = writeElementHeader(target, at, ELEMENT.frameInfo, infoBytes(fields.info));
    target[at++] = infoByte(fields.info);
    if (needs > 0) target[at++] = needs;
  }
  if (fields.epoch !== undefined) {
    at = writeElementHeader(target, at, ELEMENT.epoch, EPOCH_BYTES);
    at = writeU32(target, at, fields.epoch);
  }
  if (fields.audioLevel !== undefined) {
    at = writeElementHeader(target, at, ELEMENT.audioLevel, AUDIO_LEVEL_BYTES);
    target[at++] = (fields.audioLevel.voice ? LEVEL_VOICE : 0) | fields.audioLevel.level;
  }
  if (fields.recorded !== undefined) {
    at = writeElementHeader(target, at, ELEMENT.recorded, RECORDED_BYTES);
    target.set(fields.recorded.sessionDigest, at);
    at = writeU32(target, at + SESSION_DIGEST_BYTES, fields.recorded.stream);
    at = writeU48(target, at, fields.recorded.sequence);
    at = writeU32(target, at, fields.recorded.capture.seconds);
    at = writeU32(target, at, fields.recorded.capture.fraction);
  }
  return at;
}

function elementBytes(fields: FrameFields): number {
  let bytes = ELEMENT_HEADER_BYTES + ATTRIBUTION_HEAD_BYTES + TAG_BYTES[fields.profile];
  if (fields.info !== undefined) bytes += ELEMENT_HEADER_BYTES + infoBytes(fields.info);
  if (fields.epoch !== undefined) bytes += ELEMENT_HEADER_BYTES + EPOCH_BYTES;
  if (fields.audioLevel !== undefined) bytes += ELEMENT_HEADER_BYTES + AUDIO_LEVEL_BYTES;
  if (fields.recorded !== undefined) bytes += ELEMENT_HEADER_BYTES + RECORDED_BYTES;
  return bytes;
}

function infoBytes({ needs = 0 }: FrameInfo): number {
  return needs > 0 ? 2 : 1;
}

function infoByte(info: FrameInfo): number {
  return (
    (info.keyFrame ? INFO_KEY : 0) |
    (info.endOfTurn ? INFO_END_OF_TURN : 0) |
    (info.startOfTurn ? INFO_START_OF_TURN : 0) |
    (info.layer ?? 0)
  );
}

function checkFields(fields: FrameFields): void {
  requireInteger(fields.payloadType, MAX_PAYLOAD_TYPE, "payloadType");
  requireInteger(fields.keyGeneration, MAX_KEY_GENERATION, "keyGeneration");
  requireInteger(fields.sequence, MAX_SEQUENCE, "sequence");
  requireInteger(fields.captureSeconds, MAX_U32, "captureSeconds");
  requireInteger(fields.captureFraction, MAX_U32, "captureFraction");
  requireInteger(fields.timestamp, MAX_U32, "timestamp");
  requireInteger(fields.ssrc, MAX_U32, "ssrc");
  if (fields.info?.layer !== undefined) requireInteger(fields.info.layer, MAX_LAYER, "info.layer");
  if (fields.info?.needs !== undefined) requireInteger(fields.info.needs, MAX_NEEDS, "info.needs");
  if (fields.epoch !== undefined) requireInteger(fields.epoch, MAX_U32, "epoch");
  if (fields.audioLevel !== undefined) {
    requireInteger(fields.audioLevel.level, MAX_AUDIO_LEVEL, "audioLevel.level");
  }
  if (fields.recorded !== undefined) {
    requireLength(fields.recorded.sessionDigest, SESSION_DIGEST_BYTES, "recorded.sessionDigest");
    requireInteger(fields.recorded.stream, MAX_U32, "recorded.stream");
    requireInteger(fields.recorded.sequence, MAX_SEQUENCE, "recorded.sequence");
    requireInteger(fields.recorded.capture.seconds, MAX_U32, "recorded.capture");
    requireInteger(fields.recorded.capture.fraction, MAX_U32, "recorded.capture");
  }
}
