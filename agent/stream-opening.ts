import { dataFormat } from "../codecs/data-formats.ts";
import { findVideoFormat } from "../codecs/video-formats.ts";
import type { AnswerStream } from "../signaling/answer.ts";
import { LATEST_DEADLINE_MS } from "../signaling/data-stream.ts";
import type { OfferStream } from "../signaling/offer.ts";
import type { Modality } from "../signaling/scope.ts";
import type { Direction } from "../signaling/stream-fields.ts";
import {
  lastStreamOf,
  type OpenedStream,
  streamOf,
  streamsSentBy,
  type Terms,
  type TermsStream,
} from "../signaling/terms.ts";
import { isSameSource, type VideoCodec } from "../signaling/video-stream.ts";
import { offerAudio } from "./audio-offer.ts";
import type { CallAudioOptions, CallOptions, VideoOptions } from "./call-options.ts";
import { type DataStreamOptions, offerData } from "./data-offer.ts";
import type { AgentPlatform } from "./platform.ts";
import { offerVideo } from "./video-offer.ts";

/** A stream that the other end wants to open. */
export interface AskedStream {
  /** Stream id that it would have. */
  readonly id: number;
  readonly modality: Modality;
  /** Which way it would flow, as this end sees it. */
  readonly direction: Direction;
  /** Name of its codec or format. */
  readonly format: string;
  /** What the streams of a call are told apart by, where it has one. */
  readonly label: string | undefined;
  /** Of data: complete and in order, or the latest value alone, none older than so many milliseconds. */
  readonly delivery: "reliable" | "latest" | undefined;
  readonly deadlineMs: number | undefined;
  /** Of video: what the video is at most. */
  readonly picture: AskedPicture | undefined;
}

/** What a video that the other end wants to show is at most. */
export interface AskedPicture {
  readonly width: number;
  readonly height: number;
  /** Frames a second. */
  readonly frameRate: number;
  /** Streams that it takes, the first of them with the `id` that is asked about: 1 where it comes in one size alone. */
  readonly renditions: number;
}

/** A stream to be opened while a call is up. */
export type WantedStream =
  | ({ readonly modality: "audio" } & Pick<CallAudioOptions, "codecs" | "frameMs" | "channels" | "direction">)
  | ({ readonly modality: "video" } & VideoOptions)
  | ({ readonly modality: "data" } & DataStreamOptions);

/** What an end offers of a stream that it wants to open beside those that there are. Throws `field-invalid`. */
export function offerWanted(
  platform: AgentPlatform,
  wanted: WantedStream,
  { present, leg }: { readonly present: Terms; readonly leg: 0 | 1 },
  freshSsrc: () => number,
): OfferStream[] {
  const first = lastStreamOf(present) + 1;
  switch (wanted.modality) {
    case "audio":
      return [{ ...offerAudio(platform, wanted, freshSsrc()), stream: first }];
    case "video": {
      const sources = streamsSentBy(present, leg).map((each) =>
        each.modality === "video" ? (each.source ?? 0) : 0,
      );
      return offerVideo(wanted, { first, source: Math.max(0, ...sources) + 1 }, freshSsrc);
    }
    case "data":
      return [offerData(wanted, first, freshSsrc())];
  }
}

/** Whether this machine can run a stream that the other end opens: it has its codec, or needs none. */
export function isRunnable({ audioFormats }: AgentPlatform, { modality, format }: AskedStream): boolean {
  switch (modality) {
    case "audio":
      return audioFormats.some(({ name }) => name === format);
    case "video":
      return findVideoFormat(format) !== undefined;
    case "data":
      return dataFormat(format) !== undefined;
  }
}

/** Whether a stream that the other end opens is taken where the application does not say. */
export function isTakenUnasked(
  { audio, video = false, data }: CallOptions,
  { modality }: AskedStream,
): boolean {
  return { audio: audio !== false, video: video !== false, data: data !== false }[modality];
}

/** Streams as an end opens them: its offers, each with its first codec or format, and the other end's answers to them. */
export function openedFrom(
  by: 0 | 1,
  offers: readonly OfferStream[],
  freshSsrc: () => number,
): OpenedStream[] {
  return offers.map((offered) => {
    const [offer, answer] = pairOf(offered, freshSsrc());
    return { by, offer, answer };
  });
}

/** The streams that `wanted` opens, as the end `leg` is asked for them: a video once, in however many renditions it comes. */
export function askedStreams(present: Terms, { opened = [] }: Terms, leg: 0 | 1): AskedStream[] {
  const { opened: before = [] } = present;
  const agreed = opened
    .filter(({ offer }) => !before.some((known) => known.offer.stream === offer.stream))
    .map(({ by, offer, answer }) => streamOf(offer, answer, by));
  const isFirst = (stream: TermsStream) => renditionsOf(stream, agreed)[0] === stream;
  return agreed.filter(isFirst).map((stream) => askedFrom(stream, renditionsOf(stream, agreed), leg));
}

function askedFrom(stream: TermsStream, renditions: readonly TermsStream[], leg: 0 | 1): AskedStream {
  const { stream: id, modality, directions } = stream;
  const asked = { id, modality, direction: directions[leg], ...NOT_SAID };
  switch (stream.modality) {
    case "audio":
      return { ...asked, format: stream.codec.name };
    case "video": {
      const codecs = renditions.flatMap((each) => (each.modality === "video" ? [each.codec] : []));
      const most = (of: (codec: VideoCodec) => number) => Math.max(...codecs.map(of));
      const picture = {
        width: most((codec) => codec.max_width),
        height: most((codec) => codec.max_height),
        frameRate: most((codec) => codec.max_frame_rate),
        renditions: codecs.length,
      };
      return { ...asked, format: stream.codec.name, picture };
    }
    case "data": {
      const { delivery = "reliable", deadline_ms: deadline, format, label } = stream;
      const deadlineMs = delivery === "latest" ? (deadline ?? LATEST_DEADLINE_MS) : undefined;
      return { ...asked, format: format.name, label, delivery, deadlineMs };
    }
  }
}

/** Those of `streams` that show what `stream` shows, itself among them. */
function renditionsOf(stream: TermsStream, streams: readonly TermsStream[]): readonly TermsStream[] {
  return streams.filter(
    (each) =>
      each === stream ||
      (stream.modality === "video" && each.modality === "video" && isSameSource(stream, each)),
  );
}

const NOT_SAID = { label: undefined, delivery: undefined, deadlineMs: undefined, picture: undefined };

function pairOf(offered: OfferStream, ssrc: number): readonly [OfferStream, AnswerStream] {
  const direction = mirrored(offered.direction);
  switch (offered.modality) {
    case "audio": {
      const [codec] = offered.codecs;
      if (codec === undefined) throw new RangeError("a stream of audio without a codec");
      const { frame_ms: lengths, ...shared } = codec;
      const [length = 20] = lengths;
      const { codecs: _, interruptible, ...facts } = offered;
      const own = interruptible === undefined ? {} : { interruptible };
      return [
        { ...facts, ...own, codecs: [{ ...shared, frame_ms: [length] }] },
        { ...facts, direction, ssrc, codec: { ...shared, frame_ms: length } },
      ];
    }
    case "video": {
      const { codecs, ...facts } = offered;
      const [codec] = codecs;
      if (codec === undefined) throw new RangeError("a stream of video without a codec");
      return [
        { ...facts, codecs: [codec] },
        { ...facts, direction, ssrc, codec },
      ];
    }
    case "data": {
      const { formats, ...facts } = offered;
      const [format] = formats;
      if (format === undefined) throw new RangeError("a stream of data without a format");
      return [
        { ...facts, formats: [format] },
        { ...facts, direction, ssrc, format },
      ];
    }
  }
}

function mirrored(direction: Direction): Direction {
  if (direction === "sendonly") return "recvonly";
  return direction === "recvonly" ? "sendonly" : "sendrecv";
}
