/** A network's conditions as a sentence. */
import type { LinkConditions } from "@parley-rt/parley/emulation";

export function networkText({ delay, jitter = 0, loss = 0, rate }: LinkConditions): string {
  const parts = [
    `${delay} ms each way${jitter === 0 ? "" : `, ${jitter} more or less`}`,
    loss === 0 ? undefined : `${loss * 100} % lost`,
    rate === undefined ? undefined : `${rate / 1e6} Mbit/s`,
  ];
  return `${parts.filter((part) => part !== undefined).join("; ")}.`;
}
