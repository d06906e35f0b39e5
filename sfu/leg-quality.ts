/** What a look at a leg is about: running counts, and what the peer's reports say. */
export interface LegState {
  /** Live packets that were to go to the peer. */
  readonly offered: number;
  /** Among them those that waited too long, or were too many. */
  readonly late: number;
  /** Share lost on the way, 0 to 1. */
  readonly lossShare: number;
  /** When the peer last reported; `undefined` when it never did. */
  readonly reportedAt: number | undefined;
}

/** What is wrong: its hop takes less than comes for it (`slow`), packets are lost on the way (`loss`), it reports nothing more (`silent`). */
export type Trouble = "slow" | "loss" | "silent";

/** A leg went bad for this reason, or `undefined`: it is well again. */
export interface QualityChange {
  readonly trouble: Trouble | undefined;
}

/** Milliseconds between two looks. */
const LOOK_MS = 500;
/** Share of packets that came too late for a listener to be well served; and lost on the way. */
const LATE_SHARE = 0.05;
const LOSS_SHARE = 0.1;
/** Fewer packets dropped in one look are chance. */
const LATE_PACKETS = 2;
/** Milliseconds without a report, though packets went, after which the peer counts as silent. */
const SILENT_MS = 2_000;
/** Looks without trouble after which a leg is well again. */
const CALM_LOOKS = 6;

/** Tells when a listener is badly served and when it is well served again; not each packet, but what lasts. */
export class LegQuality {
  #lookedAt: number;
  #offered = 0;
  #late = 0;
  /** The report that was the last one at the last look, and since when packets went unanswered. */
  #reportedAt: number | undefined;
  #unansweredSince: number | undefined;
  #calm = 0;
  #trouble: Trouble | undefined;

  constructor(start: number) {
    this.#lookedAt = start;
  }

  /** What is wrong now. */
  get trouble(): Trouble | undefined {
    return this.#trouble;
  }

  /** Whether it is time for the next look. */
  isDue(now: number): boolean {
    return now - this.#lookedAt >= LOOK_MS;
  }

  /** Looks; returns what is new. */
  look(state: LegState, now: number): QualityChange | undefined {
    const found = this.#found(state, now);
    this.#lookedAt = now;
    this.#offered = state.offered;
    this.#late = state.late;
    if (found !== undefined) {
      this.#calm = 0;
      const isNew = this.#trouble === undefined;
      this.#trouble = found;
      return isNew ? { trouble: found } : undefined;
    }
    if (this.#trouble === undefined || ++this.#calm < CALM_LOOKS) return undefined;
    this.#trouble = undefined;
    return { trouble: undefined };
  }

  #found({ offered, late, lossShare, reportedAt }: LegState, now: number): Trouble | undefined {
    if (reportedAt !== this.#reportedAt) this.#unansweredSince = undefined;
    else if (offered > this.#offered) this.#unansweredSince ??= this.#lookedAt;
    this.#reportedAt = reportedAt;
    const isUnanswered = reportedAt !== undefined && this.#unansweredSince !== undefined;
    if (isUnanswered && now - (this.#unansweredSince ?? now) >= SILENT_MS) return "silent";
    const dropped = late - this.#late;
    if (dropped >= LATE_PACKETS && dropped > LATE_SHARE * (offered - this.#offered)) return "slow";
    return lossShare >= LOSS_SHARE ? "loss" : undefined;
  }
}
