/** Counts the frames of one call, both ways, by what they carry. */
import type { FrameFate } from "../../agent/frame-fate.ts";
import { DATA_FORMATS } from "../../codecs/data-formats.ts";
import { FrameView, parseFrame } from "../../codecs/frame.ts";
import { VIDEO_FORMATS } from "../../codecs/video-formats.ts";
import type { Modality } from "../../signaling/scope.ts";
import { preciseWall } from "./bot-platform.ts";
import type { BotTimes } from "./bot-times.ts";
import { addMedia, count, emptyMedia, type MediaTally, type Tally } from "./tally.ts";

/** Which modality each payload type is of; voice has all the others. */
const MODALITIES: ReadonlyMap<number, Modality> = new Map([
  ...VIDEO_FORMATS.map(({ payloadType }) => [payloadType, "video"] as const),
  ...DATA_FORMATS.map(({ payloadType }) => [payloadType, "data"] as const),
]);

/** Both bots of a call count into one of these. What a stream carries is known by its first frame that arrived; until then its frames count for none. */
export class CallCounts {
  readonly #tally: Tally;
  readonly #times: BotTimes;
  readonly #modalities = new Map<number, Modality>();
  /** Of streams of which nothing arrived yet. */
  readonly #unknown = new Map<number, MediaTally>();
  readonly #view = new FrameView();

  constructor(tally: Tally, times: BotTimes) {
    this.#tally = tally;
    this.#times = times;
  }

  /** A packet whose signature held. */
  arrived(stream: number, bytes: Uint8Array): void {
    if (parseFrame(bytes, 0, this.#view) !== undefined) return;
    const modality = this.#modalities.get(stream) ?? this.#learn(stream, this.#view.payloadType);
    this.#tally.bytes += bytes.length;
    this.#tally.media[modality].bytes += bytes.length;
    this.#times[modality].record(preciseWall() - this.#view.captureMs);
  }

  /** What became of a frame. */
  fate({ fate, reason = "unknown", stream }: FrameFate): void {
    // Bots that lose their connection are done.
    if (fate === "unsent") return;
    const media = this.#mediaOf(stream);
    if (fate === "refused") {
      count(this.#tally.refused, reason);
      media.refused += 1;
      return;
    }
    this.#tally[fate] += 1;
    if (fate !== "concealed") media[fate] += 1;
  }

  #mediaOf(stream: number): MediaTally {
    const modality = this.#modalities.get(stream);
    if (modality !== undefined) return this.#tally.media[modality];
    const waiting = this.#unknown.get(stream) ?? emptyMedia();
    this.#unknown.set(stream, waiting);
    return waiting;
  }

  #learn(stream: number, payloadType: number): Modality {
    const modality = MODALITIES.get(payloadType) ?? "audio";
    this.#modalities.set(stream, modality);
    const waiting = this.#unknown.get(stream);
    if (waiting !== undefined) addMedia(this.#tally.media[modality], waiting);
    this.#unknown.delete(stream);
    return modality;
  }
}
