/** How much of a stream is let through, by what both ends agreed on: the server holds who sends to it, and who sends keeps to it. */
import type { AdmissionRow } from "./admission.ts";
import { MOST_VIDEO_BITS_PER_SECOND, type VideoCodec } from "./video-stream.ts";

/** How much above its nominal rate a stream may send: clocks drift and a late frame catches up. */
export const RATE_MARGIN = 1.25;
/** Seconds of credit: what a sender may send at once after a pause. */
export const RATE_BURST = 2;
/** Octets allowed per frame: a packet with its flow identifier in one datagram (`design` 5). */
const MAX_FRAME_BYTES = 1_150;
/** Octets allowed around the payload of a frame whose bit rate was agreed: header, elements, signature, flow identifier. */
const FRAME_OVERHEAD = 192;

/** The most that an audio stream with frames of this length may send; `bitrate`, bits of payload a second, where both ends agreed on one. */
export function audioRate(frameMs: number, bitrate?: number): AdmissionRow["rate"] {
  const framesPerSecond = Math.ceil((1000 / frameMs) * RATE_MARGIN);
  const agreed = bitrate === undefined ? MAX_FRAME_BYTES * framesPerSecond : (bitrate / 8) * RATE_MARGIN;
  const around = framesPerSecond * FRAME_OVERHEAD;
  const bytesPerSecond = Math.min(MAX_FRAME_BYTES * framesPerSecond, Math.ceil(agreed) + around);
  return { framesPerSecond, bytesPerSecond, burst: RATE_BURST };
}

/** The most that a video stream of this codec may send; `bitrate`, bits of payload a second, where both ends agreed on one. */
export function videoRate(
  { max_frame_rate: frameRate }: Pick<VideoCodec, "max_frame_rate">,
  bitrate = MOST_VIDEO_BITS_PER_SECOND,
): AdmissionRow["rate"] {
  const framesPerSecond = Math.ceil(frameRate * RATE_MARGIN);
  const bytesPerSecond = Math.ceil((bitrate / 8) * RATE_MARGIN) + framesPerSecond * FRAME_OVERHEAD;
  return { framesPerSecond, bytesPerSecond, burst: RATE_BURST };
}
