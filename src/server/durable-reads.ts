import type { RecordLog } from "../../signaling/record-log.ts";
import type { SwitchboardInput, SwitchboardOutput } from "../../signaling/switchboard/io.ts";
import type { EventLog } from "./event-log.ts";
import type { EvidenceCache } from "./evidence-cache.ts";
import { lookUp } from "./look-up.ts";

/** What the switchboard wants to have read. */
export type Wanted = Extract<
  SwitchboardOutput,
  { kind: "records-wanted" | "look-up-wanted" | "evidence-wanted" }
>;

/** Reads what exchanges ask for, of what is durable alone. What cannot be read is handed in as `undefined`, and told. */
export class DurableReads {
  readonly #log: RecordLog;
  readonly #evidence: EvidenceCache;
  readonly #events: EventLog;
  readonly #input: (input: SwitchboardInput) => void;

  constructor(options: {
    readonly log: RecordLog;
    readonly evidence: EvidenceCache;
    readonly events: EventLog;
    /** Takes what was found. */
    readonly input: (input: SwitchboardInput) => void;
  }) {
    this.#log = options.log;
    this.#evidence = options.evidence;
    this.#events = options.events;
    this.#input = options.input;
  }

  /** Resolves when what was found is handed in; rejects where that failed, or `durable` did not hold and could not be told. */
  async read(wanted: Wanted, durable: Promise<void>): Promise<void> {
    const { exchange } = wanted;
    switch (wanted.kind) {
      case "records-wanted": {
        const { sessionId, from, count } = wanted;
        const read = () => this.#log.sessionRecords(sessionId, from, count);
        const records = await this.#found(durable, read, "records-not-read", { sessionId });
        this.#input({ kind: "records", exchange, records });
        return;
      }
      case "look-up-wanted": {
        const { what } = wanted;
        const read = () => lookUp(this.#log, what);
        const found = await this.#found(durable, read, "records-not-read", { what: what.kind });
        this.#input({ kind: "looked-up", exchange, found });
        return;
      }
      case "evidence-wanted": {
        const { sessionId } = wanted;
        const read = () => this.#evidence.get(sessionId);
        const evidence = await this.#found(durable, read, "evidence-not-built", { sessionId });
        this.#input({ kind: "evidence", exchange, evidence });
        return;
      }
    }
  }

  async #found<Found>(
    durable: Promise<void>,
    read: () => Found,
    broken: string,
    about: Readonly<Record<string, string>>,
  ): Promise<Found | undefined> {
    try {
      await durable;
      return read();
    } catch (error) {
      this.#events.log("error", broken, { ...about, error: String(error) });
      return undefined;
    }
  }
}
