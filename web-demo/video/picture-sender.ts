/** A camera or a screen on its way into a call: one encoder for each rendition, set as the stream wants it. */
import type { VideoStream } from "@parley-rt/parley/agent";
import { CaptureTime } from "../model/capture-time.ts";
import { FramePace } from "../model/frame-pace.ts";
import { type Encoding, encodingFor, type Size } from "../model/picture-plan.ts";
import type { Capture } from "./capture.ts";
import { PictureEncoder } from "./picture-encoder.ts";

/** What a stream of the call is to the sender. */
export type PictureOutlet = Pick<VideoStream, "codec" | "wants" | "send" | "muted">;

/** What came of one rendition. */
export interface MadeRendition {
  readonly rendition: number;
  /** Undefined while it pauses. */
  readonly encoding: Encoding | undefined;
  readonly encoded: number;
  readonly keys: number;
  /** Pictures left out because the encoder was behind. */
  readonly behind: number;
}

interface Rendition {
  readonly rendition: number;
  readonly encoder: PictureEncoder;
  readonly pace: FramePace;
  /** A key frame was asked for and has not come out yet. */
  isKeyDue: boolean;
}

export class PictureSender {
  readonly capture: Capture;
  readonly #outlet: PictureOutlet;
  readonly #report: (error: unknown) => void;
  readonly #time = new CaptureTime();
  readonly #renditions = new Map<number, Rendition>();
  #isStopped = false;

  /** Sends what `capture` gives until either is stopped. */
  constructor(capture: Capture, outlet: PictureOutlet, report: (error: unknown) => void) {
    this.capture = capture;
    this.#outlet = outlet;
    this.#report = report;
    this.#run().catch(report);
  }

  /** Best first. */
  get made(): readonly MadeRendition[] {
    return [...this.#renditions.values()]
      .sort((one, other) => one.rendition - other.rendition)
      .map(({ rendition, encoder: { encoding, counters } }) => ({ rendition, encoding, ...counters }));
  }

  /** Gives the device back, and sends nothing more. Idempotent. */
  stop(): void {
    this.#isStopped = true;
    this.capture.stop();
    for (const { encoder } of this.#renditions.values()) encoder.close();
  }

  async #run(): Promise<void> {
    for await (const frame of this.capture.frames()) {
      try {
        if (this.#isStopped) return;
        this.#take(frame);
      } finally {
        frame.close();
      }
    }
  }

  #take(frame: VideoFrame): void {
    const now = performance.now();
    const capturedAt = this.#time.of(frame.timestamp, now);
    if (this.#outlet.muted) return;
    const size: Size = { width: frame.displayWidth, height: frame.displayHeight };
    for (const wanted of this.#outlet.wants.renditions) {
      const rendition = this.#rendition(wanted.rendition);
      const { encoder, pace } = rendition;
      encoder.set(encodingFor(size, wanted));
      if (wanted.keyFrame && !rendition.isKeyDue) {
        rendition.isKeyDue = true;
        encoder.wantKey();
      }
      if (encoder.encoding !== undefined && pace.takes(capturedAt, wanted.maxFrameRate))
        encoder.encode(frame, capturedAt);
    }
  }

  #rendition(rendition: number): Rendition {
    const known = this.#renditions.get(rendition);
    if (known !== undefined) return known;
    const encoder = new PictureEncoder(this.#outlet.codec, {
      made: (unit) => {
        if (this.#isStopped) return;
        if (unit.key) made.isKeyDue = false;
        this.#outlet.send({ ...unit, rendition }).catch(this.#report);
      },
      report: this.#report,
    });
    const made: Rendition = { rendition, encoder, pace: new FramePace(), isKeyDue: false };
    this.#renditions.set(rendition, made);
    return made;
  }
}
