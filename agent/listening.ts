import { ParleyError } from "../codecs/parley-error.ts";
import type { ArrivalEstimate, ArrivalEstimator } from "../sfu/arrival-estimator.ts";
import type { SessionNotice } from "../signaling/session-notice.ts";

/** A change of the estimate that is worth telling. */
const WORTH = 0.15;
/** Looks after which the first estimate is told: before, nothing says whether packets wait. */
const FIRST_LOOKS = 2;
/** Milliseconds waited from which on a notice would keep the voice waiting longer, and looks that this counts for. */
const WAITING_MS = 60;
const WAITING_LOOKS = 5;
/** Then estimates may take this share of the way, where one takes so many bits with the answer that the server signs. */
const SHARE = 0.01;
const NOTICE_BITS = 20_000;
/** Share lost, and milliseconds waited, from which a voice is badly heard; looks that it lasts, and looks after which it is well heard again. */
const BAD_LOSS = 0.1;
const BAD_WAIT_MS = 200;
const BAD_LOOKS = 2;
const WELL_LOOKS = 4;

export interface ListeningOptions {
  readonly estimator: ArrivalEstimator;
  /** What a way behind this end takes of it, bits a second, where there is such a bound. */
  readonly bound: () => number | undefined;
  readonly tell: (notice: SessionNotice) => Promise<void>;
  readonly report: (error: unknown) => void;
}

/**
 * Tells the speaker how its voice comes: an estimate that changed by 15 %, at most once a second, and when it is badly heard or well again. Where packets
 * wait on the way, estimates are rare; and what the server has told both ends already is not told again.
 */
export class Listening {
  readonly #options: ListeningOptions;
  #told: number | undefined;
  #toldAt: number | undefined;
  #looks = 0;
  /** Look at which packets waited last. */
  #waited = Number.NEGATIVE_INFINITY;
  #isKnownBad = false;
  #bad = 0;
  #well = 0;
  #isDegraded = false;

  constructor(options: ListeningOptions) {
    this.#options = options;
  }

  /** Call it a few times a second. */
  poll(now: number): void {
    const look = this.#options.estimator.look(now);
    if (look === undefined) return;
    const estimate = this.#within(look);
    this.#looks += 1;
    this.#toldAt ??= now;
    if (estimate.queueDelay >= WAITING_MS) this.#waited = this.#looks;
    // News of the quality bring the estimate with them.
    if (this.#judge(estimate)) this.#note(estimate, now);
    else this.#tellEstimate(estimate, now);
  }

  /** The server told both ends that this one hears badly, or well again. */
  toldByServer(isBad: boolean): void {
    this.#isKnownBad = isBad;
  }

  #within(estimate: ArrivalEstimate): ArrivalEstimate {
    const bound = this.#options.bound() ?? Number.POSITIVE_INFINITY;
    return estimate.bitsPerSecond <= bound ? estimate : { ...estimate, bitsPerSecond: Math.floor(bound) };
  }

  #note({ bitsPerSecond }: ArrivalEstimate, now: number): void {
    this.#told = bitsPerSecond;
    this.#toldAt = now;
  }

  #tellEstimate(estimate: ArrivalEstimate, now: number): void {
    const { bitsPerSecond, queueDelay, loss } = estimate;
    const told = this.#told;
    if (told !== undefined && Math.abs(bitsPerSecond - told) < WORTH * told) return;
    const isWaiting = this.#looks - this.#waited < WAITING_LOOKS;
    const rest = isWaiting ? (NOTICE_BITS * 1_000) / (SHARE * bitsPerSecond) : 0;
    if (this.#looks < FIRST_LOOKS || now - (this.#toldAt ?? now) < rest) return;
    this.#note(estimate, now);
    const facts = { bits_per_second: bitsPerSecond, queue_delay_ms: queueDelay, loss };
    this.#send({ event: "bandwidth_estimate", ...facts });
  }

  /** True when it told something. */
  #judge({ bitsPerSecond, queueDelay, loss }: ArrivalEstimate): boolean {
    const isBad = loss >= BAD_LOSS || queueDelay >= BAD_WAIT_MS;
    this.#bad = isBad ? this.#bad + 1 : 0;
    this.#well = isBad ? 0 : this.#well + 1;
    const changes = this.#isDegraded ? this.#well >= WELL_LOOKS : this.#bad >= BAD_LOOKS;
    if (!changes || (this.#isKnownBad && !this.#isDegraded)) return false;
    this.#isDegraded = !this.#isDegraded;
    this.#send({
      event: this.#isDegraded ? "quality_degraded" : "quality_restored",
      reason: queueDelay >= BAD_WAIT_MS ? "delay" : "loss",
      loss,
      queue_delay_ms: queueDelay,
      bits_per_second: bitsPerSecond,
    });
    return true;
  }

  /** News that does not come through is old by the time that it could be sent again. */
  #send(notice: SessionNotice): void {
    this.#options.tell(notice).catch((error: unknown) => {
      if (!(error instanceof ParleyError)) this.#options.report(error);
    });
  }
}
