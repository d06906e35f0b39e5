import type { HopEstimate } from "./congestion/media-hop.ts";

/** Bits a second: no voice is spoken with less. */
export const SILENT_VOICES = 10_000;
/** Bits a second below which a way that has room to spare was not tried: a little more than a leg begins with. */
const LITTLE_TRIED = 350_000;
/** Up to here, milliseconds and share of packets, a way is not full. */
const CALM_QUEUE = 30;
const CALM_LOSS = 0.02;

/** Less is offered than the way is known to take, and nothing waits or is lost on it: it may take more. */
export function hasRoom(estimate: HopEstimate): boolean {
  return isUntried(estimate) && estimate.lossShare < CALM_LOSS;
}

/**
 * How much the way takes beyond what was found out is not known: little was ever tried on it, or it has shown no queue since the call began and the voices that
 * have a part of it are silent.
 */
export function isLittleTried(estimate: HopEstimate): boolean {
  const { beginning, bitsPerSecond, lossShare, queueDelay, voices } = estimate;
  if (bitsPerSecond < LITTLE_TRIED && isUntried(estimate)) return true;
  return beginning && voices < SILENT_VOICES && queueDelay < CALM_QUEUE && lossShare < CALM_LOSS;
}

function isUntried({ limited, queueDelay }: HopEstimate): boolean {
  return limited && queueDelay < CALM_QUEUE;
}
