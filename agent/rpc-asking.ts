import type { JsonValue } from "../codecs/canonical-json.ts";
import type { Clock } from "../codecs/clock.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import {
  MAX_DEADLINE_MS,
  METHOD_NAME,
  type RpcAnswer,
  type RpcCancel,
  type RpcRequest,
} from "./rpc-message.ts";

/** Calls of this end that may wait for an answer at once; a further one is refused. */
const OPEN_CALLS = 64;
/** How long an answer is waited for where nobody says, ms. */
const DEADLINE_MS = 10_000;

export interface RpcOptions {
  /** How long the answer is waited for, 1 to 600,000 ms. Default 10,000. */
  readonly deadlineMs?: number;
  /** Takes the call back: it rejects with `rpc-cancelled`, and the handler at the other end is told. */
  readonly signal?: AbortSignal;
}

/** What became of the calls of this end. */
export interface RpcAskedCounters {
  readonly asked: number;
  readonly answered: number;
  /** Answered with an error. */
  readonly failed: number;
  readonly timedOut: number;
  readonly cancelled: number;
  readonly open: number;
  /** Answers that came when nobody waited any more. */
  readonly late: number;
  /** Answers to calls that were never made. */
  readonly strays: number;
}

interface OpenCall {
  /** What it was asked over, as soon as it has gone: its answer comes there. */
  way: object | undefined;
  readonly settle: (outcome: { readonly result: JsonValue } | { readonly error: ParleyError }) => void;
}

/** The calls of this end: each is answered once, or fails at its deadline. */
export class RpcAsking {
  readonly #clock: Clock;
  readonly #send: (message: RpcRequest | RpcCancel) => Promise<object>;
  readonly #open = new Map<number, OpenCall>();
  readonly #first: number;
  #next: number;
  #isOver = false;
  readonly #counted = { answered: 0, failed: 0, timedOut: 0, cancelled: 0, late: 0, strays: 0 };

  /** `first`: number of the first call; another one in each process, so that none answers for the one before. */
  constructor(options: {
    readonly clock: Clock;
    readonly first: number;
    /** Resolves with what it went over. */
    readonly send: (message: RpcRequest | RpcCancel) => Promise<object>;
  }) {
    this.#clock = options.clock;
    this.#send = options.send;
    this.#first = options.first;
    this.#next = options.first;
  }

  get counters(): RpcAskedCounters {
    return { ...this.#counted, asked: this.#next - this.#first, open: this.#open.size };
  }

  /** Resolves with what the other end answers. See `Call.rpc`. */
  async ask(method: string, params: unknown, options: RpcOptions = {}): Promise<JsonValue> {
    const { deadlineMs = DEADLINE_MS, signal } = options;
    this.#check(method, deadlineMs, signal);
    const id = this.#next++;
    const outcome = Promise.withResolvers<JsonValue>();
    const due = Math.ceil(deadlineMs);
    const cancelTimer = this.#clock.at(this.#clock.now() + due, () =>
      this.#giveUp(id, timedOut(method, due)),
    );
    const abort = () => this.#giveUp(id, cancelled());
    signal?.addEventListener("abort", abort, { once: true });
    const call: OpenCall = {
      way: undefined,
      settle: (settled) => {
        this.#open.delete(id);
        cancelTimer();
        signal?.removeEventListener("abort", abort);
        if ("error" in settled) outcome.reject(settled.error);
        else outcome.resolve(settled.result);
      },
    };
    this.#open.set(id, call);
    const request = { call: id, method, params: (params ?? null) as JsonValue, deadline_ms: due };
    this.#send(request).then(
      (way) => {
        call.way = way;
      },
      (error: unknown) => this.#open.get(id)?.settle({ error: asParleyError(error) }),
    );
    return await outcome.promise;
  }

  /** An answer of the other end. */
  take({ answer, result, error }: RpcAnswer): void {
    const call = this.#open.get(answer);
    if (call === undefined) {
      const wasMade = answer >= this.#first && answer < this.#next;
      this.#counted[wasMade ? "late" : "strays"] += 1;
    } else if (error === undefined) {
      this.#counted.answered += 1;
      call.settle({ result: result ?? null });
    } else {
      this.#counted.failed += 1;
      const { code, message, details } = error;
      const more = details === undefined ? {} : { details: { answer: details } };
      call.settle({ error: new ParleyError({ code, message, ...more }) });
    }
  }

  /** No answer can come over `way` any more: those asked there fail. Where none is named, all of them, and no call is made again. */
  cut(failure: ParleyError, way: object | undefined): void {
    this.#isOver ||= way === undefined;
    for (const call of [...this.#open.values()])
      if (way === undefined || call.way === way) call.settle({ error: failure });
  }

  #check(method: string, deadlineMs: number, signal: AbortSignal | undefined): void {
    if (this.#isOver) throw new ParleyError({ code: "closed", message: "The call has ended." });
    if (!METHOD_NAME.test(method))
      throw new ParleyError({ code: "field-invalid", message: "Not the name of a method.", at: "method" });
    if (!(deadlineMs > 0 && deadlineMs <= MAX_DEADLINE_MS))
      throw new ParleyError({ code: "field-invalid", message: "Not a deadline.", at: "deadlineMs" });
    if (signal?.aborted === true) throw cancelled();
    if (this.#open.size < OPEN_CALLS) return;
    throw new ParleyError({ code: "rpc-busy", message: `${OPEN_CALLS} calls wait for an answer.` });
  }

  #giveUp(id: number, failure: ParleyError): void {
    const call = this.#open.get(id);
    if (call === undefined) return;
    this.#counted[failure.code === "rpc-timeout" ? "timedOut" : "cancelled"] += 1;
    call.settle({ error: failure });
    // Where it does not get there the handler's own deadline stops it.
    this.#send({ cancel: id }).catch(() => undefined);
  }
}

function timedOut(method: string, ms: number): ParleyError {
  return new ParleyError({ code: "rpc-timeout", message: `No answer of ${method} in ${ms} ms.` });
}

function cancelled(): ParleyError {
  return new ParleyError({ code: "rpc-cancelled", message: "The call was taken back." });
}

function asParleyError(error: unknown): ParleyError {
  if (error instanceof ParleyError) return error;
  return new ParleyError({ code: "rpc-failed", message: "The call could not be sent." }, { cause: error });
}
