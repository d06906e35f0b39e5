import { type Result, refuse } from "../../codecs/result.ts";
import type { Offer, OfferPayload } from "../offer.ts";
import type { Desk } from "./desk.ts";
import { checkLoad, FULL_RETRY_MS, loadOfOffer, noRoom } from "./load.ts";
import type { OfferBook } from "./offer-book.ts";
import type { RegisteredAgent } from "./registry.ts";
import type { SessionTable } from "./session-table.ts";

/** Offers that may ring at one callee; beyond: `callee-busy`. */
const MAX_RINGING_PER_CALLEE = 32;

/**
 * The agent called: known, allowed to talk, and at its inbox, or that of a gateway where the offer takes one. `isCalling`: it calls who calls it,
 * so that it need take no other calls.
 */
export function findCallee(
  desk: Desk,
  { callee: agentId, gateways }: Pick<OfferPayload, "callee" | "gateways">,
  { isCalling }: { readonly isCalling: boolean } = { isCalling: false },
): Result<RegisteredAgent> {
  const callee = desk.registry.get(agentId);
  if (callee === undefined)
    return refuse("agent-not-found", "The called agent is not known here.", "target_agent_id");
  const standing = desk.registry.standing(callee);
  if (!standing.ok) return standing;
  if (!desk.inboxes.isOnline(agentId, { callers: isCalling })) {
    return refuse("callee-unreachable", "The called agent has no inbox here now.", "target_agent_id");
  }
  if (gateways !== true && !desk.inboxes.isOnline(agentId, { itself: true, callers: isCalling })) {
    return refuse(
      "callee-unreachable",
      "A gateway alone answers for the called agent now, and the caller takes none.",
      "target_agent_id",
      { gateway: true },
    );
  }
  return standing;
}

/** Rate of the caller, then room at the callee, then room here. */
export function checkRoom(
  desk: Desk,
  table: SessionTable,
  book: OfferBook,
  caller: RegisteredAgent,
  callee: RegisteredAgent,
  offer: Offer,
): Result<void> {
  const { limits } = desk.config;
  if (book.from(caller.agentId).length >= limits.ringingPerCaller) {
    return refuse("rate-limited", "Too many offers of this caller ring.", undefined, {
      retry_after_ms: FULL_RETRY_MS,
    });
  }
  const calleeIsFull =
    book.to(callee.agentId).length >= MAX_RINGING_PER_CALLEE ||
    table.countOf(callee.agentId) >= limits.sessionsPerAgent;
  if (calleeIsFull) return refuse("callee-busy", "The called agent has as many calls as it may.");
  if (table.countOf(caller.agentId) >= limits.sessionsPerAgent) return noRoom("sessionsPerAgent");
  if (table.size + book.size >= limits.sessions) return noRoom("sessions");
  return checkLoad(table.loads.total, loadOfOffer(offer), limits);
}
