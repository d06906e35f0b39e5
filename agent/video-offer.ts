import { ParleyError } from "../codecs/parley-error.ts";
import {
  findVideoFormat,
  VIDEO_CLOCK_RATE,
  VIDEO_FORMATS,
  type VideoFormatName,
} from "../codecs/video-formats.ts";
import type { VideoCapabilities } from "../signaling/negotiate-video.ts";
import type { ScopeLimits } from "../signaling/scope.ts";
import type { VideoOfferStream } from "../signaling/video-stream.ts";
import type { VideoOptions } from "./call-options.ts";

/** What a video may be where nobody says: what most cameras give, and most machines code as it comes. */
const USUAL = { maxWidth: 1_280, maxHeight: 720, maxFrameRate: 30 } as const;
/** Sides of the least rendition, pixels. */
const LEAST_SIDE = 16;
/** The source that a call's own video is where it has several renditions. */
const SOURCE = 1;

/** The streams of video that an end offers, from stream id `first` on: one for each rendition, with half the width and height of the one before. Caps of the scope they are sent under hold for all of them. Throws `field-invalid` for what is no codec or no size. */
export function offerVideo(
  options: VideoOptions,
  { first, source = SOURCE }: { readonly first: number; readonly source?: number },
  freshSsrc: () => number,
  limits: ScopeLimits = {},
): VideoOfferStream[] {
  const { renditions = 1 } = options;
  const { maxWidth, maxHeight, maxFrameRate } = cappedBy(limits, { ...USUAL, ...options });
  return Array.from({ length: renditions }, (_, rendition) => ({
    stream: first + rendition,
    modality: "video",
    direction: options.direction ?? "sendrecv",
    ssrc: freshSsrc(),
    codecs: chosenFormats(options).map(({ name, payloadType }) => ({
      name,
      clock_rate: VIDEO_CLOCK_RATE,
      payload_type: payloadType,
      max_width: Math.max(LEAST_SIDE, Math.round(maxWidth / 2 ** rendition)),
      max_height: Math.max(LEAST_SIDE, Math.round(maxHeight / 2 ** rendition)),
      max_frame_rate: maxFrameRate,
    })),
    ...(renditions === 1 ? {} : { source, rendition }),
  }));
}

function cappedBy(
  { height = Number.POSITIVE_INFINITY, "frame-rate": frameRate = Number.POSITIVE_INFINITY }: ScopeLimits,
  wanted: Required<Pick<VideoOptions, "maxWidth" | "maxHeight" | "maxFrameRate">>,
) {
  return {
    maxWidth: wanted.maxWidth,
    maxHeight: Math.max(LEAST_SIDE, Math.min(height, wanted.maxHeight)),
    maxFrameRate: Math.max(1, Math.min(frameRate, wanted.maxFrameRate)),
  };
}

/** What a callee takes; `maySend`: its documents let it. */
export function videoCapabilities(options: VideoOptions, maySend: boolean): VideoCapabilities {
  const direction = options.direction ?? "sendrecv";
  const { maxWidth, maxHeight, maxFrameRate } = { ...USUAL, ...options };
  return {
    codecs: chosenFormats(options).map(({ name }) => ({ name, maxWidth, maxHeight, maxFrameRate })),
    send: maySend && direction !== "recvonly",
    receive: direction !== "sendonly",
    renditions: options.renditions,
  };
}

function chosenFormats({ codecs }: VideoOptions) {
  const names: readonly VideoFormatName[] = codecs ?? VIDEO_FORMATS.map(({ name }) => name);
  const formats = names.map(findVideoFormat).filter((entry) => entry !== undefined);
  if (formats.length > 0) return formats;
  throw new ParleyError({
    code: "field-invalid",
    message: "None of these codecs is known.",
    at: "video.codecs",
  });
}
