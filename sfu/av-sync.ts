import { DelayEstimator } from "./delay-estimator.ts";
import { quantile } from "./quantile.ts";
import { VoiceWait } from "./voice-wait.ts";

/** Pieces of sound remembered, 2 s at 20 ms: what was heard at a moment is looked up among them. The oldest goes. */
const PIECES = 128;
/** Frames that wait to be compared with what is heard. The oldest goes, uncounted. */
const PICTURES = 256;
/** A frame whose place another takes so soon is not seen, ms: units that waited for one that was late come all at once. */
const UNSEEN_MS = 5;
/** The voice has to have gone on for so long before a frame is compared with it, ms. */
const SETTLED_MS = 20;
/** Differences that the statistics rest on. The oldest gives way. */
const SKEWS = 1_024;
/** Who looks and listens notices no less, ms. */
const NOTICED_MS = 40;
/** A voice of which nothing was heard for so long leads no video, ms. */
const VOICE_GONE_MS = 10_000;
/** Between the frames of a camera, ms: what the delay of frames without a voice is learned by. */
const PICTURE_MS = 33;
/** Frames without a voice are shown at most so long after the fastest of them came, ms. */
const MOST_DELAY_MS = 250;

/** How far video and voice were apart when they were shown, milliseconds. */
export interface SkewStats {
  /** Frames that were compared with what was heard as they were shown. */
  readonly compared: number;
  /** Of those, apart by 40 ms or more, which is noticed. */
  readonly apart: number;
  /** Of the last 1,024 differences without their sign; undefined before the first. */
  readonly p50: number | undefined;
  readonly p95: number | undefined;
  /** The middle one with its sign: above zero the video is ahead of the voice. */
  readonly middle: number | undefined;
}

/**
 * Lets frames be shown in step with a voice: as long after their capture as the voice is heard after its own, which waits a little for
 * frames that come later. All times are milliseconds on one clock of the listener, capture times as mapped to it.
 */
export class AvSync {
  readonly #own = new DelayEstimator({ frameTime: PICTURE_MS, maximumDelay: MOST_DELAY_MS });
  readonly #pieces: { readonly captured: number; readonly at: number; readonly until: number }[] = [];
  readonly #pictures: { readonly captured: number; readonly at: number }[] = [];
  readonly #skews: number[] = [];
  readonly #wait = new VoiceWait();
  #compared = 0;
  #apart = 0;

  /** A piece of the voice captured at `captured` is heard from `at` on for `duration`. Pieces come in order. */
  heard(captured: number, at: number, duration: number): void {
    this.#pieces.push({ captured, at, until: at + duration });
    if (this.#pieces.length > PIECES) this.#pieces.shift();
    this.#settle();
  }

  /** A frame of that capture time came. */
  came(captured: number, at: number): void {
    this.#own.observe(at - captured, at);
  }

  /** When to show a frame that can be shown from `now` on: never before. */
  playAt(captured: number, now: number): number {
    const due = captured + this.delay(now);
    this.#wait.ready(captured, now, due);
    return Math.max(now, due);
  }

  /** How much later than it needs itself the voice is to be played, ms, so that most of what is seen keeps up with it. */
  voiceWait(now: number): number {
    return this.#pieces.length === 0 ? 0 : this.#wait.at(now, this.delay(now));
  }

  /** From capture to showing as things are. */
  delay(now: number): number {
    const last = this.#pieces.at(-1);
    if (last !== undefined && now - last.until < VOICE_GONE_MS) return last.at - last.captured;
    return this.#own.offset ?? 0;
  }

  /** A frame is shown at `at`; it is compared when what is heard then is known, unless another takes its place at once. */
  shown(captured: number, at: number): void {
    const last = this.#pictures.at(-1);
    if (last !== undefined && at - last.at < UNSEEN_MS) this.#pictures.pop();
    this.#pictures.push({ captured, at });
    if (this.#pictures.length > PICTURES) this.#pictures.shift();
    this.#settle();
  }

  get skew(): SkewStats {
    const signed = this.#skews.toSorted((a, b) => a - b);
    const sizes = this.#skews.map(Math.abs).sort((a, b) => a - b);
    return {
      compared: this.#compared,
      apart: this.#apart,
      p50: quantile(sizes, 0.5),
      p95: quantile(sizes, 0.95),
      middle: quantile(signed, 0.5),
    };
  }

  #settle(): void {
    const until = (this.#pieces.at(-1)?.until ?? 0) - SETTLED_MS;
    while ((this.#pictures[0]?.at ?? Number.POSITIVE_INFINITY) < until) this.#compare();
  }

  #compare(): void {
    const picture = this.#pictures.shift();
    if (picture === undefined) return;
    const { at, captured } = picture;
    const piece = this.#pieces.findLast((one) => one.at <= at && at < one.until);
    // Silence, and what was made up for a loss, is of no moment that a frame could be compared with.
    if (piece === undefined) return;
    this.#compared += 1;
    const skew = captured - (piece.captured + (at - piece.at));
    if (Math.abs(skew) >= NOTICED_MS) this.#apart += 1;
    this.#skews.push(skew);
    if (this.#skews.length > SKEWS) this.#skews.shift();
  }
}
