/** The camera and the screen as pictures, one after the other. */
import type { Size } from "../model/picture-plan.ts";

export type CaptureKind = "camera" | "screen";

/** Lines asked of a camera; what cannot be had is less. */
const CAMERA_HEIGHT = 720;
const FRAME_RATE = 30;

/** Why there are no pictures. */
export class CaptureRefused extends Error {
  readonly code: "refused" | "missing";

  constructor(code: "refused" | "missing", cause: unknown) {
    super(code === "refused" ? "It was not allowed." : "There is none.", { cause });
    this.code = code;
  }
}

/** Pictures of one source until it is stopped. */
export interface Capture {
  readonly kind: CaptureKind;
  readonly size: Size;
  /** To be shown as it is, without encoding. */
  readonly stream: MediaStream;
  /** Pictures as they come; the newest where the reader is slow. Close each. Done when the source stops. */
  frames(): AsyncGenerator<VideoFrame, undefined>;
  /** Calls `over` when people stop it by the browser's own means. */
  whenOver(over: () => void): void;
  /** Gives the device back. Idempotent. */
  stop(): void;
}

/** Asks people for their camera or screen. Throws {@link CaptureRefused}. */
export async function openCapture(kind: CaptureKind): Promise<Capture> {
  const stream = await ask(kind);
  const [track] = stream.getVideoTracks();
  if (track === undefined) throw new CaptureRefused("missing", undefined);
  track.contentHint = kind === "screen" ? "detail" : "motion";
  const { width = 640, height = 480 } = track.getSettings();
  return {
    kind,
    size: { width, height },
    stream,
    frames: () => framesOf(track, stream),
    whenOver: (over) => track.addEventListener("ended", over),
    stop() {
      for (const one of stream.getTracks()) one.stop();
      // A track that is stopped from here does not say so.
      track.dispatchEvent(new Event("stopped"));
    },
  };
}

async function ask(kind: CaptureKind): Promise<MediaStream> {
  try {
    return kind === "camera"
      ? await navigator.mediaDevices.getUserMedia({
          video: { height: { ideal: CAMERA_HEIGHT }, frameRate: { ideal: FRAME_RATE, max: FRAME_RATE } },
        })
      : await navigator.mediaDevices.getDisplayMedia({
          video: { frameRate: { max: FRAME_RATE } },
          audio: false,
        });
  } catch (error) {
    const isRefused = error instanceof DOMException && error.name === "NotAllowedError";
    throw new CaptureRefused(isRefused ? "refused" : "missing", error);
  }
}

/** What TypeScript's DOM lacks: Chromium's way from a track to its frames. */
interface TrackProcessor {
  readonly readable: ReadableStream<VideoFrame>;
}
type TrackProcessorMaker = new (options: {
  readonly track: MediaStreamTrack;
  readonly maxBufferSize: number;
}) => TrackProcessor;

function framesOf(track: MediaStreamTrack, stream: MediaStream): AsyncGenerator<VideoFrame, undefined> {
  const { MediaStreamTrackProcessor: Processor } = globalThis as {
    MediaStreamTrackProcessor?: TrackProcessorMaker;
  };
  return Processor === undefined
    ? playedFrames(track, stream)
    : processedFrames(new Processor({ track, maxBufferSize: 1 }).readable);
}

async function* processedFrames(readable: ReadableStream<VideoFrame>): AsyncGenerator<VideoFrame, undefined> {
  const reader = readable.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    // What waits is closed one by one until the track stops: to cancel would leave it to the garbage collector.
    void closeRest(reader);
  }
}

async function closeRest(reader: ReadableStreamDefaultReader<VideoFrame>): Promise<void> {
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    value.close();
  }
}

/** For browsers that give no frames of a track: those that a player shows. */
async function* playedFrames(
  track: MediaStreamTrack,
  stream: MediaStream,
): AsyncGenerator<VideoFrame, undefined> {
  const player = document.createElement("video");
  player.muted = true;
  player.srcObject = stream;
  await player.play();
  let isOver = false;
  let wake = (_: number | undefined): void => {};
  const over = (): void => {
    isOver = true;
    wake(undefined);
  };
  for (const event of ["ended", "stopped"]) track.addEventListener(event, over);
  try {
    while (!isOver) {
      const at = await new Promise<number | undefined>((resolve) => {
        wake = resolve;
        player.requestVideoFrameCallback((now) => resolve(now));
      });
      if (at === undefined) return;
      yield new VideoFrame(player, { timestamp: Math.round(at * 1_000) });
    }
  } finally {
    player.srcObject = null;
  }
}
