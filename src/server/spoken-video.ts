import { RateMeter } from "../../sfu/congestion/rate-meter.ts";
import type { ComingRendition } from "../../sfu/rendition-switch.ts";
import { KeyFrameRequests } from "../../sfu/video-keyframes.ts";
import type { AdmissionRow } from "../../signaling/admission.ts";

/** A rendition of which nothing came for so long is none, ms. */
const COMING_MS = 2_000;
/** Over what time the rate of a rendition is measured, ms. */
const RATE_WINDOW_MS = 900;

/** What is known of a stream of video that comes here. */
export class SpokenVideo {
  /** As it flows now. */
  row: AdmissionRow;
  readonly requests = new KeyFrameRequests();
  readonly #rate = new RateMeter();
  #cameAt = Number.NEGATIVE_INFINITY;

  constructor(row: AdmissionRow) {
    this.row = row;
  }

  /** A unit of it was let through. */
  came({ key }: { readonly key: boolean }, bytes: number, now: number): void {
    this.#cameAt = now;
    this.#rate.add(bytes, now);
    this.requests.startOver();
    if (key) this.requests.came();
  }

  /** What it takes at present; `undefined` where it does not come. */
  coming(now: number): ComingRendition | undefined {
    if (now - this.#cameAt >= COMING_MS) return undefined;
    return {
      rendition: this.row.video?.rendition ?? 0,
      bitsPerSecond: this.#rate.rate(now, RATE_WINDOW_MS),
    };
  }
}

/** All streams of video that come here, each found by its place, and with those that show the same video. */
export class SpokenVideos {
  readonly #byPlace = new Map<string, SpokenVideo>();
  readonly #bySource = new Map<string, Map<number, SpokenVideo>>();

  get size(): number {
    return this.#byPlace.size;
  }

  /** The row's stream, known from now on, and how it flows. */
  of(row: AdmissionRow): SpokenVideo {
    const name = placeOf(row);
    const spoken = this.#byPlace.get(name) ?? new SpokenVideo(row);
    spoken.row = row;
    this.#byPlace.set(name, spoken);
    const source = sourceOf(row);
    const renditions = this.#bySource.get(source) ?? new Map<number, SpokenVideo>();
    this.#bySource.set(source, renditions.set(row.video?.rendition ?? 0, spoken));
    return spoken;
  }

  get(row: AdmissionRow): SpokenVideo | undefined {
    return this.#byPlace.get(placeOf(row));
  }

  /** Another rendition of what the row shows, or its own. */
  rendition(row: AdmissionRow, rendition: number): SpokenVideo | undefined {
    return this.#bySource.get(sourceOf(row))?.get(rendition);
  }

  /** The renditions of what the row shows that come now. */
  coming(row: AdmissionRow, now: number): ComingRendition[] {
    const renditions = [...(this.#bySource.get(sourceOf(row))?.values() ?? [])];
    return renditions.map((spoken) => spoken.coming(now)).filter((one) => one !== undefined);
  }

  /** The row's stream is over. */
  delete(row: AdmissionRow): void {
    this.#byPlace.delete(placeOf(row));
    const renditions = this.#bySource.get(sourceOf(row));
    renditions?.delete(row.video?.rendition ?? 0);
    if (renditions?.size === 0) this.#bySource.delete(sourceOf(row));
  }
}

/** Names all renditions of one video; of a stream that is alone, it alone. */
export function sourceOf(row: AdmissionRow): string {
  const source = row.video?.source;
  return source === undefined ? placeOf(row) : `${row.sessionId} ${row.leg} source ${source}`;
}

function placeOf({ sessionId, leg, stream }: AdmissionRow): string {
  return `${sessionId} ${leg} ${stream}`;
}
