import { ok, type Result, refuse } from "../../codecs/result.ts";
import type { ConnectionId } from "../admission.ts";
import type { SessionState } from "../session-machine.ts";
import type { Asked } from "./asked.ts";
import type { Desk } from "./desk.ts";
import type { EvidenceFile, ExchangeId } from "./io.ts";
import { isOperator } from "./operator.ts";
import type { Exchange } from "./replies.ts";
import type { SessionTable } from "./session-table.ts";

/** Bytes of the file in one message of the series. Escaped as a JSON string it still fits the largest body. */
export const EVIDENCE_CHUNK_BYTES = 262_144;
/** Evidence files being read at once; beyond: 429 `rate-limited`. */
const MAX_READS = 64;
/** What a reader is told to wait while the call is up, milliseconds. */
const RETRY_AFTER_MS = 1_000;
/** How long a reader may take over one piece, milliseconds; then its exchange ends with `request-timeout`. */
export const EVIDENCE_STALL = 30_000;

/** One reading, from the request to the last piece. */
interface Reading {
  readonly exchange: Exchange;
  readonly agentId: string;
  readonly sessionId: string;
  /** The operator reads any. */
  readonly isOperated: boolean;
  /** `undefined` until the driver has built it. */
  file: Uint8Array | undefined;
  /** Where the next piece begins, and its number. */
  offset: number;
  index: number;
}

/** Hands a session's evidence to its participants, a piece whenever the one before was taken. */
export class EvidenceReading {
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

  /** QUERY /sessions/{id}/evidence. A session nobody here remembers may still be in the log. */
  read(asked: Asked, sessionId: string, now: number): Result<void> {
    const { agentId } = asked.agent;
    const found = this.#table.participation(sessionId, agentId, now);
    if (found.ok) {
      return notReady(found.value.session.state);
    }
    const isOperated = isOperator(this.#desk, asked);
    const live = isOperated ? this.#table.get(sessionId) : undefined;
    if (live !== undefined) return notReady(live.state);
    if (found.fault.code === "session-identity-mismatch" && !isOperated) return found;
    const isReading = [...this.#readings.values()].some(
      (reading) => reading.sessionId === sessionId && reading.agentId === agentId,
    );
    if (isReading) return refuse("rate-limited", "You are reading this evidence already.");
    if (this.#readings.size >= MAX_READS)
      return refuse("rate-limited", "Too many evidence files are being read.");
    const { exchange } = asked;
    this.#readings.set(exchange.id, {
      exchange,
      agentId,
      sessionId,
      isOperated,
      file: undefined,
      offset: 0,
      index: 0,
    });
    this.#desk.outputs.push({ kind: "evidence-wanted", exchange: exchange.id, sessionId });
    return ok(undefined);
  }

  /** The driver built the file, or found nothing. */
  deliver(id: ExchangeId, evidence: EvidenceFile | "erased" | undefined, now: number): void {
    const reading = this.#readings.get(id);
    if (reading === undefined || reading.file !== undefined) return;
    if (evidence === "erased") {
      this.#refuse(reading, refuse("record-erased", "What the evidence is made of was erased.", "path"), now);
    } else if (evidence === undefined) {
      this.#refuse(reading, refuse("session-not-found", "There is no such session.", "path"), now);
    } else if (!evidence.participants.includes(reading.agentId) && !reading.isOperated) {
      const notYours = refuse("session-identity-mismatch", "You take no part in this session.", "path");
      this.#refuse(reading, notYours, now);
    } else {
      reading.file = evidence.bytes;
      this.#sendNext(reading, now);
    }
  }

  /** The carrier took the last piece of this exchange. */
  taken(id: ExchangeId, now: number): void {
    const reading = this.#readings.get(id);
    if (reading?.file !== undefined) this.#sendNext(reading, now);
  }

  /** The reader did not take a piece in time. */
  stalled(id: ExchangeId, now: number): void {
    const reading = this.#readings.get(id);
    if (reading === undefined) return;
    this.#refuse(reading, refuse("request-timeout", "The evidence was not read in time."), now);
  }

  /** Nobody waits for these any more. */
  drop(connection: ConnectionId, exchange?: ExchangeId): void {
    for (const [id, reading] of this.#readings) {
      if (reading.exchange.connection !== connection) continue;
      if (exchange === undefined || id === exchange) this.#forget(id);
    }
  }

  #sendNext(reading: Reading, now: number): void {
    const { exchange, file = new Uint8Array(0), offset, index } = reading;
    const end = endOfPiece(file, offset, EVIDENCE_CHUNK_BYTES);
    const chunk = decoder.decode(file.subarray(offset, end));
    const final = end === file.length;
    reading.offset = end;
    reading.index++;
    if (final) this.#forget(exchange.id);
    else this.#desk.timers.set("evidence", String(exchange.id), now + EVIDENCE_STALL);
    this.#desk.replies.answer(exchange, { result: { index, chunk }, final }, now);
  }

  #refuse(reading: Reading, refusal: ReturnType<typeof refuse>, now: number): void {
    this.#forget(reading.exchange.id);
    this.#desk.replies.refuse(reading.exchange, refusal.fault, now);
  }

  #forget(id: ExchangeId): void {
    this.#readings.delete(id);
    this.#desk.timers.clear("evidence", String(id));
  }
}

function notReady(state: SessionState) {
  return refuse("evidence-not-ready", "The call is up or closing.", "path", {
    retry_after_ms: RETRY_AFTER_MS,
    state,
  });
}

/** Where a piece of UTF-8 text of at most `size` bytes, at least 4, that begins at `start` ends: between characters. */
export function endOfPiece(bytes: Uint8Array, start: number, size: number): number {
  let end = Math.min(start + size, bytes.length);
  // 10xxxxxx continues a character (RFC 3629 3).
  while (end < bytes.length && end > start && ((bytes[end] as number) & 0xc0) === 0x80) end--;
  return end;
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
