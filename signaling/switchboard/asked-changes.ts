import type { JsonObject } from "../../codecs/canonical-json.ts";
import type { Fault } from "../../codecs/result.ts";
import type { TermsChange } from "../terms-change.ts";
import type { Desk } from "./desk.ts";
import type { Exchange } from "./replies.ts";
import type { LegNumber, Session } from "./session.ts";
import type { TimerKind } from "./timers.ts";

/** What one end wants changed, while the other has not answered. */
export interface AskedChange {
  readonly change: TermsChange;
  /** Who waits for it: more than one where it was asked for again. */
  readonly exchanges: Exchange[];
}

/** Name of the event that tells the other end, as long as it is to be answered. */
export const CHANGE_ASKED = "change-asked";

/** What ends the wait for an answer to a leg's change. */
export function changeTimer(leg: LegNumber): TimerKind {
  return leg === 0 ? "change-caller" : "change-callee";
}

/** Takes the question of one leg off the table: the other end is not asked any more. Whoever waits for it is the caller's to answer. */
export function takeAsked(desk: Desk, session: Session, leg: LegNumber): AskedChange | undefined {
  const asked = session.asked[leg];
  if (asked === undefined) return undefined;
  session.asked[leg] = undefined;
  desk.timers.clear(changeTimer(leg), session.id);
  desk.inboxes.withdraw(session.legs[leg === 0 ? 1 : 0].agent.agentId, session.id, [CHANGE_ASKED]);
  return asked;
}

/** Refuses what a leg asks for, wherever it waits. */
export function refuseAsked(desk: Desk, session: Session, leg: LegNumber, fault: Fault, now: number): void {
  const asked = takeAsked(desk, session, leg);
  for (const exchange of asked?.exchanges ?? []) {
    if (desk.connections.get(exchange.connection) === undefined) continue;
    const extra = asked === undefined ? {} : factsOf(asked.change);
    desk.replies.refuse(exchange, fault, now, { link: session.link, sessionId: session.id, extra });
  }
}

/** How records and answers name a change. */
export function factsOf({ digest, payload }: TermsChange): JsonObject {
  return { change_id: payload.change_id, leg: payload.leg, number: payload.number, asked_change: digest };
}
