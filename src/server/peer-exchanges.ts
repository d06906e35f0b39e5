import type { Clock } from "../../codecs/clock.ts";
import type { AgtpRequest, AgtpResponse } from "../../codecs/message.ts";
import { type Result, refuse } from "../../codecs/result.ts";
import { CLOSE_CODES, type DuplexStream } from "../../sfu/carrier.ts";
import type { ConnectionId } from "../../signaling/admission.ts";
import type { AccessGrant } from "../../signaling/authority.ts";
import type { ExchangeId, SwitchboardInput, SwitchboardOutput } from "../../signaling/switchboard/io.ts";
import { Responder, receiveExchange } from "../../transports/exchange.ts";
import { mayBringToken } from "../tokens/presented-token.ts";
import type { RequestTurns } from "./request-turns.ts";

/** How long a client may take over sending one request, ms. */
const REQUEST_READ_MS = 10_000;
/** Exchanges one connection may have open; further ones are broken off. */
export const MAX_EXCHANGES = 128;
/**
 * How long an answer 429 is held back, ms. It keeps its place among the open exchanges, and where answers come in order those behind it
 * wait as well: who asks too much is heard no faster than it may ask, and everybody else is served meanwhile.
 */
export const HELD_BACK_MS = 250;

/** The exchanges of one connection: reads their requests, writes their answers, and knows which are still open. */
export class PeerExchanges {
  readonly #connection: ConnectionId;
  readonly #clock: Clock;
  readonly #nextId: () => ExchangeId;
  readonly #judgeToken: (request: AgtpRequest) => Promise<Result<AccessGrant> | undefined>;
  readonly #turns: RequestTurns;
  readonly #input: (input: SwitchboardInput) => void;
  /** `undefined` while the request is being read. */
  readonly #open = new Map<ExchangeId, Responder | undefined>();
  #answered: Promise<unknown> = Promise.resolve();
  #isOver = false;

  constructor(options: {
    readonly connection: ConnectionId;
    readonly clock: Clock;
    readonly nextId: () => ExchangeId;
    /** What the access token of a request grants; `undefined` for a request without. Must not reject. */
    readonly judgeToken: (request: AgtpRequest) => Promise<Result<AccessGrant> | undefined>;
    /** When requests are handed in. */
    readonly turns: RequestTurns;
    /** Takes requests, and what became of answers. Must not throw. */
    readonly input: (input: SwitchboardInput) => void;
  }) {
    this.#connection = options.connection;
    this.#clock = options.clock;
    this.#nextId = options.nextId;
    this.#judgeToken = options.judgeToken;
    this.#turns = options.turns;
    this.#input = options.input;
  }

  /** Exchanges that are neither answered nor broken off. */
  get size(): number {
    return this.#open.size;
  }

  /** Resolves when the carrier took the answers handed over so far, or never will. */
  get answered(): Promise<unknown> {
    return this.#answered;
  }

  /** Reads the request of an exchange the client opened and hands it in. */
  async read(stream: DuplexStream): Promise<void> {
    if (this.#isOver || this.#open.size >= MAX_EXCHANGES) {
      stream.receive.stop(CLOSE_CODES.overloaded);
      stream.send.reset(CLOSE_CODES.overloaded);
      return;
    }
    const exchange = this.#nextId();
    this.#open.set(exchange, undefined);
    const input = await this.#receive(exchange, stream);
    if (input === undefined) return;
    this.#turns.take(() => {
      if (!this.#isOver) this.#input(input);
    });
  }

  /** Judges the token of a request that was counted, and hands the request in once more. */
  async judge({ kind: _, ...asked }: Extract<SwitchboardOutput, { kind: "token-wanted" }>): Promise<void> {
    const token = await this.#judgeToken(asked.request);
    if (this.#isOver) return;
    this.#input({ kind: "request", ...asked, ...(token === undefined ? {} : { token }), isCounted: true });
  }

  /** Sends an answer once `durable` resolves, and tells what became of it. Nothing for an exchange that is not open. */
  respond(exchange: ExchangeId, response: AgtpResponse, final: boolean, durable: Promise<void>): void {
    const responder = this.#open.get(exchange);
    if (responder === undefined) return;
    const connection = this.#connection;
    const due = response.status === RATE_LIMITED ? Promise.all([durable, this.#heldBack()]) : durable;
    const sent = due
      .then(() => responder.respond(response, final))
      .then(
        () => {
          if (final) this.#open.delete(exchange);
          else if (this.#open.has(exchange)) this.#input({ kind: "taken", connection, exchange });
        },
        () => {
          responder.abandon(CLOSE_CODES.normal);
          if (this.#open.delete(exchange)) this.#input({ kind: "abandoned", connection, exchange });
        },
      );
    // Without the `then`, every answer's result would hang on to all before it.
    this.#answered = Promise.all([this.#answered, sent]).then(() => undefined);
  }

  /** The connection is over: nothing is told any more. */
  end(): void {
    this.#isOver = true;
    this.#open.clear();
  }

  #heldBack(): Promise<void> {
    return new Promise((resolve) => this.#clock.at(this.#clock.now() + HELD_BACK_MS, resolve));
  }

  async #receive(exchange: ExchangeId, stream: DuplexStream): Promise<SwitchboardInput | undefined> {
    const connection = this.#connection;
    let isLate = false;
    const cancel = this.#clock.at(this.#clock.now() + REQUEST_READ_MS, () => {
      isLate = true;
      stream.receive.stop(CLOSE_CODES.livenessTimeout);
    });
    try {
      const { responder, request, ...unread } = await receiveExchange(stream);
      this.#answerable(exchange, responder);
      if (request !== undefined) {
        const input = { kind: "request", connection, exchange, request } as const;
        return mayBringToken(request) ? { ...input, token: "unjudged" } : input;
      }
      const { fault, dialect } = unread as Extract<typeof unread, { readonly dialect: unknown }>;
      return { kind: "malformed", connection, exchange, fault, dialect };
    } catch {
      if (isLate) {
        const late = `The request was not there within ${REQUEST_READ_MS / 1000} s.`;
        const { fault } = refuse("request-timeout", late);
        this.#answerable(exchange, new Responder(stream));
        return { kind: "malformed", connection, exchange, fault, dialect: "base" };
      }
      // The stream broke before it was a request: nothing was asked.
      this.#open.delete(exchange);
      stream.send.reset(CLOSE_CODES.livenessTimeout);
      return undefined;
    } finally {
      cancel();
    }
  }

  #answerable(exchange: ExchangeId, responder: Responder): void {
    if (!this.#isOver) this.#open.set(exchange, responder);
  }
}

const RATE_LIMITED = 429;
