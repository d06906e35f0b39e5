import type { CheckpointVerdict } from "./checkpoint-check.ts";
import type { NotedAs } from "./listed-frames.ts";

/** How long something may have been played, ms, before a checkpoint of its speaker lists it. */
const ATTRIBUTION_MS = 2_000;

/** Frames that no checkpoint covers yet that are remembered; the oldest is let go. */
const MAX_WAITING_FRAMES = 4096;

/**
 * Frames of profile `chain` that nobody else can be shown to have been sent: played and in no checkpoint 2 s later (`uncovered`),
 * or listed otherwise (`contradicted`). It does not say whose fault it is.
 */
export interface UnattributedFrames {
  readonly reason: "uncovered" | "contradicted";
  /** Lowest and highest sequence number among them. */
  readonly first: number;
  readonly last: number;
  readonly count: number;
}

/**
 * Watches that what a listener plays of profile `chain` is attributed in time: only the speaker's checkpoints show a third party who
 * sent it. Tags prove it to the listener alone, who could have made them too.
 */
export class Attribution {
  /** Frames that no checkpoint covers, by number: when they were played, if they were. */
  readonly #waiting = new Map<number, number | undefined>();
  readonly #contradicted: number[] = [];
  #isContradicted = false;
  /** They are known to be overdue. */
  #isOverdue = false;
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

  /** A frame of profile `chain` verified; `noted`: how it stands to the checkpoints. */
  taken(sequence: number, noted: NotedAs): void {
    if (noted === "contradicted") this.#contradict([sequence]);
    if (noted !== "uncovered") return;
    if (this.#waiting.size >= MAX_WAITING_FRAMES) {
      for (const oldest of this.#waiting.keys()) {
        this.#waiting.delete(oldest);
        break;
      }
    }
    this.#waiting.set(sequence, undefined);
  }

  /** A frame was handed out. */
  played(sequence: number, now: number): void {
    if (this.#waiting.has(sequence)) this.#waiting.set(sequence, this.#pausedAt ?? now);
  }

  /** A checkpoint held. */
  covered({ checkpoint, contradicted }: CheckpointVerdict, profile: "frame" | "chain", now: number): void {
    if (profile === "chain" && contradicted.length > 0) this.#contradict(contradicted);
    const end = checkpoint.firstSequence + checkpoint.digests.length;
    for (const sequence of this.#waiting.keys())
      if (checkpoint.final || sequence < end) this.#waiting.delete(sequence);
    this.#isOverdue &&= this.#overdue(now).length > 0;
  }

  /** The checkpoints that are lacking may have been lost with a connection: what waits for them is let go. Who has the evidence sees whether they exist. */
  forget(): void {
    this.#waiting.clear();
    this.#isOverdue = false;
  }

  /** Another process speaks from now on, which cannot state what the one before it said: what was played of that and is in no checkpoint stays so, and is told. */
  changeSpeaker(): UnattributedFrames | undefined {
    const played = [...this.#waiting].flatMap(([sequence, at]) => (at === undefined ? [] : [sequence]));
    const wasTold = this.#isOverdue;
    this.forget();
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
    for (const [sequence, at] of this.#waiting)
      if (at !== undefined) this.#waiting.set(sequence, at + now - since);
  }

  /** What there is to tell: contradicted frames, and the frames that are overdue, once until checkpoints have caught up. */
  poll(now: number): UnattributedFrames | undefined {
    if (this.#contradicted.length > 0) return this.#tell("contradicted", this.#contradicted.splice(0));
    if (this.#isOverdue || this.#pausedAt !== undefined) return undefined;
    const overdue = this.#overdue(now);
    if (overdue.length === 0) return undefined;
    this.#isOverdue = true;
    return this.#tell("uncovered", overdue);
  }

  #contradict(sequences: readonly number[]): void {
    this.#isContradicted = true;
    this.#contradicted.push(...sequences);
  }

  #overdue(now: number): number[] {
    const overdue: number[] = [];
    for (const [sequence, at] of this.#waiting)
      if (at !== undefined && now - at >= ATTRIBUTION_MS) overdue.push(sequence);
    return overdue;
  }

  #tell(reason: UnattributedFrames["reason"], sequences: readonly number[]): UnattributedFrames {
    this.#unattributed += sequences.length;
    const first = Math.min(...sequences);
    return { reason, first, last: Math.max(...sequences), count: sequences.length };
  }
}
