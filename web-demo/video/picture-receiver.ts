/** What the other end shows: its units decoded, each picture kept until its time. */
import type { HeardVideo, VideoStream } from "@parley-rt/parley/agent";
import type { Size } from "../model/picture-plan.ts";
import { isVideoCodec } from "../model/video-codec.ts";
import { type DecoderCounters, PictureDecoder, type ShownPicture } from "./picture-decoder.ts";

/** What a stream of the call is to the receiver. */
export type PictureInlet = Pick<VideoStream, "codec" | "requestKeyFrame"> & AsyncIterable<HeardVideo>;

export class PictureReceiver {
  readonly codec: string;
  readonly #decoder: PictureDecoder | undefined;
  readonly #came: (unit: HeardVideo) => void;
  #size: Size | undefined;
  #rendition = 0;
  #shown = 0;
  #isOver = false;

  /** Decodes what `inlet` brings until it ends. `came`: each unit, verified. */
  constructor(
    inlet: PictureInlet,
    options: { readonly came: (unit: HeardVideo) => void; readonly report: (error: unknown) => void },
  ) {
    this.codec = inlet.codec;
    this.#came = options.came;
    this.#decoder = isVideoCodec(inlet.codec)
      ? new PictureDecoder(inlet.codec, () => inlet.requestKeyFrame())
      : undefined;
    this.#run(inlet).catch(options.report);
  }

  /** Of the picture that was shown last. */
  get size(): Size | undefined {
    return this.#size;
  }

  /** Which rendition comes; 0 is the best. */
  get rendition(): number {
    return this.#rendition;
  }

  /** Pictures painted, and those that were decoded and never were. */
  get shown(): number {
    return this.#shown;
  }

  get passedOver(): number {
    return this.#decoder?.pictures.dropped ?? 0;
  }

  get counters(): Readonly<DecoderCounters> | undefined {
    return this.#decoder?.counters;
  }

  /** The stream has ended. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /**
   * The picture to be shown at `now`, monotonic milliseconds; the caller closes its frame. `undefined`: the one before stays. `later`: how
   * much later than they are handed out sounds are heard, ms, so that pictures stay in step.
   */
  due(now: number, later: number): ShownPicture | undefined {
    const picture = this.#decoder?.pictures.due(now - later);
    if (picture === undefined) return undefined;
    this.#shown += 1;
    this.#size = { width: picture.frame.displayWidth, height: picture.frame.displayHeight };
    return picture;
  }

  close(): void {
    this.#isOver = true;
    this.#decoder?.close();
  }

  async #run(inlet: PictureInlet): Promise<void> {
    for await (const unit of inlet) {
      if (this.#isOver) return;
      this.#rendition = unit.rendition;
      this.#came(unit);
      this.#decoder?.decode(unit);
    }
    this.close();
  }
}
