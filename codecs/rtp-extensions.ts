/** What header extensions of WebRTC say that matters to a call: how loud a packet is, and when it was captured. */
import { readU32, writeU32 } from "./big-endian.ts";
import { LEVEL_VOICE, MAX_AUDIO_LEVEL } from "./frame-layout.ts";
import type { NtpTime } from "./ntp.ts";

/** RFC 6464. */
export interface AudioLevel {
  /** In -dBov: 0 is the loudest, 127 silence. */
  readonly level: number;
  /** The sender takes it for voice. */
  readonly voice: boolean;
}

/** When something was captured, by the clock of who did. */
export interface CaptureTime {
  readonly captured: NtpTime;
  /** What to add to get to the clock of who sends it, ms, where that is somebody else. */
  readonly offsetMs?: number;
}

/** `undefined` where the element has not one byte. In the two-byte form it may be padded: the first counts. */
export function readAudioLevel(data: Uint8Array): AudioLevel | undefined {
  const byte = data[0];
  return byte === undefined
    ? undefined
    : { level: byte & MAX_AUDIO_LEVEL, voice: (byte & LEVEL_VOICE) !== 0 };
}

/** The element's data. Levels beyond the range count as its ends. */
export function audioLevelBytes({ level, voice }: AudioLevel): Uint8Array {
  const bounded = Math.min(MAX_AUDIO_LEVEL, Math.max(0, Math.round(level)));
  return Uint8Array.of(bounded | (voice ? LEVEL_VOICE : 0));
}

/** `undefined` where the element has neither of its two lengths. */
export function readCaptureTime(data: Uint8Array): CaptureTime | undefined {
  if (data.length !== SHORT_CAPTURE && data.length !== LONG_CAPTURE) return undefined;
  const captured = { seconds: readU32(data, 0), fraction: readU32(data, 4) };
  if (data.length === SHORT_CAPTURE) return { captured };
  // Seconds and fraction, signed.
  const offset = (readU32(data, 8) | 0) + readU32(data, 12) / TWO_32;
  return { captured, offsetMs: offset * 1_000 };
}

/** The element's data, without the offset. */
export function captureTimeBytes({ seconds, fraction }: NtpTime): Uint8Array {
  const data = new Uint8Array(SHORT_CAPTURE);
  writeU32(data, writeU32(data, 0, seconds), fraction);
  return data;
}

const SHORT_CAPTURE = 8;
const LONG_CAPTURE = 16;
const TWO_32 = 0x100000000;
