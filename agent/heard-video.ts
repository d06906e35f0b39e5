import type { VideoFormatName } from "../codecs/video-formats.ts";

/** An access unit of the other end's video, whose speaker's signature held, and which can be decoded: everything that it needs was handed out before. */
export interface HeardVideo {
  /** As WebCodecs decodes it: a VP8 frame, a VP9 frame, or an AV1 temporal unit. Yours to keep. */
  readonly data: Uint8Array;
  /** Decoding can begin here. */
  readonly key: boolean;
  /** Temporal layer; 0 is the lowest. */
  readonly layer: number;
  readonly codec: VideoFormatName;
  /** Of the frame, pixels; said by key frames. */
  readonly width: number | undefined;
  readonly height: number | undefined;
  /** When it was captured, Unix milliseconds, mapped to this machine's clock. */
  readonly capturedAt: number;
  /** When to show it, in step with the voice: monotonic milliseconds, as `performance.now()` counts them. Never before it was handed out. */
  readonly playAt: number;
  /** Agent-ID of the other end: who signed it. */
  readonly speaker: string;
  /** 48-bit sequence number. */
  readonly sequence: number;
  readonly verified: true;
  /** Which rendition of the video it is of, where there are several; 0 is the best. */
  readonly rendition: number;
}
