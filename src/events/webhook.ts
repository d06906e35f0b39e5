import { backOffDelay } from "../../agent/back-off.ts";
import type { Clock } from "../../codecs/clock.ts";
import type { EventFeed } from "./event-feed.ts";

/** Events in one request. */
export const EVENTS_PER_REQUEST = 64;
/** Waits after failures: at most this long at first, doubled each time, never longer than five minutes. */
const BACK_OFF = { firstDelay: 1_000, maxDelay: 300_000 };

/** What one webhook has done so far. */
export interface WebhookCounts {
  /** Requests that were taken, and those that were not. */
  delivered: number;
  failed: number;
}

export interface WebhookOptions {
  readonly feed: EventFeed;
  /** `seq` of the last event its receiver has taken. */
  readonly cursor: number;
  /** Keeps the cursor: it may be called again with what was kept before, never with less. */
  readonly keep: (cursor: number) => Promise<void>;
  /** Sends the body and gives the HTTP status; rejects where there is none. */
  readonly post: (body: string, signal: AbortSignal) => Promise<number>;
  readonly clock: Clock;
  readonly random: (length: number) => Uint8Array;
  /** Told of each failure: the status or error, how many in a row, and when it is tried again. */
  readonly failed: (failure: {
    readonly why: string;
    readonly inARow: number;
    readonly retryInMs: number;
  }) => void;
}

/**
 * Tells one receiver what happens, in order and at least once: the log is the queue, so nothing is dropped however long the
 * receiver is away. One request at a time; a status from 200 to 299 takes the events for good.
 */
export class Webhook {
  readonly counts: WebhookCounts = { delivered: 0, failed: 0 };
  readonly #options: WebhookOptions;
  readonly #stopping = new AbortController();
  #cursor: number;
  #running: Promise<void> | undefined;
  #isWoken = false;
  #failures = 0;
  #cancelRetry: () => void = () => {};
  #isWaiting = false;

  constructor(options: WebhookOptions) {
    this.#options = options;
    this.#cursor = options.cursor;
  }

  /** `seq` of the last event its receiver has taken. */
  get cursor(): number {
    return this.#cursor;
  }

  /** There may be news. */
  wake(): void {
    if (this.#stopping.signal.aborted || this.#isWaiting) return;
    this.#isWoken = true;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
      if (this.#isWoken) this.wake();
    });
  }

  /** Breaks off what is under way; the next start goes on behind the cursor that was kept. */
  async close(): Promise<void> {
    this.#stopping.abort();
    this.#cancelRetry();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { feed, post, keep } = this.#options;
    this.#isWoken = false;
    while (!this.#stopping.signal.aborted) {
      try {
        const { events, last } = feed.page(this.#cursor, EVENTS_PER_REQUEST);
        if (last === this.#cursor) return;
        const status =
          events.length === 0 ? 204 : await post(JSON.stringify({ events }), this.#stopping.signal);
        if (status < 200 || status > 299) throw new Error(`status ${status}`);
        this.#cursor = last;
        this.#failures = 0;
        this.counts.delivered += 1;
        await keep(last);
      } catch (error) {
        if (!this.#stopping.signal.aborted) this.#retryLater(error);
        return;
      }
    }
  }

  #retryLater(error: unknown): void {
    const { clock, random, failed } = this.#options;
    const retryInMs = backOffDelay(this.#failures, BACK_OFF, random);
    this.#failures += 1;
    this.counts.failed += 1;
    this.#isWaiting = true;
    this.#isWoken = false;
    this.#cancelRetry = clock.at(clock.now() + retryInMs, () => {
      this.#isWaiting = false;
      this.wake();
    });
    const why = error instanceof Error ? causeOf(error) : String(error);
    failed({ why, inARow: this.#failures, retryInMs });
  }
}

/** `fetch` says "fetch failed" and keeps the reason behind it. */
function causeOf(error: Error): string {
  return error.cause instanceof Error ? error.cause.message : error.message;
}
