import type { Clock } from "../codecs/clock.ts";
import { ParleyError } from "../codecs/parley-error.ts";

/** Milliseconds an opening waits for the peer to allow another stream. */
export const OPEN_TIMEOUT = 5_000;
/** Openings that may wait at once on one connection; one more is refused with `capacity`. */
export const MAX_WAITING_OPENS = 64;

interface Waiter<T> {
  resolve(stream: T): void;
  reject(error: unknown): void;
  cancel(): void;
}

/**
 * Opens streams where the carrier blocks without a limit once the peer has about 100 unfinished ones.
 * An opening the carrier grants too late goes to the next caller instead of being lost.
 * @internal
 */
export class StreamOpener<T> {
  readonly #clock: Clock;
  readonly #open: () => Promise<T>;
  readonly #timeout: number;
  readonly #waiting: Waiter<T>[] = [];
  /** Granted after their callers gave up; never more than `MAX_WAITING_OPENS`. */
  readonly #spare: T[] = [];
  #underway = 0;

  constructor(clock: Clock, open: () => Promise<T>, timeout: number = OPEN_TIMEOUT) {
    this.#clock = clock;
    this.#open = open;
    this.#timeout = timeout;
  }

  /** The next stream. Throws `capacity` when the peer allows none in time; what the carrier throws goes through. */
  next(): Promise<T> {
    const spare = this.#spare.shift();
    if (spare !== undefined) return Promise.resolve(spare);
    if (this.#waiting.length >= MAX_WAITING_OPENS)
      return Promise.reject(noRoom("too many openings wait already"));
    return new Promise<T>((resolve, reject) => {
      const waiter: Waiter<T> = {
        resolve,
        reject,
        cancel: this.#clock.at(this.#clock.now() + this.#timeout, () => {
          this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
          reject(noRoom(`the peer allowed no further stream within ${this.#timeout} ms`));
        }),
      };
      this.#waiting.push(waiter);
      if (this.#underway < this.#waiting.length) this.#launch();
    });
  }

  /** Refuses everyone who waits: the connection is over. */
  fail(error: unknown): void {
    for (const waiter of this.#waiting.splice(0)) {
      waiter.cancel();
      waiter.reject(error);
    }
  }

  #launch(): void {
    this.#underway++;
    this.#open().then(
      (stream) => {
        this.#underway--;
        const waiter = this.#waiting.shift();
        if (waiter === undefined) this.#spare.push(stream);
        else {
          waiter.cancel();
          waiter.resolve(stream);
        }
      },
      (error: unknown) => {
        this.#underway--;
        const waiter = this.#waiting.shift();
        waiter?.cancel();
        waiter?.reject(error);
      },
    );
  }
}

function noRoom(why: string): ParleyError {
  return new ParleyError({ code: "capacity", message: `No stream could be opened: ${why}.` });
}
