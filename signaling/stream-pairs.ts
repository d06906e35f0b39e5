import type { AnswerStream } from "./answer.ts";
import { arePayloadTypesDistinct, isOfferedCodec } from "./audio-stream.ts";
import { isOfferedFormat, isSameDelivery } from "./data-stream.ts";
import type { OfferStream } from "./offer.ts";
import { type Direction, receives, sends } from "./stream-fields.ts";
import { isOfferedVideo, isSameSource } from "./video-stream.ts";

/** Where streams contradict each other or themselves. */
export interface Clash {
  /** E.g. `[1].ssrc`. */
  readonly at: string;
  readonly message: string;
}

/**
 * Where two streams of one end, or two codecs or formats of one stream, claim the same number, and where what a stream says of itself makes no
 * sense; `undefined` when nothing does.
 */
export function clashIn(streams: readonly OfferStream[]): Clash | undefined {
  for (const [i, stream] of streams.entries()) {
    const earlier = streams.slice(0, i);
    if (earlier.some((other) => other.stream === stream.stream))
      return { at: `[${i}].stream`, message: "A stream is offered twice." };
    if (earlier.some((other) => other.ssrc === stream.ssrc))
      return { at: `[${i}].ssrc`, message: "Two streams have the same SSRC." };
    const own = clashWithin(stream, earlier);
    if (own !== undefined) return { ...own, at: `[${i}].${own.at}` };
  }
  return undefined;
}

/** The member of an answered stream whose choice the offered one does not hold; `undefined` when it holds all. */
export function misfitOf(stream: AnswerStream, offered: OfferStream): string | undefined {
  if (!flowsWithin(offered.direction, stream.direction)) return "direction";
  switch (stream.modality) {
    case "audio":
      if (offered.modality !== "audio") return "modality";
      return isOfferedCodec(stream.codec, offered) ? undefined : "codec";
    case "video":
      if (offered.modality !== "video") return "modality";
      if (stream.source !== offered.source) return "source";
      if (stream.rendition !== offered.rendition) return "rendition";
      return isOfferedVideo(stream.codec, offered) ? undefined : "codec";
    case "data":
      if (offered.modality !== "data") return "modality";
      if (stream.label !== offered.label) return "label";
      if (!isSameDelivery(stream, offered)) return "delivery";
      return isOfferedFormat(stream.format, offered) ? undefined : "format";
  }
}

/** The first answered stream that has another codec than an earlier one of the same video. */
export function strayRendition(streams: readonly AnswerStream[]): number | undefined {
  const stray = streams.findIndex((stream, i) =>
    streams
      .slice(0, i)
      .some(
        (other) =>
          stream.modality === "video" &&
          other.modality === "video" &&
          isSameSource(stream, other) &&
          stream.codec.name !== other.codec.name,
      ),
  );
  return stray < 0 ? undefined : stray;
}

function clashWithin(stream: OfferStream, earlier: readonly OfferStream[]): Clash | undefined {
  const choices = stream.modality === "data" ? stream.formats : stream.codecs;
  const types = choices.map((choice) => choice.payload_type);
  const isDistinct =
    stream.modality === "audio"
      ? arePayloadTypesDistinct(stream.codecs)
      : new Set(types).size === types.length;
  if (!isDistinct) {
    const at = stream.modality === "data" ? "formats" : "codecs";
    return { at, message: "Two codecs or formats of a stream have the same payload type." };
  }
  if (stream.modality === "data" && stream.deadline_ms !== undefined && stream.delivery === undefined)
    return { at: "deadline_ms", message: "What comes complete and in order has no deadline." };
  if (stream.modality !== "video") return undefined;
  if ((stream.source === undefined) !== (stream.rendition === undefined))
    return { at: "rendition", message: "A rendition has a source, a source renditions." };
  const isTwice = earlier.some(
    (other) =>
      other.modality === "video" && isSameSource(other, stream) && other.rendition === stream.rendition,
  );
  return isTwice ? { at: "rendition", message: "A rendition is offered twice." } : undefined;
}

/** Each end sends only what the other one receives. */
function flowsWithin(offered: Direction, answered: Direction): boolean {
  return (!sends(answered) || receives(offered)) && (!receives(answered) || sends(offered));
}
