/** Asks for a call's records while it lasts. */
import { ParleyError, type SessionRecord } from "@parley-rt/parley/agent";
import type { OwnCall } from "../model/own-call.ts";
import { mergeRecords } from "../model/record-line.ts";

export class RecordReader {
  readonly #own: OwnCall;
  readonly #report: (error: unknown) => void;
  #isAsking = false;

  constructor(own: OwnCall, report: (error: unknown) => void) {
    this.#own = own;
    this.#report = report;
  }

  /** Asks for those that are new, unless it is asking already. */
  ask(call: { records(after?: number): Promise<SessionRecord[]> }): void {
    if (this.#isAsking) return;
    this.#isAsking = true;
    const after = this.#own.state.records.at(-1)?.seq;
    call
      .records(after)
      .then((records) =>
        this.#own.update((state) => ({
          ...state,
          records: mergeRecords(state.records, records),
          since: beganAt(state.since, records),
        })),
      )
      .catch((error: unknown) => {
        // Asked for again in a moment; a connection that is gone is told elsewhere.
        if (!(error instanceof ParleyError)) this.#report(error);
      })
      .finally(() => {
        this.#isAsking = false;
      });
  }
}

/** When the call came up: one that was taken up began with its first record. */
function beganAt(since: number | undefined, [first]: readonly SessionRecord[]): number | undefined {
  if (first === undefined || first.seq !== 0) return since;
  const began = Date.parse(first.at);
  return since === undefined || Number.isNaN(began) ? since : Math.min(since, began);
}
