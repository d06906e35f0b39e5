/** Asks for a call's records while it lasts, and a little longer. */
import { ParleyError, type SessionRecord } from "@parley-rt/parley/agent";
import type { OwnCall } from "../model/own-call.ts";
import { mergeRecords } from "../model/record-line.ts";

/** How often they are asked for, ms. */
const RECORDS_MS = 1_000;
/** How long after the end they still are: the closing statements come then, ms. */
const LAST_RECORDS_MS = 3_000;

type Recorded = { records(after?: number): Promise<SessionRecord[]> };

export class RecordReader {
  readonly #own: OwnCall;
  readonly #report: (error: unknown) => void;
  #call: Recorded | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  #isAsking = false;

  constructor(own: OwnCall, report: (error: unknown) => void) {
    this.#own = own;
    this.#report = report;
  }

  /** The call is up: asks again and again from now on. */
  begin(call: Recorded): void {
    this.#call = call;
    this.#timer = setInterval(() => this.ask(), RECORDS_MS);
    this.ask();
  }

  /** The call is over. */
  end(): void {
    setTimeout(() => this.stop(), LAST_RECORDS_MS);
  }

  /** Nobody looks at the call any more. */
  stop(): void {
    clearInterval(this.#timer);
  }

  /** Asks at once for those that are new, unless it is asking already, or the call is not up yet. */
  ask(): void {
    const call = this.#call;
    if (call === undefined || this.#isAsking) return;
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
