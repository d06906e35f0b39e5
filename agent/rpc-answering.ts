import type { JsonValue } from "../codecs/canonical-json.ts";
import type { Clock } from "../codecs/clock.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import {
  MAX_RPC_TEXT,
  METHOD_NAME,
  type RpcAnswer,
  type RpcFailure,
  type RpcRequest,
} from "./rpc-message.ts";

/** Handlers that may run at once for the other end; a further request is answered `rpc-busy`. */
const RUNNING_HANDLERS = 64;
/** How long a request of an unknown method waits for its handler when the call has just begun, ms. */
const FIRST_HANDLERS_MS = 1_000;

/** What a handler is told besides what it is asked. */
export interface RpcRequestContext {
  /** Agent-ID of who asks: it signed the request. */
  readonly caller: string;
  /** Aborts when nobody waits for the answer any more: the deadline came, the other end took the request back, or the call ended. */
  readonly signal: AbortSignal;
  /** When the answer is due, monotonic milliseconds of this end's platform. */
  readonly deadline: number;
}

/**
 * Answers one request: what it returns, any JSON value, is the answer. A `ParleyError` with code `rpc-failed` that it throws is told the other end, its message
 * and `details` included; of anything else that it throws, only that it failed.
 */
export type RpcHandler = (params: JsonValue, request: RpcRequestContext) => unknown;

/** What became of the requests of the other end. */
export interface RpcHandledCounters {
  readonly handled: number;
  /** Answered with an error, by code. */
  readonly failed: Readonly<Record<RpcFailure, number>>;
  /** Not answered: the deadline came, or the other end took the request back. */
  readonly abandoned: number;
  /** Requests with the number of one that is open. */
  readonly repeated: number;
  readonly running: number;
}

interface Running {
  readonly way: RpcWay;
  readonly abort: AbortController;
  readonly cancelTimer: () => void;
  /** Nobody waits for the answer any more. */
  isAbandoned: boolean;
}

/** What a request came over: its answer goes there. */
export interface RpcWay {
  send(answer: RpcAnswer): Promise<unknown>;
}

/** The requests of the other end: each has its handler run, and is answered while somebody waits. */
export class RpcAnswering {
  readonly #clock: Clock;
  readonly #report: (error: unknown) => void;
  readonly #handlers = new Map<string, RpcHandler>();
  readonly #running = new Map<number, Running>();
  readonly #begun: number;
  #handlerCame = Promise.withResolvers<void>();
  #isOver = false;
  readonly #counted = { handled: 0, abandoned: 0, repeated: 0 };
  readonly #failed: Record<RpcFailure, number> = { "rpc-unknown-method": 0, "rpc-busy": 0, "rpc-failed": 0 };

  /** `report` takes what handlers throw and nobody is told. */
  constructor(options: { readonly clock: Clock; readonly report: (error: unknown) => void }) {
    this.#clock = options.clock;
    this.#report = options.report;
    this.#begun = options.clock.now();
  }

  get counters(): RpcHandledCounters {
    return { ...this.#counted, failed: { ...this.#failed }, running: this.#running.size };
  }

  /** `handler` answers requests of `method` from now on, in place of the one before; the returned function takes it away. Throws `field-invalid`. */
  handle(method: string, handler: RpcHandler): () => void {
    if (!METHOD_NAME.test(method))
      throw new ParleyError({ code: "field-invalid", message: "Not the name of a method.", at: "method" });
    this.#handlers.set(method, handler);
    this.#handlerCame.resolve();
    this.#handlerCame = Promise.withResolvers<void>();
    return () => {
      if (this.#handlers.get(method) === handler) this.#handlers.delete(method);
    };
  }

  /**
   * A request of the other end, sent `age` milliseconds ago. Resolves when the next one may be taken: a refusal is on its way then, so that who asks too much
   * waits.
   */
  async take(request: RpcRequest, caller: string, age: number, way: RpcWay): Promise<void> {
    if (this.#isOver) return;
    if (this.#running.has(request.call)) {
      this.#counted.repeated += 1;
      return;
    }
    const left = request.deadline_ms - age;
    if (left <= 0) {
      this.#counted.abandoned += 1;
      return;
    }
    if (this.#running.size >= RUNNING_HANDLERS) {
      await this.#refuse(request.call, "rpc-busy", "Too many requests are being answered.", way);
      return;
    }
    void this.#run(request, caller, left, way);
  }

  /** The other end wants no answer to this any more. */
  cancel(call: number): void {
    this.#abandon(this.#running.get(call), "rpc-cancelled", "The other end took the request back.");
  }

  /** Nobody waits any more for what was asked over `way`: what runs for it is told. Where none is named, the call is over, and nothing is taken any more. */
  cut(way: RpcWay | undefined): void {
    this.#isOver ||= way === undefined;
    for (const running of this.#running.values())
      if (way === undefined || running.way === way)
        this.#abandon(running, "closed", "The stream of the request, or its call, has ended.");
  }

  async #run(request: RpcRequest, caller: string, left: number, way: RpcWay): Promise<void> {
    const deadline = this.#clock.now() + left;
    const abort = new AbortController();
    const cancelTimer = this.#clock.at(deadline, () =>
      this.#abandon(running, "rpc-timeout", "The deadline of the request came."),
    );
    const running: Running = { way, abort, cancelTimer, isAbandoned: false };
    this.#running.set(request.call, running);
    try {
      const handler = await this.#handlerOf(request.method, abort.signal);
      if (running.isAbandoned) return;
      if (handler === undefined) {
        await this.#refuse(request.call, "rpc-unknown-method", `No method ${request.method} here.`, way);
        return;
      }
      const result = await handler(request.params, { caller, signal: abort.signal, deadline });
      if (running.isAbandoned) return;
      await way.send({ answer: request.call, result: (result ?? null) as JsonValue });
      this.#counted.handled += 1;
    } catch (error) {
      if (!running.isAbandoned) await this.#fail(request.call, error, way);
    } finally {
      cancelTimer();
      this.#running.delete(request.call);
    }
  }

  /** Who has just taken a call may set its handlers a moment after the first request. */
  async #handlerOf(method: string, signal: AbortSignal): Promise<RpcHandler | undefined> {
    const until = this.#begun + FIRST_HANDLERS_MS;
    while (!this.#handlers.has(method) && this.#clock.now() < until && !signal.aborted) {
      const late = Promise.withResolvers<void>();
      const cancel = this.#clock.at(until, () => late.resolve());
      signal.addEventListener("abort", () => late.resolve(), { once: true });
      await Promise.race([this.#handlerCame.promise, late.promise]);
      cancel();
    }
    return this.#handlers.get(method);
  }

  async #fail(call: number, error: unknown, way: RpcWay): Promise<void> {
    if (!(error instanceof ParleyError)) {
      this.#report(error);
      await this.#refuse(call, "rpc-failed", "The handler failed.", way);
      return;
    }
    // Nothing can be answered when it is the stream that failed.
    if (error.code === "closed" || error.code === "data-stalled") return;
    const isTold = error.code === "rpc-failed";
    if (!isTold) this.#report(error);
    const message = isTold
      ? error.message.toWellFormed().slice(0, MAX_RPC_TEXT).toWellFormed()
      : "The handler failed.";
    const details =
      isTold && Object.keys(error.details).length > 0 ? (error.details as JsonValue) : undefined;
    await this.#refuse(call, "rpc-failed", message, way, details);
  }

  async #refuse(
    call: number,
    code: RpcFailure,
    message: string,
    way: RpcWay,
    details?: JsonValue,
  ): Promise<void> {
    this.#failed[code] += 1;
    const more = details === undefined ? {} : { details };
    try {
      await way.send({ answer: call, error: { code, message, ...more } });
    } catch (error) {
      if (details !== undefined) await this.#refuse(call, code, message, way);
      else if (!(error instanceof ParleyError)) throw error;
    }
  }

  #abandon(
    running: Running | undefined,
    code: "rpc-cancelled" | "rpc-timeout" | "closed",
    message: string,
  ): void {
    if (running === undefined || running.isAbandoned) return;
    running.isAbandoned = true;
    running.cancelTimer();
    this.#counted.abandoned += 1;
    running.abort.abort(new ParleyError({ code, message }));
  }
}
