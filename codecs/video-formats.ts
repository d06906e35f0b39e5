/** The video formats Parley knows, by RTP encoding name: what negotiation offers and what payloads are made for. */

export type VideoFormatName = "vp8" | "vp9" | "av1";

export interface VideoFormatEntry {
  /** As offers and `Video-Codecs` name it. */
  readonly name: VideoFormatName;
  /** The dynamic RTP payload type that Parley offers. */
  readonly payloadType: number;
  /** The four characters that IVF files name it by. */
  readonly fourCc: string;
}

/** RTP clock rate of video, Hz, in every format. */
export const VIDEO_CLOCK_RATE = 90_000;

/** Every known format, in the order in which they are offered: first what every browser codes in real time at the least cost. */
export const VIDEO_FORMATS: readonly VideoFormatEntry[] = [
  { name: "vp8", payloadType: 96, fourCc: "VP80" },
  { name: "vp9", payloadType: 97, fourCc: "VP90" },
  { name: "av1", payloadType: 102, fourCc: "AV01" },
];

/** The entry of a name in lower case; undefined for formats Parley does not know. */
export function findVideoFormat(name: string): VideoFormatEntry | undefined {
  return VIDEO_FORMATS.find((entry) => entry.name === name);
}

/** What the headers inside an access unit say of it. */
export interface VideoUnitFacts {
  /** Whether decoding can begin here. */
  readonly key: boolean;
  /** Of the frame, pixels; said by key frames. */
  readonly width?: number;
  readonly height?: number;
  /** Temporal layer, 0 the base, where the bitstream or its descriptor tells layers apart. */
  readonly layer?: number;
}

/** An access unit as WebCodecs encodes and decodes it, with what it says of itself. */
export interface VideoUnit extends VideoUnitFacts {
  /** A VP8 frame, a VP9 frame or superframe, or an AV1 temporal unit in the low-overhead format. */
  readonly data: Uint8Array;
}
