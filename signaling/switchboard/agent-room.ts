import { ok, type Result, refuse } from "../../codecs/result.ts";
import type { Desk } from "./desk.ts";
import type { OfferBook } from "./offer-book.ts";
import type { SessionTable } from "./session-table.ts";

/** Room for further agents: where there is none, those that registered themselves go, who was not here for longest first. */
export class AgentRoom {
  readonly #desk: Desk;
  readonly #table: SessionTable;
  readonly #book: OfferBook;

  constructor(desk: Desk, table: SessionTable, book: OfferBook) {
    this.#desk = desk;
    this.#table = table;
    this.#book = book;
  }

  /** For one more, which registers itself (`isOwn`) or is registered. Fault: `capacity` where nobody is idle. */
  make({ isOwn }: { readonly isOwn: boolean }): Result<void> {
    const { registry, inboxes, outputs } = this.#desk;
    while (registry.isFull(isOwn)) {
      const agentId = registry.evict((candidate) => this.#isBusy(candidate));
      if (agentId === undefined) return refuse("capacity", "No further agents fit here.");
      inboxes.drop(agentId);
      outputs.push({ kind: "append", entries: [{ kind: "agent-evicted", agentId }] });
      outputs.log("info", "agent-evicted", { agentId });
    }
    return ok(undefined);
  }

  /** It is here, or in a call that waits for it. What lies in its inbox keeps no agent: others could put it there. */
  #isBusy(agentId: string): boolean {
    const { connections } = this.#desk;
    if (connections.countOf(agentId) > 0 || this.#table.countOf(agentId) > 0) return true;
    return this.#book.from(agentId).length > 0 || this.#book.to(agentId).length > 0;
  }
}
