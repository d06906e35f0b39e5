import { encodingFor } from "../../web-demo/model/picture-plan.ts";
import type { VideoCodecName } from "../../web-demo/model/video-codec.ts";
import { type CaptureKind, openCapture } from "../../web-demo/video/capture.ts";
import { PictureDecoder } from "../../web-demo/video/picture-decoder.ts";
import { type MadeUnit, PictureEncoder } from "../../web-demo/video/picture-encoder.ts";

declare global {
  var video: {
    readonly loop: (asked: LoopAsked) => Promise<LoopReport>;
  };
}

/** What goes once through encoder and decoder. */
export interface LoopAsked {
  readonly source: CaptureKind;
  readonly codec: VideoCodecName;
  /** Pictures to be decoded at each of these settings, in turn. */
  readonly pictures: number;
  readonly settings: readonly { readonly bitsPerSecond: number; readonly maxHeight: number }[];
  /** A unit that the decoder cannot read is put in the middle. */
  readonly spoilt?: boolean;
}

export interface LoopReport {
  readonly heights: readonly number[];
  readonly bytesPerPicture: readonly number[];
  readonly keys: number;
  readonly layers: readonly number[];
  readonly restarts: number;
  readonly keysAsked: number;
  readonly shown: number;
  /** Of the pictures shown: the least spread of brightness in one, and how many differ from the one before. */
  readonly spread: number;
  readonly changed: number;
  readonly liveAfter: boolean;
}

globalThis.video = {
  async loop({ source, codec, pictures, settings, spoilt = false }) {
    const capture = await openCapture(source);
    const seen = { layers: new Set<number>(), keysAsked: 0, shown: 0, spread: 255, changed: 0, before: "" };
    let sequence = 0;
    const encoder = new PictureEncoder(codec, {
      made: (unit) => {
        sequence += 1;
        seen.layers.add(unit.layer);
        bytes += unit.data.length;
        if (spoilt && sequence === 10) spoil(unit);
        decoder.decode({ ...unit, playAt: performance.now(), sequence });
      },
      report: (error) => console.warn(error),
    });
    const decoder = new PictureDecoder(codec, () => {
      seen.keysAsked += 1;
      encoder.wantKey();
    });
    let bytes = 0;
    let [at, setAt] = [0, 0];
    const heights: number[] = [];
    const bytesPerPicture: number[] = [];
    for await (const frame of capture.frames()) {
      const wanted = settings[at];
      if (wanted === undefined) {
        frame.close();
        break;
      }
      encoder.set(encodingFor(capture.size, { ...wanted, maxFrameRate: 30 }));
      encoder.encode(frame, performance.now());
      frame.close();
      const picture = decoder.pictures.due(performance.now());
      if (picture === undefined) continue;
      look(picture.frame, seen);
      const height = picture.frame.displayHeight;
      picture.frame.close();
      if (decoder.counters.decoded - setAt < pictures) continue;
      heights.push(height);
      bytesPerPicture.push(Math.round(bytes / (decoder.counters.decoded - setAt)));
      setAt = decoder.counters.decoded;
      bytes = 0;
      at += 1;
    }
    capture.stop();
    await capture.stopped;
    encoder.close();
    decoder.close();
    return {
      heights,
      bytesPerPicture,
      keys: encoder.counters.keys,
      layers: [...seen.layers].sort(),
      restarts: decoder.counters.restarts,
      keysAsked: seen.keysAsked,
      shown: seen.shown,
      spread: seen.spread,
      changed: seen.changed,
      liveAfter: capture.stream.getVideoTracks().some(({ readyState }) => readyState === "live"),
    };
  },
};

function spoil(unit: MadeUnit): void {
  unit.data.fill(0xff);
}

function look(
  frame: VideoFrame,
  seen: { shown: number; spread: number; changed: number; before: string },
): void {
  const canvas = new OffscreenCanvas(32, 18);
  const pen = canvas.getContext("2d") as OffscreenCanvasRenderingContext2D;
  pen.drawImage(frame, 0, 0, 32, 18);
  const { data } = pen.getImageData(0, 0, 32, 18);
  const greens = Array.from({ length: data.length / 4 }, (_, pixel) => data[4 * pixel + 1] ?? 0);
  const now = greens.join();
  seen.shown += 1;
  seen.spread = Math.min(seen.spread, Math.max(...greens) - Math.min(...greens));
  if (seen.before !== "" && seen.before !== now) seen.changed += 1;
  seen.before = now;
}
