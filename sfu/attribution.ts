import type { CheckpointVerdict } from "./checkpoint-check.ts";
import type { NotedAs } from "./listed-frames.ts";

/** How long something may have been played, ms, before a checkpoint of its speaker lists it, on a way that takes no time. */
const ATTRIBUTION_MS = 2_000;
/**
 * So many times longer than its frame was on its way. A checkpoint that is lost comes a round trip of that hop later, which is as long
 * as the whole way where both hops are alike, and twice as long where one of them is most of it: three losses of that one checkpoint pass there.
 */
const ATTRIBUTION_WAYS = 6;
/** The longest that it may be in any case: who holds frames back does not gain more. */
const LONGEST_ATTRIBUTION_MS = 10_000;

/** Frames that no checkpoint covers yet that are remembered; the oldest that was not played is let go, or else the oldest. */
export const MAX_WAITING_FRAMES = 4096;

/**
 * Frames of profile `chain` that nobody else can be shown to have been sent: played and in no checkpoint long after (`uncovered`),
 * or listed otherwise (`contradicted`). It does not say whose fault it is.
 */
export interface UnattributedFrames {
  readonly reason: "uncovered" | "contradicted";
  /** Lowest and highest sequence number among them. */
  readonly first: number;
  readonly last: number;
  readonly count: number;
}

/** A frame of profile `chain` that no checkpoint covers. */
interface WaitingFrame {
  /**
   * `listed-early`: a checkpoint came before it that listed so far ahead that what it said of it is not known, and none that follows can.
   * `excused`: its checkpoint may have been lost with a connection; one that comes may still contradict it.
   */
  readonly standing: "due" | "listed-early" | "excused";
  /** How long after it was played it is to be in a checkpoint, ms. */
  readonly patience: number;
  /** When it was played, if it was. */
  playedAt?: number;
}

/**
 * Watches that what a listener plays of profile `chain` is attributed in time: only the speaker's checkpoints show a third party who
 * sent it. Tags prove it to the listener alone, who could have made them too. What each frame is of counts, and not what the call goes by now.
 */
export class Attribution {
  /** By sequence number, in order of arrival. */
  readonly #waiting = new Map<number, WaitingFrame>();
  readonly #contradicted: number[] = [];
  #isContradicted = false;
  /** They are known to be overdue. */
  #isOverdue = false;
  /** None is overdue before this time. */
  #overdueAt = Number.POSITIVE_INFINITY;
  #pausedAt: number | undefined;
  #unattributed = 0;

  /** Played and uncovered for too long, or contradicted: the stream is not to be relied on. It may be again once checkpoints cover what was played. */
  get isBroken(): boolean {
    return this.#isContradicted || this.#isOverdue;
  }

  /** Frames told of so far. */
  get unattributed(): number {
    return this.#unattributed;
  }

  /**
   * A frame of profile `chain` verified; `noted`: how it stands to the checkpoints; `age`: how long ago it was captured, ms, which tells
   * how long checkpoints take as well.
   */
  taken(sequence: number, noted: NotedAs, age: number): void {
    if (noted === "contradicted") this.#contradict([sequence]);
    if (noted !== "uncovered" && noted !== "forgotten") return;
    if (this.#waiting.size >= MAX_WAITING_FRAMES) this.#letGo();
    const patience = Math.min(ATTRIBUTION_MS + ATTRIBUTION_WAYS * Math.max(0, age), LONGEST_ATTRIBUTION_MS);
    this.#waiting.set(sequence, { standing: noted === "uncovered" ? "due" : "listed-early", patience });
  }

  /** Something of a frame was handed out: itself, or what it carried of those before it. */
  played(sequence: number, now: number): void {
    const frame = this.#waiting.get(sequence);
    if (frame === undefined || frame.standing === "excused" || frame.playedAt !== undefined) return;
    frame.playedAt = this.#pausedAt ?? now;
    this.#overdueAt = Math.min(this.#overdueAt, frame.playedAt + frame.patience);
  }

  /** A checkpoint held. What it says of frames that were not `taken` proves nothing against them: those are signed. */
  covered({ checkpoint, contradicted, followsLost }: CheckpointVerdict, now: number): void {
    const denied = new Set(contradicted.filter((sequence) => this.#waiting.has(sequence)));
    if (denied.size > 0) this.#contradict([...denied]);
    const { digests, final, firstSequence } = checkpoint;
    const end = firstSequence + digests.length;
    for (const [sequence, { standing }] of this.#waiting) {
      if (standing === "listed-early" || (!final && sequence >= end)) continue;
      // Passed over by a process that began later than the frames it sent: nothing will list them.
      if (sequence < firstSequence && standing === "due" && !followsLost && !denied.has(sequence)) continue;
      this.#waiting.delete(sequence);
    }
    this.#isOverdue &&= this.#overdue(now).length > 0;
  }

  /** The checkpoints that are lacking may have been lost with a connection: what waits for them is let go. Who has the evidence sees whether they exist. */
  forget(now: number): void {
    for (const [sequence, { standing, patience }] of this.#waiting)
      if (standing === "due") this.#waiting.set(sequence, { standing: "excused", patience });
    this.#isOverdue &&= this.#overdue(now).length > 0;
  }

  /** Another process speaks from now on, which cannot state what the one before it said: what was played of that and is in no checkpoint stays so, and is told. */
  changeSpeaker(): UnattributedFrames | undefined {
    const played = [...this.#waiting].flatMap(([sequence, { playedAt }]) =>
      playedAt === undefined ? [] : [sequence],
    );
    const wasTold = this.#isOverdue;
    for (const [sequence, { patience }] of this.#waiting)
      this.#waiting.set(sequence, { standing: "excused", patience });
    this.#isOverdue = false;
    return played.length === 0 || wasTold ? undefined : this.#tell("uncovered", played);
  }

  /** Nothing can come of the speaker: the time does not count until `resume`. Idempotent. */
  pause(now: number): void {
    this.#pausedAt ??= now;
  }

  resume(now: number): void {
    const since = this.#pausedAt;
    this.#pausedAt = undefined;
    if (since === undefined) return;
    for (const frame of this.#waiting.values())
      if (frame.playedAt !== undefined) frame.playedAt += now - since;
  }

  /** What there is to tell: contradicted frames, and the frames that are overdue, once until checkpoints have caught up. */
  poll(now: number): UnattributedFrames | undefined {
    if (this.#contradicted.length > 0) return this.#tell("contradicted", this.#contradicted.splice(0));
    if (this.#isOverdue || this.#pausedAt !== undefined || now < this.#overdueAt) return undefined;
    const overdue = this.#overdue(now);
    if (overdue.length === 0) return undefined;
    this.#isOverdue = true;
    return this.#tell("uncovered", overdue);
  }

  #contradict(sequences: readonly number[]): void {
    this.#isContradicted = true;
    this.#contradicted.push(...sequences);
  }

  #letGo(): void {
    let oldest: number | undefined;
    for (const [sequence, { playedAt }] of this.#waiting) {
      oldest ??= sequence;
      if (playedAt !== undefined) continue;
      oldest = sequence;
      break;
    }
    if (oldest !== undefined) this.#waiting.delete(oldest);
  }

  #overdue(now: number): number[] {
    const overdue: number[] = [];
    this.#overdueAt = Number.POSITIVE_INFINITY;
    for (const [sequence, { playedAt, patience }] of this.#waiting) {
      if (playedAt === undefined) continue;
      this.#overdueAt = Math.min(this.#overdueAt, playedAt + patience);
      if (now >= playedAt + patience) overdue.push(sequence);
    }
    return overdue;
  }

  #tell(reason: UnattributedFrames["reason"], sequences: readonly number[]): UnattributedFrames {
    this.#unattributed += sequences.length;
    const first = Math.min(...sequences);
    return { reason, first, last: Math.max(...sequences), count: sequences.length };
  }
}
