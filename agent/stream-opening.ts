import { dataFormat } from "../codecs/data-formats.ts";
import { findVideoFormat } from "../codecs/video-formats.ts";
import type { AnswerStream } from "../signaling/answer.ts";
import type { OfferStream } from "../signaling/offer.ts";
import type { Modality } from "../signaling/scope.ts";
import type { Direction } from "../signaling/stream-fields.ts";
import { lastStreamOf, type OpenedStream, streamOf, streamsSentBy, type Terms } from "../signaling/terms.ts";
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

/** The streams that `wanted` opens, as the end `leg` is asked for them. */
export function askedStreams(present: Terms, { opened = [] }: Terms, leg: 0 | 1): AskedStream[] {
  const { opened: before = [] } = present;
  return opened
    .filter(({ offer }) => !before.some((known) => known.offer.stream === offer.stream))
    .map(({ by, offer, answer }) => {
      const agreed = streamOf(offer, answer, by);
      return {
        id: agreed.stream,
        modality: agreed.modality,
        direction: agreed.directions[leg],
        format: agreed.modality === "data" ? agreed.format.name : agreed.codec.name,
        label: agreed.modality === "data" ? agreed.label : undefined,
      };
    });
}

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
