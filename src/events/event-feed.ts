import type { Signer } from "../../codecs/signer.ts";
import { makeLifeEvent } from "../../signaling/life-events.ts";
import type { RecordLog } from "../../signaling/record-log.ts";

/** Some events in order, each a compact JWS, and where to go on. */
export interface EventPage {
  readonly events: readonly string[];
  /** `seq` of the last of them; `after` where there is none. */
  readonly last: number;
  /** Further ones wait behind them. */
  readonly more: boolean;
}

/** What happened at a server, out of its record log: whoever remembers how far it has read misses nothing. */
export class EventFeed {
  readonly #log: Pick<RecordLog, "events" | "lastEvent">;
  readonly #server: { readonly agentId: string; readonly signer: Signer };

  constructor(
    log: Pick<RecordLog, "events" | "lastEvent">,
    server: { readonly agentId: string; readonly signer: Signer },
  ) {
    this.#log = log;
    this.#server = server;
  }

  /** `seq` of the newest event; -1 before the first. */
  get last(): number {
    return this.#log.lastEvent();
  }

  /** At most `count` events behind `after`; -1: from the first. Throws `data-folder-broken` for a record that cannot be read. */
  page(after: number, count: number): EventPage {
    const found = this.#log.events(after, count + 1);
    const shown = found.slice(0, count);
    const events = shown.flatMap((event) => {
      const made = makeLifeEvent(event, this.#server);
      return made.ok ? [made.value] : [];
    });
    return { events, last: shown.at(-1)?.chainSeq ?? after, more: found.length > count };
  }
}
