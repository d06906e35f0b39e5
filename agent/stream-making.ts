import type { Clock } from "../codecs/clock.ts";
import { MAX_DATAGRAM_BYTES } from "../sfu/carrier.ts";
import { legBitrate } from "../sfu/media-leg.ts";
import { usualVideoRate } from "../sfu/video-ladder.ts";
import { DATA_RATE } from "../signaling/data-stream.ts";
import { streamsSentBy, type Terms } from "../signaling/terms.ts";
import { openAudioMedia, RATE_HEADROOM } from "./audio-making.ts";
import { CallHop } from "./call-hop.ts";
import type { StreamFacts } from "./call-stream.ts";
import type { CallVideos } from "./call-videos.ts";
import { openDataMedia } from "./data-media.ts";
import type { MediaPort } from "./media-port.ts";
import { StreamLine } from "./stream-line.ts";
import type { StreamMedia, StreamMediaContext, StreamSide, StreamSides } from "./stream-media.ts";
import type { StreamParameters } from "./stream-parameters.ts";
import { placeOf } from "./stream-parts.ts";
import { openVideoMedia } from "./video-media.ts";

/** What a video may take of a way, of what it takes when nothing is in its way: how much there is room for is not found out with less. */
const VIDEO_HEADROOM = 1.5;

/** The same of reliable data, what goes around its pieces included. */
const DATA_HEADROOM = 1.5;

/** Makes the media of one stream, laid out so on `port`, and claims its flows there. Throws `proposal-rejected` for a codec that is not here. */
export async function makeStream(
  context: StreamMediaContext,
  videos: CallVideos,
  stream: number,
  port: MediaPort,
  entries: readonly StreamParameters[],
): Promise<{ readonly media: StreamMedia; readonly lines: readonly StreamLine[] }> {
  const lines: StreamLine[] = [];
  const side = <Entry extends StreamParameters>(
    modality: Entry["modality"],
    direction: Entry["direction"],
  ): StreamSide<Entry> | undefined => {
    const entry = entries.find(
      (one): one is Entry => one.direction === direction && one.modality === modality,
    );
    if (entry === undefined) return undefined;
    const line = new StreamLine(port, entry, placeOf(context.statements, entry).nextIndex);
    lines.push(line);
    return { entry, line };
  };
  const sides = <Entry extends StreamParameters>(modality: Entry["modality"]): StreamSides<Entry> => ({
    sends: side(modality, "send"),
    hears: side(modality, "receive"),
  });
  const facts = factsOf(stream, entries);
  const media =
    facts.modality === "audio"
      ? await openAudioMedia(context, facts, sides("audio"))
      : facts.modality === "video"
        ? openVideoMedia(context, facts, sides("video"), videos)
        : openDataMedia(context, facts, sides("data"));
  return { media, lines };
}

/** The way to the server of what this end sends live under these terms. */
export function hopFor(terms: Terms, leg: 0 | 1, clock: Clock): CallHop {
  const sends = streamsSentBy(terms, leg).find(({ modality }) => modality === "audio");
  return new CallHop({
    clock,
    ssrc: sends?.ssrcs[leg] ?? 0,
    bitrate: legBitrate(sentBits(terms, leg)),
    tooLarge: (line, packet) => void line.writeFrame(packet),
  });
}

/** Bits a second that what this end sends live may take, whatever rate is agreed at present. */
export function sentBits(terms: Terms, leg: 0 | 1): number {
  let bits = 0;
  for (const sent of streamsSentBy(terms, leg)) {
    if (sent.modality === "audio")
      bits += (1000 / sent.codec.frame_ms) * RATE_HEADROOM * MAX_DATAGRAM_BYTES * 8;
    else if (sent.modality === "video") {
      const { max_width: width, max_height: height, max_frame_rate: frameRate } = sent.codec;
      bits += usualVideoRate({ width, height, frameRate }) * VIDEO_HEADROOM;
    } else if (sent.delivery === "latest") bits += DATA_RATE.messagesPerSecond * MAX_DATAGRAM_BYTES * 8;
    else bits += DATA_RATE.bytesPerSecond * DATA_HEADROOM * 8;
  }
  return bits;
}

function factsOf(id: number, entries: readonly StreamParameters[]): StreamFacts {
  const modality = entries[0]?.modality ?? "data";
  const directions = entries.map((entry) => entry.direction);
  if (directions.length > 1) return { id, modality, direction: "sendrecv" };
  return { id, modality, direction: directions[0] === "send" ? "sendonly" : "recvonly" };
}
