/** Units in, pictures out at their time. */
import { PictureQueue } from "../model/picture-queue.ts";
import { codecString, type VideoCodecName } from "../model/video-codec.ts";

/** Units that a decoder may have before it; beyond, it starts again at a key frame. */
const BACKLOG = 30;
/** Until a unit says how large it is. */
const UNKNOWN_SIZE = { width: 1_280, height: 720 };
/** Times kept of units that are being decoded; the oldest goes. */
const TIMES = 64;

/** A unit as the call hands it out. */
export interface UnitToShow {
  readonly data: Uint8Array;
  readonly key: boolean;
  /** Monotonic milliseconds. */
  readonly playAt: number;
  readonly sequence: number;
}

/** A picture to be shown, with what it came from. */
export interface ShownPicture {
  readonly frame: VideoFrame;
  readonly sequence: number;
}

export interface DecoderCounters {
  decoded: number;
  /** Units passed over while a key frame was waited for. */
  skipped: number;
  /** Times that the decoder failed, or fell behind, and began again. */
  restarts: number;
}

export class PictureDecoder {
  readonly counters: DecoderCounters = { decoded: 0, skipped: 0, restarts: 0 };
  readonly pictures = new PictureQueue<ShownPicture>(({ frame }) => frame.close());
  readonly #codec: VideoCodecName;
  readonly #wantKey: () => void;
  readonly #times = new Map<number, { readonly playAt: number; readonly sequence: number }>();
  #decoder: VideoDecoder | undefined;
  #needsKey = true;
  #isClosed = false;
  #units = 0;

  /** `wantKey`: asks the speaker for a unit that can be decoded alone. */
  constructor(codec: VideoCodecName, wantKey: () => void) {
    this.#codec = codec;
    this.#wantKey = wantKey;
  }

  /** Takes the next unit, in the order they come. */
  decode({ data, key, playAt, sequence }: UnitToShow): void {
    if (this.#isClosed) return;
    if (this.#needsKey && !key) {
      this.counters.skipped += 1;
      return;
    }
    this.#needsKey = false;
    this.#decoder ??= this.#start();
    if (this.#decoder.decodeQueueSize >= BACKLOG) {
      this.#startAgain();
      return;
    }
    // Numbered, not timed: what comes out has the number of what went in, whatever its times do.
    this.#units += 1;
    this.#times.set(this.#units, { playAt, sequence });
    const [oldest] = this.#times.keys();
    if (this.#times.size > TIMES && oldest !== undefined) this.#times.delete(oldest);
    try {
      this.#decoder.decode(
        new EncodedVideoChunk({ type: key ? "key" : "delta", timestamp: this.#units, data: data.slice() }),
      );
    } catch {
      this.#startAgain();
    }
  }

  /** Gives up what waits and what is held. Idempotent. */
  close(): void {
    this.#isClosed = true;
    this.#discard();
    this.pictures.clear();
  }

  #start(): VideoDecoder {
    const decoder = new VideoDecoder({
      output: (frame) => {
        const times = this.#times.get(frame.timestamp);
        this.#times.delete(frame.timestamp);
        if (decoder !== this.#decoder || times === undefined) {
          frame.close();
          return;
        }
        this.counters.decoded += 1;
        this.pictures.put(times.playAt, { frame, sequence: times.sequence });
      },
      error: () => {
        if (decoder === this.#decoder) this.#startAgain();
      },
    });
    decoder.configure({ codec: codecString(this.#codec, UNKNOWN_SIZE), optimizeForLatency: true });
    return decoder;
  }

  /** What was under way is lost; nothing but a key frame can be decoded next. */
  #startAgain(): void {
    this.counters.restarts += 1;
    this.#discard();
    this.#needsKey = true;
    this.#wantKey();
  }

  #discard(): void {
    const decoder = this.#decoder;
    this.#decoder = undefined;
    this.#times.clear();
    if (decoder !== undefined && decoder.state !== "closed") decoder.close();
  }
}
