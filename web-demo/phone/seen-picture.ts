/** One picture of the other end, as long as its stream is open. */
import type { VideoStream } from "@parley-rt/parley/agent";
import type { LivePictures } from "../model/live-pictures.ts";
import { captionOf, type SeenFacts } from "../model/picture-facts.ts";
import { Rate } from "../model/rate.ts";
import type { ShownPicture } from "../video/picture-decoder.ts";
import { PictureReceiver } from "../video/picture-receiver.ts";
import type { Screen } from "../video/screen.ts";

/** Bytes of a unit that is drawn as tall as a key frame. */
const TALL_BYTES = 12_000;

export class SeenPicture implements Screen {
  readonly stream: VideoStream;
  readonly #receiver: PictureReceiver;
  readonly #soundDelay: () => number;
  readonly #shownRate = new Rate();
  #units = 0;
  #at = Number.NEGATIVE_INFINITY;
  #caption = "";

  constructor(
    stream: VideoStream,
    options: {
      readonly live: LivePictures;
      readonly soundDelay: () => number;
      readonly report: (error: unknown) => void;
    },
  ) {
    this.stream = stream;
    this.#soundDelay = options.soundDelay;
    this.#receiver = new PictureReceiver(stream, {
      came: ({ sequence, key, data }) => {
        this.#units += 1;
        this.#at = performance.now();
        const loudness = key ? 1 : Math.min(0.8, data.length / TALL_BYTES);
        options.live.seen.add({ sequence, fate: "verified", level: 60 * (1 - loudness) });
      },
      report: options.report,
    });
  }

  get id(): number {
    return this.stream.id;
  }

  get isHeld(): boolean {
    return this.stream.held;
  }

  /** It was opened to be seen here. */
  get isOneWay(): boolean {
    return this.stream.direction === "recvonly";
  }

  get units(): number {
    return this.#units;
  }

  get at(): number {
    return this.#at;
  }

  get caption(): string {
    return this.#caption;
  }

  get shown(): number {
    return this.#receiver.shown;
  }

  due(now: number): ShownPicture | undefined {
    return this.#receiver.due(now, this.#soundDelay());
  }

  /** What can be said of it at `now`, monotonic milliseconds. */
  facts(now: number): SeenFacts {
    const { heard, skew, switches, freezes, frozenMs } = this.stream.stats();
    const sum = (count: (one: (typeof heard)[number]) => number) =>
      heard.reduce((total, one) => total + count(one), 0);
    const facts = {
      codec: this.#receiver.codec,
      size: this.#receiver.size,
      rendition: this.#receiver.rendition,
      shownRate: this.#shownRate.at(this.#receiver.shown, now),
      passedOver: this.#receiver.passedOver,
      keysAsked: sum(({ keyFramesAsked }) => keyFramesAsked),
      freezes,
      frozenMs,
      switches,
      skew,
    };
    this.#caption = captionOf(facts);
    return facts;
  }

  close(): void {
    this.#receiver.close();
  }
}
