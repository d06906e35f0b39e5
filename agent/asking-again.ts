import type { Clock } from "../codecs/clock.ts";
import type { ParleyError } from "../codecs/parley-error.ts";

/** How long the server may take to answer what steers a call before it is asked again, ms: until it has it, an end may hear nothing. */
export const ANSWER_MS = 2_000;
/** Pause before a request is sent again, where the server does not say, and the longest that it may ask for, ms. */
const PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;

/** Whether the server refused to hear what was asked for the moment, so that it changed nothing. */
export function isTooEarly(error: ParleyError): boolean {
  return error.code === "rate-limited";
}

/** Whether nobody knows if the server took what was asked. */
export function isUnanswered(error: ParleyError): boolean {
  return error.code === "request-timeout" || error.code === "connection-lost";
}

/** Waits for as long as the server asked for. */
export async function pauseAfter(error: ParleyError, clock: Clock): Promise<void> {
  const { retry_after_ms: asked } = error.details;
  const pause = typeof asked === "number" ? Math.min(asked, LONGEST_PAUSE_MS) : PAUSE_MS;
  await new Promise<void>((resolve) => clock.at(clock.now() + pause, resolve));
}
