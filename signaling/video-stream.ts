import { VIDEO_CLOCK_RATE } from "../codecs/video-formats.ts";
import { integer, list, object, oneOf, optional, type Shape } from "./shape.ts";
import { CODEC_NAME, PAYLOAD_TYPE, type StreamFields, streamFields } from "./stream-fields.ts";

/** Most codecs offered for one stream. More are refused (`field-invalid`). */
const MAX_VIDEO_CODECS = 8;

/** Most renditions of one video. */
export const MAX_RENDITIONS = 4;

/** Fewest bits of payload a second that a video is worth sending with: less cannot be agreed on. */
export const LEAST_VIDEO_BITS_PER_SECOND = 30_000;

/** Most bits of payload a second that can be agreed on. */
export const MOST_VIDEO_BITS_PER_SECOND = 10_000_000;

/** A codec as it is offered, or as it was taken: then the caps are at most those offered. */
export type VideoCodec = {
  /** Lowercase RTP encoding name. */
  readonly name: string;
  readonly clock_rate: typeof VIDEO_CLOCK_RATE;
  readonly payload_type: number;
  /** Pixels. */
  readonly max_width: number;
  readonly max_height: number;
  /** Frames a second. */
  readonly max_frame_rate: number;
};

/** Which of several streams of a leg show one video, for listeners to choose from. Both absent: it is shown by this one alone. */
export type VideoSource = {
  /** The same for all of them. */
  readonly source?: number;
  /** 0 is the best. */
  readonly rendition?: number;
};

export type VideoOfferStream = StreamFields<"video"> &
  VideoSource & {
    /** In order of preference. */
    readonly codecs: readonly VideoCodec[];
  };

/** `source` and `rendition` are those of the offer. Of the streams of one source all have the same codec. */
export type VideoAnswerStream = StreamFields<"video"> &
  VideoSource & {
    readonly codec: VideoCodec;
  };

/** True when `offered` holds the codec that an answer chose, and allows as much. */
export function isOfferedVideo(codec: VideoCodec, offered: VideoOfferStream): boolean {
  return offered.codecs.some(
    (candidate) =>
      candidate.name === codec.name &&
      candidate.payload_type === codec.payload_type &&
      codec.max_width <= candidate.max_width &&
      codec.max_height <= candidate.max_height &&
      codec.max_frame_rate <= candidate.max_frame_rate,
  );
}

/** Whether both streams show the same video. */
export function isSameSource(left: VideoSource, right: VideoSource): boolean {
  return left.source !== undefined && left.source === right.source;
}

/** Pixels of a side of a frame. */
export const PIXELS: Shape<number> = integer(16, 8192);
/** Frames a second. */
export const FRAME_RATE: Shape<number> = integer(1, 240);
export const SOURCE: Shape<number> = integer(1, 255);
export const RENDITION: Shape<number> = integer(0, MAX_RENDITIONS - 1);

const CODEC: Shape<VideoCodec> = object<VideoCodec>({
  name: CODEC_NAME,
  clock_rate: oneOf(VIDEO_CLOCK_RATE),
  payload_type: PAYLOAD_TYPE,
  max_width: PIXELS,
  max_height: PIXELS,
  max_frame_rate: FRAME_RATE,
});

export const VIDEO_OFFER_STREAM: Shape<VideoOfferStream> = object<VideoOfferStream>({
  ...streamFields("video"),
  codecs: list(CODEC, { min: 1, max: MAX_VIDEO_CODECS }),
  source: optional(SOURCE),
  rendition: optional(RENDITION),
});

export const VIDEO_ANSWER_STREAM: Shape<VideoAnswerStream> = object<VideoAnswerStream>({
  ...streamFields("video"),
  codec: CODEC,
  source: optional(SOURCE),
  rendition: optional(RENDITION),
});
