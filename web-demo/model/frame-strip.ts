/** The frames of one direction as a row of ticks, newest last. */

/** What became of one frame, as the agent library tells it. `away`: there was none, for want of a connection. */
export type Fate = "sent" | "unsent" | "verified" | "late" | "concealed" | "refused" | "away";

export interface Tick {
  /** 48-bit sequence number; undefined where none could be read. */
  readonly sequence: number | undefined;
  readonly fate: Fate;
  /** Why it was refused. */
  readonly reason: string | undefined;
  /** How loud, 0..1; undefined where nobody said. */
  readonly loudness: number | undefined;
}

/** A frame as `watch` of the agent library tells of it. */
export interface FrameNews {
  readonly sequence: number | undefined;
  readonly fate: Fate;
  readonly reason?: string | undefined;
  /** dB below full scale as the speaker signed it: 0 loudest, 127 silence. */
  readonly level?: number | undefined;
}

/** What counts as silent in a tick, dB below full scale. */
const SILENT_DB = 60;

/** Ticks kept: ten seconds at 50 frames a second, more than any screen shows. The oldest goes. */
const TICKS = 500;
/** How long one frame is, ms. */
const FRAME_MS = 20;

/**
 * Keeps the last ticks and the totals since the call began. A later verdict on a frame (the relay refused what was sent)
 * recolours its tick and moves it from one total to the other.
 */
export class FrameStrip {
  #ticks: Tick[] = [];
  readonly #totals: Record<Fate, number> = {
    sent: 0,
    unsent: 0,
    verified: 0,
    late: 0,
    concealed: 0,
    refused: 0,
    away: 0,
  };
  readonly #reasons = new Map<string, number>();
  #changes = 0;

  /** The last `count` ticks, oldest first. */
  last(count: number): readonly Tick[] {
    return this.#ticks.slice(-count);
  }

  /** Frames by fate since the call began. */
  get totals(): Readonly<Record<Fate, number>> {
    return this.#totals;
  }

  /** Refused frames by reason, most frequent first. */
  get reasons(): readonly (readonly [string, number])[] {
    return [...this.#reasons].sort((one, other) => other[1] - one[1]);
  }

  /** Rises with every change, so that a painter can tell whether there is anything to paint. */
  get changes(): number {
    return this.#changes;
  }

  /** A frame met its fate. */
  add({ sequence, fate, reason: given, level }: FrameNews): void {
    this.#changes += 1;
    const loudness = level === undefined ? undefined : 1 - Math.min(level, SILENT_DB) / SILENT_DB;
    const made: Tick = { sequence, fate, reason: given, loudness };
    if (made.fate === "refused") {
      const reason = made.reason ?? "unknown";
      this.#reasons.set(reason, (this.#reasons.get(reason) ?? 0) + 1);
      if (this.#rejudge(made)) return;
    }
    this.#totals[made.fate] += 1;
    this.#push(made);
  }

  /** For so long, ms, no frame could come or go. */
  away(ms: number): void {
    const frames = Math.round(ms / FRAME_MS);
    this.#changes += 1;
    this.#totals.away += frames;
    const tick = { sequence: undefined, fate: "away", reason: undefined, loudness: undefined } as const;
    for (let frame = 0; frame < Math.min(frames, TICKS); frame += 1) this.#push(tick);
  }

  /** Gives an earlier tick of the same frame its verdict. */
  #rejudge(verdict: Tick): boolean {
    if (verdict.sequence === undefined) return false;
    const index = this.#ticks.findLastIndex(({ sequence }) => sequence === verdict.sequence);
    const before = this.#ticks[index];
    if (before === undefined || before.fate !== "sent") return false;
    this.#ticks[index] = { ...verdict, loudness: before.loudness };
    this.#totals.sent -= 1;
    this.#totals.refused += 1;
    return true;
  }

  #push(tick: Tick): void {
    this.#ticks.push(tick);
    // Cut in blocks: shifting at every frame would copy the row fifty times a second.
    if (this.#ticks.length > TICKS * 2) this.#ticks = this.#ticks.slice(-TICKS);
  }
}
