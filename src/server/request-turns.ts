import type { Clock } from "../../codecs/clock.ts";

/** How long requests are worked on before whatever else came has its turn, ms: what a frame may have to wait for them. */
export const REQUESTS_MS = 2;

/**
 * Requests in the order in which they came, so many each turn of the event loop: where hundreds come at once, frames that come meanwhile go
 * between them. Each connection has a bounded number waiting, since those are exchanges it has open.
 */
export class RequestTurns {
  readonly #clock: Clock;
  readonly #waiting: (() => void)[] = [];
  #spent = 0;
  #isCounting = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Does it now, or when those before it are done. */
  take(request: () => void): void {
    this.#waiting.push(request);
    if (this.#waiting.length === 1) this.#work();
  }

  #work(): void {
    while (this.#spent < REQUESTS_MS) {
      const request = this.#waiting[0];
      if (request === undefined) return;
      if (!this.#isCounting) {
        this.#isCounting = true;
        setImmediate(() => this.#turn());
      }
      const from = this.#clock.now();
      try {
        request();
      } finally {
        this.#spent += this.#clock.now() - from;
        this.#waiting.shift();
      }
    }
  }

  #turn(): void {
    this.#isCounting = false;
    this.#spent = 0;
    this.#work();
  }
}
