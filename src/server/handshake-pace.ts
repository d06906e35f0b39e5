import { TokenBucket } from "../../sfu/token-bucket.ts";
import type { Rate } from "../../signaling/shared-state.ts";

/** Share of its time that the event loop may be at work before handshakes give way: frames find it free six times in ten. */
export const BUSY_SHARE = 0.4;
/** Times as much that a handshake costs at most where the loop is busy: somebody always comes in. */
export const DEAREST = 5;
/** How often the loop is looked at, ms, and by what factor the cost changes each time. */
export const LOOK_MS = 100;
const STEP = 1.25;

/**
 * When handshakes may begin: so many a second, and fewer while they, what clients do once they are in, or anything else keep the event
 * loop busy. Who finds credit waits for nothing.
 */
export class HandshakePace {
  readonly #credit: TokenBucket;
  readonly #worked: () => number;
  #cost = 1;
  #look: { readonly at: number; readonly worked: number };

  /** `worked`: for how long the event loop has been at work so far, ms. */
  constructor({ perSecond, burst }: Rate, now: number, worked: () => number) {
    this.#credit = new TokenBucket(perSecond, burst, now);
    this.#worked = worked;
    this.#look = { at: now, worked: worked() };
  }

  /** Whether one may begin now. */
  has(now: number): boolean {
    return this.#credit.has(1, now);
  }

  /** One begins. */
  take(now: number): void {
    this.#weigh(now);
    this.#credit.take(this.#cost);
  }

  /** When the next one may begin, which may be in the past. */
  get nextAt(): number {
    return this.#credit.availableAt(1);
  }

  #weigh(now: number): void {
    const { at, worked } = this.#look;
    const looks = (now - at) / LOOK_MS;
    if (looks < 1) return;
    this.#look = { at: now, worked: this.#worked() };
    const isBusy = this.#look.worked - worked > BUSY_SHARE * (now - at);
    this.#cost = isBusy ? Math.min(DEAREST, this.#cost * STEP) : Math.max(1, this.#cost / STEP ** looks);
  }
}
