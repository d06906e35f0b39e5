import { writeState } from "./kept-state.ts";
import type { Outputs } from "./outputs.ts";
import type { Session } from "./session.ts";

/** Keeps in the log what a restart must not lose of sessions that outlive one, and how others ended, together with whatever else the same turn records. */
export class SessionStates {
  readonly #outputs: Outputs;
  /** How far media time is ahead of the wall clock, milliseconds. */
  mediaAhead = 0;

  constructor(outputs: Outputs) {
    this.#outputs = outputs;
  }

  /** To be called whenever something has changed that no artifact of the session tells. */
  keep(session: Session): void {
    if (session.model !== "persistent" && session.ending === undefined) return;
    const bytes = writeState(session, this.mediaAhead);
    this.#outputs.push({
      kind: "append",
      entries: [{ kind: "session-state", sessionId: session.id, bytes }],
    });
  }
}
