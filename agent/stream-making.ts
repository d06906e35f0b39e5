import type { Clock } from "../codecs/clock.ts";
import { MAX_DATAGRAM_BYTES } from "../sfu/carrier.ts";
import { legBitrate } from "../sfu/media-leg.ts";
import { DATA_RATE } from "../signaling/data-stream.ts";
import { streamsSentBy, type Terms } from "../signaling/terms.ts";
import { openAudioMedia, RATE_HEADROOM } from "./audio-media.ts";
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
  const sent = streamsSentBy(terms, leg);
  const sends = sent.find(({ modality }) => modality === "audio");
  const spoken = sends?.modality === "audio" ? (1000 / sends.codec.frame_ms) * RATE_HEADROOM : 0;
  const latest = sent.filter((each) => each.modality === "data" && each.delivery === "latest");
  const framesPerSecond = spoken + latest.length * DATA_RATE.messagesPerSecond;
  return new CallHop({
    clock,
    ssrc: sends?.ssrcs[leg] ?? 0,
    bitrate: legBitrate(framesPerSecond * MAX_DATAGRAM_BYTES * 8),
    tooLarge: (line, packet) => void line.writeFrame(packet),
  });
}

function factsOf(id: number, entries: readonly StreamParameters[]): StreamFacts {
  const modality = entries[0]?.modality ?? "data";
  const directions = entries.map((entry) => entry.direction);
  if (directions.length > 1) return { id, modality, direction: "sendrecv" };
  return { id, modality, direction: directions[0] === "send" ? "sendonly" : "recvonly" };
}
