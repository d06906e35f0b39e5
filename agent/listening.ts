import { ParleyError } from "../codecs/parley-error.ts";
import type { ArrivalEstimate, ArrivalEstimator } from "../sfu/arrival-estimator.ts";
import type { SessionNotice } from "../signaling/session-notice.ts";

/** A change of the estimate that is worth telling. */
const WORTH = 0.15;
/** Share lost, and milliseconds waited, from which a voice is badly heard; looks that it lasts, and looks after which it is well heard again. */
const BAD_LOSS = 0.1;
const BAD_WAIT_MS = 200;
const BAD_LOOKS = 2;
const WELL_LOOKS = 4;

export interface ListeningOptions {
  readonly estimator: ArrivalEstimator;
  readonly tell: (notice: SessionNotice) => Promise<void>;
  readonly report: (error: unknown) => void;
}

/** Tells the speaker how its voice comes: an estimate that changed by 15 %, at most once a second, and when it is badly heard or well again. */
export class Listening {
  readonly #options: ListeningOptions;
  #told: number | undefined;
  #bad = 0;
  #well = 0;
  #isDegraded = false;

  constructor(options: ListeningOptions) {
    this.#options = options;
  }

  /** Call it a few times a second. */
  poll(now: number): void {
    const estimate = this.#options.estimator.look(now);
    if (estimate === undefined) return;
    this.#tellEstimate(estimate);
    this.#judge(estimate);
  }

  #tellEstimate({ bitsPerSecond, queueDelay, loss }: ArrivalEstimate): void {
    const told = this.#told;
    if (told !== undefined && Math.abs(bitsPerSecond - told) < WORTH * told) return;
    this.#told = bitsPerSecond;
    const facts = { bits_per_second: bitsPerSecond, queue_delay_ms: queueDelay, loss };
    this.#send({ event: "bandwidth_estimate", ...facts });
  }

  #judge({ bitsPerSecond, queueDelay, loss }: ArrivalEstimate): void {
    const isBad = loss >= BAD_LOSS || queueDelay >= BAD_WAIT_MS;
    this.#bad = isBad ? this.#bad + 1 : 0;
    this.#well = isBad ? 0 : this.#well + 1;
    const changes = this.#isDegraded ? this.#well >= WELL_LOOKS : this.#bad >= BAD_LOOKS;
    if (!changes) return;
    this.#isDegraded = !this.#isDegraded;
    this.#send({
      event: this.#isDegraded ? "quality_degraded" : "quality_restored",
      reason: queueDelay >= BAD_WAIT_MS ? "delay" : "loss",
      loss,
      queue_delay_ms: queueDelay,
      bits_per_second: bitsPerSecond,
    });
  }

  /** News that does not come through is old by the time that it could be sent again. */
  #send(notice: SessionNotice): void {
    this.#options.tell(notice).catch((error: unknown) => {
      if (!(error instanceof ParleyError)) this.#options.report(error);
    });
  }
}
