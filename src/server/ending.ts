import { ParleyError } from "../../codecs/parley-error.ts";
import type { EventLog } from "./event-log.ts";

/** How the server ends: once, and with the first error if any. */
export class Ending {
  readonly promise: Promise<ParleyError | undefined>;
  /** Resolves when something fails. */
  readonly failed: Promise<void>;
  readonly #events: EventLog;
  readonly #resolve: (error: ParleyError | undefined) => void;
  readonly #fail: () => void;
  #error: ParleyError | undefined;
  #whenFailing: (() => Promise<void>) | undefined;
  #isOver = false;

  constructor(events: EventLog) {
    const over = Promise.withResolvers<ParleyError | undefined>();
    const failed = Promise.withResolvers<void>();
    this.#events = events;
    this.promise = over.promise;
    this.failed = failed.promise;
    this.#resolve = over.resolve;
    this.#fail = failed.resolve;
  }

  /** Why the server takes nobody any more, if so. */
  get unready(): string | undefined {
    return this.#error === undefined ? undefined : "The server has failed.";
  }

  fail(error: unknown): void {
    if (this.#error !== undefined || this.#isOver) return;
    this.#error =
      error instanceof ParleyError
        ? error
        : new ParleyError({ code: "server-error", message: String(error) }, { cause: error });
    this.#events.log("error", "server-failed", { code: this.#error.code, error: this.#error.message });
    this.#fail();
    void this.#whenFailing?.();
  }

  /** `close` must not reject. */
  whenFailing(close: () => Promise<void>): void {
    this.#whenFailing = close;
    if (this.#error !== undefined) void close();
  }

  end(): void {
    this.#isOver = true;
    this.#resolve(this.#error);
  }
}
