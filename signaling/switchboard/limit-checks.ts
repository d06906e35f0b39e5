import { ok, type Result, refuse } from "../../codecs/result.ts";
import { type CounterProposal, counterProposal } from "../negotiation.ts";
import type { ScopeLimits } from "../scope.ts";
import { fitsBitrate, type LimitExcess } from "../sending-limits.ts";
import { RELAY } from "./relay-capabilities.ts";

/**
 * Refuses what exceeds a cap of the scope of whoever would send it: `proposal-rejected` with what would do, or `scope-violation` where nothing
 * would (`spec/agtp.md` 5.5).
 */
export function withinLimits(excess: LimitExcess | undefined, limits: ScopeLimits, at: string): Result<void> {
  if (excess === undefined) return ok(undefined);
  const whole = counterProposal(RELAY);
  const proposal = { ...whole, codecs: whole.codecs.filter(({ name }) => fitsBitrate(name, limits)) };
  const isNegotiable = excess.limit === "bitrate-bps" ? proposal.codecs.length > 0 : excess.cap > 0;
  if (isNegotiable) return reject(excess, proposal, at);
  return refuse("scope-violation", "The scope caps this at less than anything takes.", at, {
    ...excess,
    missing_scopes: [],
  });
}

function reject(excess: LimitExcess, proposal: CounterProposal, at: string): Result<never> {
  const { limit, cap, asked } = excess;
  const explanation = `The scope caps ${limit} at ${cap}; this takes ${asked}.`;
  return refuse("proposal-rejected", explanation, at, {
    ...{ reason: "policy-refused", explanation, limit, cap, asked },
    counter_proposal: { ...proposal, limits: { [limit]: cap } },
  });
}
