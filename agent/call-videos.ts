import type { Clock } from "../codecs/clock.ts";
import type { VideoFormatName } from "../codecs/video-formats.ts";
import { AvSync } from "../sfu/av-sync.ts";
import type { StreamControl, StreamFacts } from "./call-stream.ts";
import type { HeardAudio } from "./heard-audio.ts";
import { type VideoPart, VideoStream } from "./video-stream.ts";

/** Which video a stream shows: alone, or as one of several renditions. */
export interface PictureFacts {
  readonly codec: VideoFormatName;
  /** The same for all renditions of one video; undefined: it is shown by this stream alone. */
  readonly source: number | undefined;
  /** 0 is the best. */
  readonly rendition: number;
}

/** The videos of one call, and what they share: the voice that they are shown in step with, and the way that they go. */
export class CallVideos {
  /** What is shown and heard of the other end, by its capture times as mapped to this machine's. */
  readonly sync = new AvSync();
  readonly #report: (error: unknown) => void;
  readonly #clock: Clock;
  readonly #streams: Picture[] = [];
  readonly #watchers = new Set<() => void>();

  constructor(report: (error: unknown) => void, clock: Clock) {
    this.#report = report;
    this.#clock = clock;
  }

  /** Those that are open, as they were opened; where all are over, those that were. */
  get streams(): readonly VideoStream[] {
    const open = this.#streams.filter(({ ids }) => ids.size > 0);
    return (open.length > 0 ? open : this.#streams).map(({ stream }) => stream);
  }

  /** A piece of the other end's voice, as it was handed out. Returns how much later than it needs itself that voice is to be played, ms. */
  heard(heard: HeardAudio): number {
    if (heard.kind !== "speech") return this.sync.voiceWait(heard.playedAt);
    const { capturedAt, channels, clockRate, pcm, playedAt } = heard;
    this.sync.heard(capturedAt, playedAt, (pcm.length / channels / clockRate) * 1_000);
    return this.sync.voiceWait(playedAt);
  }

  /** The video that a stream shows: one that has other renditions already, or a new one. */
  pictureOf(facts: StreamFacts, { codec, source }: PictureFacts, control: StreamControl): VideoStream {
    const known =
      source === undefined
        ? undefined
        : this.#streams.find((one) => one.source === source && one.ids.size > 0);
    if (known !== undefined) {
      known.ids.add(facts.id);
      return known.stream;
    }
    const stream = new VideoStream(facts, control, {
      codec,
      clock: this.#clock,
      skew: () => this.sync.skew,
      shows: (rendition) => source !== undefined && control.show(source, rendition),
      report: this.#report,
    });
    this.#streams.push({ stream, source, ids: new Set([facts.id]) });
    return stream;
  }

  /** A stream of a video is there. */
  add(picture: VideoStream, part: VideoPart): void {
    picture.add(part);
    this.#tell();
  }

  /** It is over. */
  remove(picture: VideoStream, stream: number): void {
    picture.remove(stream);
    this.#streams.find((one) => one.stream === picture)?.ids.delete(stream);
    // Of those that are over the first is remembered, for what it counted.
    const gone = this.#streams.findIndex(({ ids }, at) => at > 0 && ids.size === 0);
    if (gone > 0) this.#streams.splice(gone, 1);
    this.#tell();
  }

  /** Calls `watch` when streams came or went; the returned function ends that. */
  onChange(watch: () => void): () => void {
    this.#watchers.add(watch);
    return () => void this.#watchers.delete(watch);
  }

  #tell(): void {
    for (const watch of this.#watchers) watch();
  }
}

interface Picture {
  readonly stream: VideoStream;
  readonly source: number | undefined;
  /** Of its streams that are open. */
  readonly ids: Set<number>;
}
