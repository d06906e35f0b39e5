/** What a call's counters say of its way, with the rate of what left between two looks. */
import type { CallStats } from "@parley-rt/parley/agent";
import type { WayFacts } from "../model/way-facts.ts";

/** Over how long the rate is taken, ms. */
const RATE_MS = 2_000;
/** IPv4, UDP and QUIC around each frame, bytes: the estimate of what the way takes counts them. */
const HEADERS = 60;

export class SentRate {
  #looks: { readonly at: number; readonly bytes: number }[] = [];

  /** `now`: monotonic milliseconds. */
  wayOf({ sent, heard, hop }: CallStats, now: number): Pick<WayFacts, "heard" | "sentRate" | "takes"> {
    const estimate = hop?.estimate;
    return {
      heard,
      sentRate: sent === undefined ? undefined : this.#rate(sent.bytes + sent.sent * HEADERS, now),
      takes: estimate && {
        rate: estimate.bitsPerSecond,
        isLeast: estimate.limited,
        loss: estimate.lossShare,
      },
    };
  }

  #rate(bytes: number, now: number): number | undefined {
    this.#looks = [...this.#looks.filter(({ at }) => now - at <= RATE_MS), { at: now, bytes }];
    const first = this.#looks[0];
    if (first === undefined || first.at === now) return undefined;
    return ((bytes - first.bytes) * 8_000) / (now - first.at);
  }
}
