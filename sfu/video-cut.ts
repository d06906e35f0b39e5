import { UnitChain } from "./video-chain.ts";

/** How much more than its rate an encoder may have sent before units of higher layers are left out, in milliseconds of that rate. */
const UPPER_LAYER_DEBT_MS = 400;
/** Before those of the lowest layer are; nothing can be decoded then until a key frame. */
const BASE_LAYER_DEBT_MS = 800;
/** Before a key frame is. */
const KEY_FRAME_DEBT_MS = 1_500;
/** Nor is one that takes longer than this where the rate fell so short a time ago, ms, that the encoder may not know it yet. */
const LARGE_KEY_FRAME_MS = 1_500;
const FOLLOWS_MS = 1_000;
/** No debt is longer: what took more is on its way, or was lost there. */
const MOST_DEBT_MS = 2_000;
/** Debt at which there is room for one, and for what follows it. */
const ROOM_DEBT_MS = 100;

/** Why a unit was left out: there is no rate for it, what it needs was left out, or it is beyond the cap of its speaker's scope. */
export type CutReason = "rate" | "dependency" | "limit";

export interface CutUnit {
  readonly key: boolean;
  readonly layer: number;
  readonly bytes: number;
}

/**
 * Keeps what an encoder makes within a rate from the moment at which it is known, whatever the encoder still makes: higher layers are left out
 * first, then everything up to a key frame. What is left out here is never signed.
 */
export class VideoCut {
  readonly #chain = new UnitChain();
  #bitsPerSecond: number;
  /** Bytes sent that the rate has not made good yet. */
  #debt = 0;
  #at: number;
  /** When the rate last fell. */
  #fellAt = Number.NEGATIVE_INFINITY;
  readonly #left: Record<CutReason, number> = { rate: 0, dependency: 0, limit: 0 };

  constructor(options: { readonly bitsPerSecond: number; readonly start: number }) {
    this.#bitsPerSecond = options.bitsPerSecond;
    this.#at = options.start;
  }

  /** What each unit that is sent is known to need, for who numbers it. */
  get chain(): UnitChain {
    return this.#chain;
  }

  /** Units left out, by reason. */
  get leftOut(): Readonly<Record<CutReason, number>> {
    return { ...this.#left };
  }

  /** The rate from now on, bits a second; at 0 everything is left out. */
  useRate(bitsPerSecond: number, now: number): void {
    this.#drain(now);
    // What was sent under a higher rate is on its way: it is not held against a lower one for longer than against the higher.
    if (bitsPerSecond < this.#bitsPerSecond) {
      this.#debt *= bitsPerSecond / this.#bitsPerSecond;
      this.#fellAt = now;
    }
    this.#bitsPerSecond = bitsPerSecond;
  }

  /** Whether to send this unit; what is sent has to be told to `chain`, by its number. */
  admit(unit: CutUnit, now: number): "send" | CutReason {
    this.#drain(now);
    const reason = this.#reason(unit, now);
    if (reason === undefined) {
      this.#debt = Math.min(this.#debt + unit.bytes, (this.#bitsPerSecond * MOST_DEBT_MS) / 8_000);
      return "send";
    }
    this.#leave(unit, reason);
    return reason;
  }

  /** Leaves a unit out, whatever room there is for it: a delta where the rate is kept for the key frame that is due, or what others would not let through. */
  leaveOut(unit: Pick<CutUnit, "key" | "layer">, reason: CutReason = "rate"): void {
    this.#leave(unit, reason);
  }

  /** When there will be room for a key frame; `undefined` at rate 0. */
  roomForKeyFrame(now: number): number | undefined {
    if (this.#bitsPerSecond <= 0) return undefined;
    this.#drain(now);
    return now + Math.max(0, this.#debtMs - ROOM_DEBT_MS);
  }

  #leave(unit: Pick<CutUnit, "key" | "layer">, reason: CutReason): void {
    this.#left[reason] += 1;
    if (unit.key) this.#chain.restart();
    else this.#chain.leftOut(unit);
  }

  #reason({ key, layer, bytes }: CutUnit, now: number): CutReason | undefined {
    if (this.#bitsPerSecond <= 0) return "rate";
    if (key) {
      const isOfOldRate = now - this.#fellAt < FOLLOWS_MS && this.#msOf(bytes) > LARGE_KEY_FRAME_MS;
      return isOfOldRate || this.#debtMs > KEY_FRAME_DEBT_MS ? "rate" : undefined;
    }
    if (this.#chain.needOf({ key, layer }).kind !== "sent") return "dependency";
    return this.#debtMs > (layer > 0 ? UPPER_LAYER_DEBT_MS : BASE_LAYER_DEBT_MS) ? "rate" : undefined;
  }

  get #debtMs(): number {
    return this.#msOf(this.#debt);
  }

  #msOf(bytes: number): number {
    return (bytes * 8_000) / this.#bitsPerSecond;
  }

  #drain(now: number): void {
    const passed = Math.max(0, now - this.#at);
    this.#at = now;
    this.#debt = Math.max(0, this.#debt - (passed * this.#bitsPerSecond) / 8_000);
  }
}
