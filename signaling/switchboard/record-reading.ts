import { ok, type Result, refuse } from "../../codecs/result.ts";
import type { ConnectionId } from "../admission.ts";
import type { Asked } from "./asked.ts";
import type { Desk } from "./desk.ts";
import type { ExchangeId } from "./io.ts";
import { isOperator } from "./operator.ts";
import type { Exchange } from "./replies.ts";
import type { SessionTable } from "./session-table.ts";

/** Records in one page: of a kilobyte each, so that a page is far below the largest body. */
const RECORDS_PER_PAGE = 64;
/** Pages being read at once, all sessions together; beyond: 429 `rate-limited`. */
const MAX_READS = 64;

interface Reading {
  readonly exchange: Exchange;
  /** Others follow this page; `undefined` for a session that is over, where a full page says so. */
  readonly more: boolean | undefined;
}

/**
 * Hands a session's participants its records while it is up, a page for each request, out of the log: only what is durable.
 * The answers join the server's chain and not the session's, or reading would make more to read.
 */
export class RecordReading {
  readonly #desk: Desk;
  readonly #table: SessionTable;
  /** At most {@link MAX_READS}. */
  readonly #readings = new Map<ExchangeId, Reading>();

  constructor(desk: Desk, table: SessionTable) {
    this.#desk = desk;
    this.#table = table;
  }

  /** Readings under way. */
  get size(): number {
    return this.#readings.size;
  }

  /** QUERY /sessions/{id}/records: those behind number `after`. A session that is over is read too while it is remembered. */
  read(asked: Asked, sessionId: string, after: number | undefined, now: number): Result<void> {
    const { exchange, agent } = asked;
    const found = this.#table.participation(sessionId, agent.agentId, now);
    // The operator takes part in none: to it the log alone says what there is.
    if (!found.ok && found.fault.code !== "session-terminated" && !isOperator(this.#desk, asked))
      return found;
    if (this.#readings.size >= MAX_READS) return refuse("rate-limited", "Too many records are being read.");
    const from = after === undefined ? 0 : after + 1;
    // What is signed by now; what the log has by then is more, and may not be durable.
    const left = found.ok ? Math.max(0, found.value.session.link.nextSeq - from) : undefined;
    const more = left === undefined ? undefined : left > RECORDS_PER_PAGE;
    this.#readings.set(exchange.id, { exchange, more });
    this.#desk.outputs.push({
      kind: "records-wanted",
      exchange: exchange.id,
      sessionId,
      from,
      count: Math.min(left ?? RECORDS_PER_PAGE, RECORDS_PER_PAGE),
    });
    return ok(undefined);
  }

  /** The driver read the page, or could not. */
  deliver(id: ExchangeId, records: readonly string[] | undefined, now: number): void {
    const reading = this.#readings.get(id);
    if (reading === undefined) return;
    this.#readings.delete(id);
    const { exchange, more = records?.length === RECORDS_PER_PAGE } = reading;
    if (records === undefined) {
      this.#desk.replies.refuse(exchange, refuse("server-error", "The records cannot be read.").fault, now);
      return;
    }
    this.#desk.replies.answer(exchange, { result: { records, more } }, now);
  }

  /** Nobody waits for these any more. */
  drop(connection: ConnectionId, exchange?: ExchangeId): void {
    for (const [id, reading] of this.#readings) {
      if (reading.exchange.connection !== connection) continue;
      if (exchange === undefined || id === exchange) this.#readings.delete(id);
    }
  }
}
