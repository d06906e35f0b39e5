import type { ConnectionId, Refusal } from "../signaling/admission.ts";
import type { ConnectionEntry, FlowEntry, SessionEntry } from "./admission-table.ts";
import { CLOSE_CODES } from "./carrier.ts";
import type { RelayEvent } from "./relay-io.ts";

/**
 * What a relay has to say of refusals: reports, ten a second for each session and merging meanwhile, and connections to be
 * closed for their bad signatures.
 * @internal
 */
export class RelayNews {
  /** Sessions with reports that wait. */
  readonly #reporting = new Set<SessionEntry>();
  /** Each connection once, while it is here. */
  readonly #closing: { connection: ConnectionId; at: number }[] = [];

  /** A frame was refused. `sequence` is undefined where it could not be read; `carrier`, for a bad signature, is the entry of `connection`. */
  refused(
    connection: ConnectionId,
    carrier: ConnectionEntry | undefined,
    entry: FlowEntry,
    refusal: Refusal,
    sequence: number | undefined,
    now: number,
  ): void {
    entry.tally.refused(refusal);
    entry.session.reports.add(entry.row, refusal, sequence);
    this.#reporting.add(entry.session);
    if (carrier === undefined || carrier.condemned) return;
    if (carrier.badSignatures.has(1, now)) {
      carrier.badSignatures.take(1);
    } else {
      carrier.condemned = true;
      this.#closing.push({ connection, at: now });
    }
  }

  /** Frames of a flow were let through that their speaker's checkpoints list otherwise. */
  contradicted(entry: FlowEntry, sequences: readonly number[]): void {
    entry.tally.contradicted(sequences.length);
    entry.session.reports.add(entry.row, "contradicted", sequences[0]);
    for (const sequence of sequences.slice(1)) entry.session.reports.add(entry.row, "contradicted", sequence);
    this.#reporting.add(entry.session);
  }

  /** How much is kept. */
  sizes() {
    return { reporting: this.#reporting.size, closing: this.#closing.length };
  }

  /** Reports of a session that is removed are not given out. */
  forget(session: SessionEntry): void {
    this.#reporting.delete(session);
  }

  /** The next event, or `undefined`. */
  poll(now: number): RelayEvent | undefined {
    const closing = this.#closing.shift();
    if (closing !== undefined) {
      return {
        kind: "close-connection",
        connection: closing.connection,
        code: CLOSE_CODES.badSignatures,
        reason: "repeated bad signatures",
      };
    }
    for (const session of this.#reporting) {
      const report = session.reports.take(now);
      if (report === undefined) continue;
      if (session.reports.size === 0) this.#reporting.delete(session);
      const { reason, ...rest } = report;
      if (reason === "contradicted") return { kind: "frames-contradicted", ...rest };
      return { kind: "frames-refused", ...rest, reason };
    }
    return undefined;
  }

  /** When `poll` has something next, possibly in the past; `undefined` while there is nothing to wait for. */
  nextTimeout(): number | undefined {
    let next = this.#closing[0]?.at;
    for (const session of this.#reporting) {
      const at = session.reports.nextTimeout();
      if (at !== undefined && (next === undefined || at < next)) next = at;
    }
    return next;
  }
}
