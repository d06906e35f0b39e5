/** What a call's counters say of its way, with the rate of what left between two looks. */
import type { CallStats } from "@parley-rt/parley/agent";
import { Rate } from "../model/rate.ts";
import type { WayFacts } from "../model/way-facts.ts";

/** IPv4, UDP and QUIC around each frame, bytes: the estimate of what the way takes counts them. */
const HEADERS = 60;

export class SentRate {
  readonly #bytes = new Rate();

  /** `now`: monotonic milliseconds. */
  wayOf({ sent, heard, hop }: CallStats, now: number): Pick<WayFacts, "heard" | "sentRate" | "takes"> {
    const estimate = hop?.estimate;
    const perSecond = sent && this.#bytes.at(sent.bytes + sent.sent * HEADERS, now);
    return {
      heard,
      sentRate: perSecond === undefined ? undefined : 8 * perSecond,
      takes: estimate && {
        rate: estimate.bitsPerSecond,
        isLeast: estimate.limited,
        loss: estimate.lossShare,
      },
    };
  }
}
