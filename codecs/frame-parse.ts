/** Reads one media frame out of bytes nobody has vouched for. */
import { readU16, readU32 } from "./big-endian.ts";
import {
  ATTRIBUTION_HEAD_BYTES,
  AUDIO_LEVEL_BYTES,
  ELEMENT,
  EPOCH_BYTES,
  type FrameProfile,
  MAX_FRAME_BYTES,
  MAX_FRAME_INFO_BYTES,
  MIN_FRAME_BYTES,
  PROFILE_NUMBER,
  RECORDED_BYTES,
  TAG_BYTES,
} from "./frame-layout.ts";
import type { FrameView } from "./frame-view.ts";
import type { Fault } from "./result.ts";
import { EXTENSION_HEADER_BYTES, RTP_FIRST_BYTE, RTP_HEADER_BYTES, TWO_BYTE_PROFILE } from "./rtp.ts";
import { combineSequence } from "./sequence.ts";

/** Why a packet is no Parley frame. Stable: each is a counter label. */
export const FRAME_FAULTS = [
  "too-short",
  "too-long",
  "rtp-header",
  "extension-profile",
  "extension-overrun",
  "element-overrun",
  "element-size",
  "element-duplicate",
  "padding-nonzero",
  "profile-unknown",
  "attribution-missing",
] as const;
export type FrameFaultReason = (typeof FRAME_FAULTS)[number];

/** A refused packet: the reason, and the offset in the parsed array where it shows. */
export interface FrameFault {
  readonly reason: FrameFaultReason;
  readonly offset: number;
}

/**
 * Reads the frame that begins at `offset` and ends at `end` (default: the end of `bytes`), and fills `into`. Returns
 * undefined when all is well; otherwise the fault, with `into` untouched. Elements may come in any order, unknown ones
 * are passed over, known ones may come once. Checks form only: signature, key, window and rights are the caller's.
 * Does not allocate for a good frame, never throws, keeps no reference to `bytes`.
 */
export function parseFrame(
  bytes: Uint8Array,
  offset: number,
  into: FrameView,
  end: number = bytes.length,
): FrameFault | undefined {
  const length = end - offset;
  if (!(length >= MIN_FRAME_BYTES)) return fault("too-short", end);
  if (length > MAX_FRAME_BYTES) return fault("too-long", end);
  if (bytes[offset] !== RTP_FIRST_BYTE) return fault("rtp-header", offset);
  let at = offset + RTP_HEADER_BYTES;
  if (readU16(bytes, at) !== TWO_BYTE_PROFILE) return fault("extension-profile", at);
  const payloadOffset = at + EXTENSION_HEADER_BYTES + readU16(bytes, at + 2) * 4;
  if (payloadOffset > end) return fault("extension-overrun", at + 2);
  at += EXTENSION_HEADER_BYTES;

  const found = ELEMENTS;
  const broken = findElements(bytes, at, payloadOffset, found);
  if (broken !== undefined) return broken;

  const attribution = found.attribution;
  const profile: FrameProfile =
    (bytes[attribution] as number) >> 4 === PROFILE_NUMBER.frame ? "frame" : "chain";
  const second = bytes[offset + 1] as number;
  into.start = offset;
  into.end = end;
  into.marker = second >= 0x80;
  into.payloadType = second & 0x7f;
  into.timestamp = readU32(bytes, offset + 4);
  into.ssrc = readU32(bytes, offset + 8);
  into.profile = profile;
  into.keyGeneration = (bytes[attribution] as number) & 0x0f;
  into.sequence = combineSequence(readU32(bytes, attribution + 1), readU16(bytes, offset + 2));
  into.captureSeconds = readU32(bytes, attribution + 5);
  into.captureFraction = readU32(bytes, attribution + 9);
  into.tagOffset = attribution + ATTRIBUTION_HEAD_BYTES;
  into.tagLength = TAG_BYTES[profile];
  into.infoByte = found.frameInfo < 0 ? -1 : (bytes[found.frameInfo] as number);
  into.needs = found.needs;
  into.levelByte = found.audioLevel < 0 ? -1 : (bytes[found.audioLevel] as number);
  into.epoch = found.epoch < 0 ? 0 : readU32(bytes, found.epoch);
  into.recordedOffset = found.recorded;
  into.payloadOffset = payloadOffset;
  return undefined;
}

/** A frame fault in the general form, code `frame-malformed`, for logs and thrown errors. */
export function describeFrameFault(found: FrameFault): Fault {
  return {
    code: "frame-malformed",
    message: `not a media frame: ${found.reason}`,
    at: `byte ${found.offset}`,
  };
}

/** Where the data of each known element stands, -1 for those that are not there. */
interface ElementOffsets {
  attribution: number;
  frameInfo: number;
  /** Its second byte; 0 without. */
  needs: number;
  epoch: number;
  audioLevel: number;
  recorded: number;
}

/** Walks the extension block from `from` to `end`. */
function findElements(
  bytes: Uint8Array,
  from: number,
  end: number,
  into: ElementOffsets,
): FrameFault | undefined {
  into.attribution = -1;
  into.frameInfo = -1;
  into.needs = 0;
  into.epoch = -1;
  into.audioLevel = -1;
  into.recorded = -1;
  let at = from;
  while (at < end) {
    const id = bytes[at] as number;
    // RFC 8285 lets padding stand between elements; one form of a frame is enough, so here it only ends the block.
    if (id === 0) {
      while (++at < end) if (bytes[at] !== 0) return fault("padding-nonzero", at);
      break;
    }
    const data = at + 2;
    if (data > end) return fault("element-overrun", at);
    const size = bytes[at + 1] as number;
    if (data + size > end) return fault("element-overrun", at + 1);
    let before = -1;
    let fits = true;
    if (id === ELEMENT.attribution) {
      before = into.attribution;
      into.attribution = data;
      const profile = size === 0 ? PROFILE_NUMBER.frame : (bytes[data] as number) >> 4;
      if (profile === PROFILE_NUMBER.frame) fits = size === ATTRIBUTION_HEAD_BYTES + TAG_BYTES.frame;
      else if (profile === PROFILE_NUMBER.chain) fits = size === ATTRIBUTION_HEAD_BYTES + TAG_BYTES.chain;
      else return fault("profile-unknown", data);
    } else if (id === ELEMENT.frameInfo) {
      before = into.frameInfo;
      into.frameInfo = data;
      into.needs = size > 1 ? (bytes[data + 1] as number) : 0;
      fits = size >= 1 && size <= MAX_FRAME_INFO_BYTES;
    } else if (id === ELEMENT.epoch) {
      before = into.epoch;
      into.epoch = data;
      fits = size === EPOCH_BYTES;
    } else if (id === ELEMENT.audioLevel) {
      before = into.audioLevel;
      into.audioLevel = data;
      fits = size === AUDIO_LEVEL_BYTES;
    } else if (id === ELEMENT.recorded) {
      before = into.recorded;
      into.recorded = data;
      fits = size === RECORDED_BYTES;
    }
    if (before >= 0) return fault("element-duplicate", at);
    if (!fits) return fault("element-size", at + 1);
    at = data + size;
  }
  return into.attribution < 0 ? fault("attribution-missing", end) : undefined;
}

function fault(reason: FrameFaultReason, offset: number): FrameFault {
  return { reason, offset };
}

/** What `parseFrame` works with; nothing in it outlives a call. */
const ELEMENTS: ElementOffsets = {
  attribution: -1,
  frameInfo: -1,
  needs: 0,
  epoch: -1,
  audioLevel: -1,
  recorded: -1,
};
