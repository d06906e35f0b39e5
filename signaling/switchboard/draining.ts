import type { Desk } from "./desk.ts";
import type { Ringing } from "./ringing.ts";
import type { SessionTable } from "./session-table.ts";

/** Code of `sfu/carrier`, which this room cannot see. */
export const CLOSE_SHUTDOWN = 4;

/** Takes a server out of service: no new sessions, notice to everybody, and the end when the last session is gone. */
export class Draining {
  readonly #desk: Desk;
  readonly #table: SessionTable;
  readonly #ringing: Ringing;
  #state: "no" | "draining" | "drained" = "no";

  constructor(desk: Desk, table: SessionTable, ringing: Ringing) {
    this.#desk = desk;
    this.#table = table;
    this.#ringing = ringing;
  }

  /** Every connection was told to close. */
  get isOver(): boolean {
    return this.#state === "drained";
  }

  /** Sessions that live at `deadline` are ended by the timer `drain`. */
  begin(deadline: number, now: number): void {
    if (this.#state !== "no") return;
    this.#state = "draining";
    this.#desk.outputs.log("info", "draining", { deadline, sessions: this.#table.size });
    this.#desk.inboxes.announce({ event: "shutdown", deadline }, now);
    this.#ringing.drain(now);
    this.#desk.timers.set("drain", "", Math.max(deadline, now));
  }

  finishIfEmpty(now: number): void {
    if (this.#state !== "draining" || this.#table.size > 0) return;
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
