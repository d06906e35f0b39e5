import { isFinal } from "../session-machine.ts";
import type { Desk } from "./desk.ts";
import type { Detaching } from "./detaching.ts";
import type { Endings } from "./endings.ts";
import type { Ringing } from "./ringing.ts";
import type { Session } from "./session.ts";
import type { SessionTable } from "./session-table.ts";

/** Code of `sfu/carrier`, which this room cannot see. */
export const CLOSE_SHUTDOWN = 4;

/**
 * Takes a server out of service: no new sessions, notice to everybody, and the end when the last session is gone. Persistent ones are left
 * to the server's next start, unless the operator wants them ended as well.
 */
export class Draining {
  readonly #desk: Desk;
  readonly #table: SessionTable;
  readonly #ringing: Ringing;
  readonly #endings: Endings;
  readonly #detaching: Detaching;
  /** Sessions that nothing is done about any more. */
  readonly #left = new Set<Session>();
  #state: "no" | "draining" | "drained" = "no";

  constructor(
    desk: Desk,
    table: SessionTable,
    departments: { readonly ringing: Ringing; readonly endings: Endings; readonly detaching: Detaching },
  ) {
    this.#desk = desk;
    this.#table = table;
    this.#ringing = departments.ringing;
    this.#endings = departments.endings;
    this.#detaching = departments.detaching;
  }

  /** Every connection was told to close. */
  get isOver(): boolean {
    return this.#state === "drained";
  }

  /** Sessions that live at `deadline` are not waited for any longer: see {@link overdue}. */
  begin(deadline: number, now: number): void {
    if (this.#state !== "no") return;
    this.#state = "draining";
    this.#desk.outputs.log("info", "draining", { deadline, sessions: this.#table.size });
    this.#desk.inboxes.announce({ event: "shutdown", deadline }, now);
    this.#ringing.drain(now);
    this.#desk.timers.set("drain", "", Math.max(deadline, now));
  }

  /** The time that sessions had is over. */
  overdue(now: number): void {
    const endsAll = this.#desk.config.stopEndsCalls === true;
    for (const session of this.#table.all()) {
      if (session.model === "persistent" && !endsAll && !isFinal(session.state)) {
        this.#detaching.leave(session, now);
        this.#left.add(session);
      } else this.#endings.end(session, "shutdown", "server", now);
    }
  }

  finishIfEmpty(now: number): void {
    if (this.#state !== "draining" || this.#table.all().some((session) => !this.#left.has(session))) return;
    this.#state = "drained";
    const { timers, inboxes, connections, outputs } = this.#desk;
    timers.clear("drain", "");
    inboxes.endAll("server-shutdown", now);
    for (const connection of connections.all()) {
      connection.closing = true;
      const reason = "server-shutdown";
      outputs.push({ kind: "close", connection: connection.id, code: CLOSE_SHUTDOWN, reason });
    }
    outputs.push({ kind: "drained" });
  }
}
