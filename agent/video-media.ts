import type { FrameProfile } from "../codecs/frame.ts";
import { usualVideoRate } from "../sfu/video-ladder.ts";
import type { MediaKey } from "../signaling/media-key.ts";
import type { CallHop } from "./call-hop.ts";
import { CallStream, type StreamFacts } from "./call-stream.ts";
import type { CallVideos } from "./call-videos.ts";
import type { StreamMediaContext, StreamSide, StreamSides } from "./stream-media.ts";
import type { VideoStreamParameters } from "./stream-parameters.ts";
import { speakingParts } from "./stream-parts.ts";
import { hearingParts, LiveMedia, type TwoWayParts } from "./two-way-media.ts";
import { VideoReceiver } from "./video-receiver.ts";
import { VideoSender } from "./video-sender.ts";
import type { VideoStream } from "./video-stream.ts";

/** Ceiling for what a listener takes from one speaker: this many times the agreed frame rate. */
const RATE_HEADROOM = 2;
/** Most bytes of video a second that a listener takes in one stream. */
const MOST_BYTES_PER_SECOND = 5_000_000;
/** Seconds of burst on top: a key frame has many times the bytes of others, and a network may let many go at once. */
const RATE_BURST_SECONDS = 2;
/** A round trip to the speaker that is said to take longer is not believed, ms. */
const LONGEST_ROUND_TRIP_MS = 1_000;

type VideoSide = StreamSide<VideoStreamParameters>;

/** One rendition of a video, both ways. */
export class VideoMedia extends LiveMedia<VideoSender, VideoReceiver> {
  readonly modality = "video";
  readonly handle: CallStream;
  /** The video that it is a rendition of. */
  readonly picture: VideoStream;
  readonly #over: () => void;

  constructor(
    parts: TwoWayParts<VideoSender, VideoReceiver>,
    own: { readonly handle: CallStream; readonly picture: VideoStream; readonly over: () => void },
  ) {
    super(parts);
    this.handle = own.handle;
    this.picture = own.picture;
    this.#over = own.over;
  }

  /** What was not forwarded is lacking: only a key frame can be decoded. */
  want(isWanted: boolean): void {
    this.receiver?.setQuiet("unwanted", !isWanted);
  }

  override takeKey(key: MediaKey, profile: FrameProfile, expiresAt: number): void {
    super.takeKey(key, profile, expiresAt);
    this.sender?.beginAnew();
  }

  override closed(): void {
    if (this.handle !== this.picture) super.closed();
    this.picture.closed(this.stream);
  }

  override finish(): void {
    super.finish();
    this.#over();
  }
}

/** Makes the media of a stream of video, as one of `videos`, and claims its flows. */
export function openVideoMedia(
  context: StreamMediaContext,
  facts: StreamFacts,
  sides: StreamSides<VideoStreamParameters>,
  videos: CallVideos,
): VideoMedia {
  const { sends, hears } = sides;
  const { id: stream } = facts;
  const { source, rendition, codec, maxWidth, maxHeight, maxFrameRate } = (sends ?? hears)?.entry ?? NOWHERE;
  const limits = { width: maxWidth, height: maxHeight, frameRate: maxFrameRate };
  const picture = videos.pictureOf(facts, { codec, source, rendition }, context.control);
  const sender = sends && makeSender(context, sends, () => picture.changed());
  const receiver = hears && makeReceiver(context, hears, videos, picture);
  listenTo(context.hop(), sides, receiver);
  videos.add(picture, { stream, rendition, limits, sender, receiver });
  return new VideoMedia(
    { stream, sides, sender, receiver, tagKeys: context.tagKeys },
    {
      handle: picture.id === stream ? picture : new CallStream(facts, context.control),
      picture,
      over: () => {
        videos.remove(picture, stream);
        for (const side of [sends, hears])
          if (side !== undefined) context.hop().closes(side.line, side.entry.ssrc);
      },
    },
  );
}

function makeSender(
  context: StreamMediaContext,
  { entry, line }: VideoSide,
  changed: () => void,
): VideoSender {
  const { platform, time } = context;
  const { maxWidth: width, maxHeight: height, maxFrameRate: frameRate } = entry;
  const [high = 0, low = 0, base = 0] = platform.random(3);
  const hop = context.hop();
  const sender = new VideoSender({
    clock: platform.clock,
    time,
    ...speakingParts(context, entry, 0),
    format: entry.codec,
    first: { picture: ((high & 0x7f) << 8) | low, base },
    bitsPerSecond: usualVideoRate({ width, height, frameRate }),
    stream: entry.stream,
    watch: context.watch,
    changed,
    // Who runs the encoder itself has it follow `wants`.
    rates: context.voices === "encoded" ? context.rates : undefined,
    outlet: {
      unit: (frame, _, settled) => {
        context.outgoing?.(frame.packet);
        return hop.sendUnit(line, frame, settled);
      },
      checkpoint: (bytes) => line.state(bytes),
      hasRoom: () => line.hasRoom,
    },
  });
  hop.sendsUnits(line, entry.ssrc, (isAnswered) => sender.askKeyFrame(isAnswered));
  return sender;
}

function makeReceiver(
  context: StreamMediaContext,
  side: VideoSide,
  videos: CallVideos,
  picture: VideoStream,
): VideoReceiver {
  const { entry } = side;
  const framesPerSecond = entry.maxFrameRate * RATE_HEADROOM;
  const rate = { framesPerSecond, bytesPerSecond: MOST_BYTES_PER_SECOND, burst: RATE_BURST_SECONDS };
  return new VideoReceiver({
    ...hearingParts(context, side, { rate }),
    format: entry.codec,
    rendition: entry.rendition,
    freezes: picture.freezes,
    sync: videos.sync,
    heard: (unit) => picture.deliver(unit),
    askKeyFrame: (isRecorded) => {
      context.hop().askKeyFrame(entry.ssrc);
      if (isRecorded) context.control.requestKeyFrame(entry.stream);
    },
    roundTrip: () => Math.min(2 * context.peerClock.uncertainty, LONGEST_ROUND_TRIP_MS),
  });
}

function listenTo(hop: CallHop, { sends, hears }: StreamSides, receiver: VideoReceiver | undefined): void {
  const nothing = () => {};
  if (receiver !== undefined && hears !== undefined) {
    hears.line.listen("frames", {
      // What does not come on a stream of its own is refused.
      datagram: (bytes, held) => receiver.datagram(bytes, held),
      item: nothing,
      units: {
        unit: (packet) => receiver.item(packet),
        piece: hop.hearsUnits(hears.line, hears.entry.ssrc),
      },
    });
    hears.line.listen("checkpoints", { datagram: nothing, item: (bytes) => receiver.checkpoint(bytes) });
  }
  // The server keeps them as evidence; nothing here goes by how far a video was watched.
  sends?.line.listen("receipts", { datagram: nothing, item: nothing });
}

/** Of a stream that flows neither way: it shows nothing. */
const NOWHERE = {
  source: undefined,
  rendition: 0,
  codec: "vp8",
  maxWidth: 0,
  maxHeight: 0,
  maxFrameRate: 0,
} as const;
