import type { AdmissionRow, Refusal } from "../signaling/admission.ts";
import { TokenBucket } from "./token-bucket.ts";

/** Reports a session gives out each second; what comes faster is merged into the ones that wait. */
export const REFUSAL_REPORTS_PER_SECOND = 10;

/** Frames of one stream that sender and listener are told of together. */
export interface FrameReport {
  readonly sessionId: string;
  /** Where the latest of them came from. */
  readonly connection: number;
  readonly flow: number;
  readonly leg: number;
  readonly stream: number;
  /** Lowest and highest sequence number among them; undefined when none could be read. Nobody vouches for them. */
  readonly first: number | undefined;
  readonly last: number | undefined;
  readonly count: number;
}

/** Refused ones, for one reason (`frames_refused`), or ones that a checkpoint contradicts (`frames_contradicted`). */
export interface RefusalReport extends FrameReport {
  readonly reason: Refusal | "contradicted";
}

/**
 * Merges the refusals of one session into few reports. At most one report waits for each stream and reason, so the
 * memory is bounded by the session's streams and nothing is dropped.
 * @internal
 */
export class RefusalReports {
  readonly #sessionId: string;
  readonly #waiting = new Map<string, { -readonly [K in keyof RefusalReport]: RefusalReport[K] }>();
  readonly #allowance: TokenBucket;

  constructor(sessionId: string, now: number) {
    this.#sessionId = sessionId;
    this.#allowance = new TokenBucket(REFUSAL_REPORTS_PER_SECOND, REFUSAL_REPORTS_PER_SECOND, now);
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** `sequence` is undefined where the packet could not be read. */
  add(row: AdmissionRow, reason: RefusalReport["reason"], sequence: number | undefined): void {
    const key = `${row.leg}/${row.stream}/${reason}`;
    const report = this.#waiting.get(key);
    if (report === undefined) {
      this.#waiting.set(key, {
        sessionId: this.#sessionId,
        connection: row.connection,
        flow: row.flow,
        leg: row.leg,
        stream: row.stream,
        reason,
        first: sequence,
        last: sequence,
        count: 1,
      });
      return;
    }
    report.connection = row.connection;
    report.flow = row.flow;
    report.count++;
    if (sequence === undefined) return;
    if (report.first === undefined || sequence < report.first) report.first = sequence;
    if (report.last === undefined || sequence > report.last) report.last = sequence;
  }

  /** The report that has waited longest, when the allowance permits one. */
  take(now: number): RefusalReport | undefined {
    for (const [key, report] of this.#waiting) {
      if (!this.#allowance.has(1, now)) return undefined;
      this.#allowance.take(1);
      this.#waiting.delete(key);
      return report;
    }
    return undefined;
  }

  /** When `take` has something to give, or `undefined` when nothing waits. */
  nextTimeout(): number | undefined {
    return this.#waiting.size === 0 ? undefined : this.#allowance.availableAt(1);
  }
}
