/** The audio formats Parley knows, by RTP encoding name: what negotiation offers and what codecs are made for. */
import type { AudioFormat } from "./audio-codec.ts";
import { G711_CLOCK_RATE, G711_PAYLOAD_TYPE } from "./g711.ts";
import { G722_PAYLOAD_TYPE, G722_RTP_CLOCK_RATE, G722_SAMPLE_RATE } from "./g722.ts";
import { OPUS_CLOCK_RATE, OPUS_FRAME_MS, OPUS_PAYLOAD_TYPE } from "./opus.ts";

export type AudioFormatName = "opus" | "g722" | "pcmu" | "pcma";

/** What holds for a format whatever its frame length. */
export interface AudioFormatEntry {
  readonly name: AudioFormatName;
  /** Samples a second of its PCM. */
  readonly clockRate: number;
  /** RTP clock rate, Hz: what is offered and agreed. */
  readonly rtpClockRate: number;
  /** Channel counts that may be agreed. */
  readonly channels: readonly (1 | 2)[];
  /** Frame lengths that may be agreed, milliseconds, rising. */
  readonly frameMs: readonly number[];
  /** RTP payload type: static where RFC 3551 gives one, else the dynamic one Parley offers. */
  readonly payloadType: number;
  /** Most bytes one second takes, for fit and rate limits; frame overhead not included. */
  readonly maxBytesPerSecond: number;
  /** Fewest bits one second takes, frame overhead not included. */
  readonly leastBitsPerSecond: number;
}

/** Lengths of frames that code the waveform, sample by sample. */
const WAVEFORM_FRAME_MS: readonly number[] = [5, 10, 20, 30, 40, 60];

/** Every known format, best first. */
export const AUDIO_FORMATS: readonly AudioFormatEntry[] = [
  {
    name: "opus",
    clockRate: OPUS_CLOCK_RATE,
    rtpClockRate: OPUS_CLOCK_RATE,
    channels: [1, 2],
    frameMs: OPUS_FRAME_MS,
    payloadType: OPUS_PAYLOAD_TYPE,
    maxBytesPerSecond: 63_750,
    // RFC 6716 2.1.1
    leastBitsPerSecond: 6_000,
  },
  {
    name: "g722",
    clockRate: G722_SAMPLE_RATE,
    rtpClockRate: G722_RTP_CLOCK_RATE,
    channels: [1],
    frameMs: WAVEFORM_FRAME_MS,
    payloadType: G722_PAYLOAD_TYPE,
    maxBytesPerSecond: 8000,
    leastBitsPerSecond: 64_000,
  },
  g711Entry("pcmu"),
  g711Entry("pcma"),
];

/** The entry of a name in lower case; undefined for formats Parley does not know. */
export function findAudioFormat(name: string): AudioFormatEntry | undefined {
  return AUDIO_FORMATS.find((entry) => entry.name === name);
}

/** The format of frames of `frameMs` milliseconds; undefined when the name is unknown or does not allow those. */
export function audioFormat(name: string, channels: number, frameMs: number): AudioFormat | undefined {
  const entry = findAudioFormat(name);
  const agreed = entry?.channels.find((allowed) => allowed === channels);
  if (entry === undefined || agreed === undefined || !entry.frameMs.includes(frameMs)) return undefined;
  return {
    name: entry.name,
    clockRate: entry.clockRate,
    rtpClockRate: entry.rtpClockRate,
    channels: agreed,
    frameSamples: (entry.clockRate * frameMs) / 1000,
  };
}

function g711Entry(name: "pcmu" | "pcma"): AudioFormatEntry {
  return {
    name,
    clockRate: G711_CLOCK_RATE,
    rtpClockRate: G711_CLOCK_RATE,
    channels: [1],
    frameMs: WAVEFORM_FRAME_MS,
    payloadType: G711_PAYLOAD_TYPE[name],
    maxBytesPerSecond: G711_CLOCK_RATE,
    leastBitsPerSecond: G711_CLOCK_RATE * 8,
  };
}
