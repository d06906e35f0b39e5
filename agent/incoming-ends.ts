import type { JsonObject } from "../codecs/canonical-json.ts";
import { ERRORS, type ErrorCode } from "../codecs/error-codes.ts";
import { ParleyError } from "../codecs/parley-error.ts";

/** Why a call rings no longer, by the event `offer-cancelled` of the inbox, whose `reason` is in the details. */
export function endOfOffer({ reason }: JsonObject): ParleyError {
  const isCode = typeof reason === "string" && Object.hasOwn(ERRORS, reason);
  return new ParleyError({
    code: isCode ? (reason as ErrorCode) : "cancelled",
    message: "The call rings no longer.",
    details: { reason },
  });
}

/** Another inbox of the agent decided on the call: as the event `offer-answered` says, or the refusal of a late answer. */
export function answeredElsewhere({ inbox, status }: Readonly<Record<string, unknown>>): ParleyError {
  return new ParleyError({
    code: "answered-elsewhere",
    message: "Another inbox of this agent answered the call.",
    details: { inbox, status },
  });
}
