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

/** A source that makes no picture for so long, ms, is stopped all the same. */
const LATEST_STOP_MS = 200;

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
  /** Gives the device back, once the next picture came where they are read. Idempotent. */
  stop(): void;
  /** Done once `stop` has given the device back. */
  readonly stopped: Promise<void>;
}

/** Asks people for their camera or screen. Throws {@link CaptureRefused}. */
export async function openCapture(kind: CaptureKind): Promise<Capture> {
  const stream = await ask(kind);
  const [track] = stream.getVideoTracks();
  if (track === undefined) throw new CaptureRefused("missing", undefined);
  track.contentHint = kind === "screen" ? "detail" : "motion";
  const { width = 640, height = 480 } = track.getSettings();
  let [isRead, isToStop] = [false, false];
  const { promise: stopped, resolve } = Promise.withResolvers<void>();
  const stopNow = (): void => {
    for (const one of stream.getTracks()) one.stop();
    resolve();
  };
  const came = (): void => {
    if (isToStop) stopNow();
  };
  return {
    kind,
    size: { width, height },
    stream,
    frames() {
      isRead = true;
      return framesOf({ track, stream, stopped, came });
    },
    whenOver: (over) => track.addEventListener("ended", over),
    stop() {
      isToStop = true;
      // Chromium loses a picture that comes as its track is stopped, and complains of that: there is none under way just after one came.
      if (isRead) setTimeout(stopNow, LATEST_STOP_MS);
      else stopNow();
    },
    stopped,
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

interface CapturedTrack {
  readonly track: MediaStreamTrack;
  readonly stream: MediaStream;
  /** A track that is stopped from here does not say so itself. */
  readonly stopped: Promise<void>;
  /** Told of each picture as it comes. */
  readonly came: () => void;
}

function framesOf(captured: CapturedTrack): AsyncGenerator<VideoFrame, undefined> {
  const { MediaStreamTrackProcessor: Processor } = globalThis as {
    MediaStreamTrackProcessor?: TrackProcessorMaker;
  };
  return Processor === undefined
    ? playedFrames(captured)
    : processedFrames(new Processor({ track: captured.track, maxBufferSize: 1 }).readable, captured.came);
}

async function* processedFrames(
  readable: ReadableStream<VideoFrame>,
  came: () => void,
): AsyncGenerator<VideoFrame, undefined> {
  const reader = readable.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      came();
      yield value;
    }
  } finally {
    // What waits is closed one by one until the track stops: to cancel would leave it to the garbage collector.
    void closeRest(reader, came);
  }
}

async function closeRest(reader: ReadableStreamDefaultReader<VideoFrame>, came: () => void): Promise<void> {
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    value.close();
    came();
  }
}

/** For browsers that give no frames of a track: those that a player shows. */
async function* playedFrames({
  track,
  stream,
  stopped,
}: CapturedTrack): AsyncGenerator<VideoFrame, undefined> {
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
  track.addEventListener("ended", over);
  void stopped.then(over);
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
