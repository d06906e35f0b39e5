import { ParleyError } from "../../codecs/parley-error.ts";
import type { ErasureTarget, RecordLog } from "../../signaling/record-log.ts";
import type { ExchangeId, SwitchboardInput } from "../../signaling/switchboard/io.ts";
import type { ErasedRecord } from "../../signaling/tombstone.ts";
import type { EventLog } from "./event-log.ts";

/** What erasing takes. */
interface ErasureParts {
  readonly log: Pick<RecordLog, "erase">;
  readonly events: EventLog;
  /** Signs what takes an erased record's place. */
  readonly tombstone: (record: ErasedRecord) => string;
  /** Whether a session is open in the log, and left so: it is not over, and not erased. */
  readonly isLeft: (sessionId: string) => boolean;
  /** Settles when everything appended so far is durable; `undefined` once nothing is to be begun any more. */
  readonly durable: () => Promise<void> | undefined;
  /** Told, at once, that one that was asked for now is about to begin. */
  readonly begun: (input: Extract<SwitchboardInput, { kind: "erasing" }>) => void;
  /** Takes the outcome, at once. */
  readonly done: (input: Extract<SwitchboardInput, { kind: "erased" }>) => void;
}

/** Has the log erase, one thing after the other: each is in the chain, and the file rid of it, before the next begins. */
export class Erasures {
  readonly #parts: ErasureParts;
  #last: Promise<void> = Promise.resolve();

  constructor(parts: ErasureParts) {
    this.#parts = parts;
  }

  /** Begins, or with its number goes on with, an erasure when those before are over. */
  begin(target: ErasureTarget, exchange: ExchangeId | undefined, number?: number): void {
    const { log, events, tombstone, done, begun, durable, isLeft } = this.#parts;
    if (target.kind === "session" && isLeft(target.sessionId)) {
      done({ kind: "erased", exchange, target, outcome: "session-open" });
      return;
    }
    const begins = async () => {
      if (number === undefined) begun({ kind: "erasing", target });
      await durable();
    };
    this.#last = this.#last
      .then(() => this.#erase(() => log.erase(target, tombstone, number, begins)))
      .catch((error: unknown) => {
        events.log("error", "erasure-failed", { of: target.kind, error: String(error) });
        return error instanceof ParleyError && error.code === "capacity" ? "no-room" : undefined;
      })
      .then((outcome) => done({ kind: "erased", exchange, target, outcome }))
      .catch((error: unknown) => {
        events.log("error", "turn-failed", { at: "erased", error: String(error) });
      });
  }

  async #erase<Outcome>(erase: () => Promise<Outcome>): Promise<Outcome | undefined> {
    const durable = this.#parts.durable();
    if (durable === undefined) return undefined;
    await durable;
    return await erase();
  }
}
