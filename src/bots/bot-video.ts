/** What bots show, and what they see. */
import type { Call } from "../../agent/call.ts";
import type { VideoOptions } from "../../agent/call-options.ts";
import type { VideoStream } from "../../agent/video-stream.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import type { BotTimes } from "./bot-times.ts";
import { ClipPlayer } from "./clip-player.ts";
import { type Clip, readClip } from "./clips.ts";
import { pause } from "./pause.ts";
import { type Tally, total } from "./tally.ts";

const clips = new Map<string, Promise<Clip>>();

/** The clip in these files, read once in this process. */
export function preparedClip(files: readonly string[]): Promise<Clip> {
  const key = files.join("\n");
  const known = clips.get(key) ?? readClip(files);
  clips.set(key, known);
  return known;
}

/** What a bot that shows this clip offers, or takes. */
export function videoOptions({ format, frameRate, renditions }: Clip): VideoOptions {
  const [best] = renditions;
  return {
    codecs: [format],
    ...(best === undefined ? {} : { maxWidth: best.width, maxHeight: best.height }),
    maxFrameRate: Math.ceil(frameRate),
    renditions: renditions.length as 1 | 2 | 3 | 4,
  };
}

/** Shows a clip until `until` on `performance.now()`, at its pace: what the call does not want is left out, and a moment that was missed is not made up for. */
export async function show(
  video: VideoStream,
  clip: Clip,
  { until, stop, tally }: { readonly until: number; readonly stop: AbortSignal; readonly tally: Tally },
): Promise<void> {
  const player = new ClipPlayer(clip);
  const interval = 1_000 / clip.frameRate;
  for (let due = performance.now(); due < until && !stop.aborted; due += interval) {
    await pause(due - performance.now());
    const missed = Math.max(0, Math.floor((performance.now() - due) / interval));
    tally.skipped += missed;
    due += missed * interval;
    for (const { rendition, unit } of player.advance(video.wants.renditions)) {
      video
        .send({ data: unit.data, layer: unit.layer, rendition, capturedAt: performance.now() })
        .catch((error: unknown) => {
          // A call that is over says so itself.
          if (!(error instanceof ParleyError) || error.code !== "closed") throw error;
        });
    }
  }
}

/** Watches one end of a call until it is over. */
export class Watcher {
  readonly #call: Call;
  readonly #began = performance.now();

  constructor(call: Call) {
    this.#call = call;
  }

  /** Takes every unit as a decoder would. */
  async watch(): Promise<void> {
    const { video } = this.#call;
    if (video === undefined) return;
    for await (const _ of video);
  }

  /** Adds up what this end saw, and what it showed. Call it once, before the call ends. */
  tell(tally: Tally, times: BotTimes): void {
    const stats = this.#call.video?.stats();
    if (stats === undefined) return;
    const now = performance.now();
    const counts = tally.video;
    counts.watchedMs += now - this.#began;
    counts.freezes += stats.freezes;
    counts.frozenMs += stats.frozenMs;
    counts.switches += stats.switches;
    for (const { keyFramesAsked } of stats.heard) counts.keyFrameRequests += keyFramesAsked;
    for (const { keyFrames, leftOut, lost } of stats.sent) {
      counts.keyFrames += keyFrames;
      counts.leftOut += total(leftOut) + lost;
    }
    const { compared, apart, p50, p95 } = stats.skew;
    counts.compared += compared;
    counts.apart += apart;
    if (compared === 0 || p50 === undefined || p95 === undefined) return;
    times.skewP50.record(p50);
    times.skewP95.record(p95);
  }
}
