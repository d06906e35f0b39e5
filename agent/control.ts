import { v7 as uuidv7 } from "uuid";
import { canonicalBytes, type JsonObject, type JsonValue } from "../codecs/canonical-json.ts";
import type { Clock } from "../codecs/clock.ts";
import { Headers } from "../codecs/headers.ts";
import type { AgtpRequest, AgtpResponse } from "../codecs/message.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import type { Verifier } from "../codecs/signer.ts";
import { CLOSE_CODES, type Connection } from "../sfu/carrier.ts";
import { bodyHash, verifyRecord, ZERO_AUDIT_ID } from "../signaling/attribution.ts";
import { MEDIA_TYPE, readResponseBody, refusalFault, requestBody } from "../signaling/body.ts";
import { makeProof } from "../signaling/proof.ts";
import { openExchange } from "../transports/exchange.ts";
import { audienceOf } from "../transports/url.ts";
import type { AgentIdentity } from "./identity.ts";

/** How long one answer may take, ms, unless the request says otherwise. */
const REQUEST_TIMEOUT_MS = 10_000;

/** Sessions whose newest record is remembered, many times what an agent may be in; the one heard of longest ago goes. */
const MAX_SESSION_HEADS = 1_024;

/** A request as the agent means it; headers every request carries are added. */
export interface ControlRequest {
  readonly method: string;
  readonly path: string;
  readonly parameters?: JsonObject;
  readonly headers?: readonly (readonly [string, string])[];
  /** Adds a possession proof over method, path and parameters. */
  readonly prove?: boolean;
  /** Milliseconds until each answer; `REQUEST_TIMEOUT_MS` when absent. */
  readonly timeout?: number;
}

/** One answer: its result, and the record the server signed over it. */
export interface ControlAnswer {
  readonly status: number;
  readonly result: JsonObject;
  readonly headers: Headers;
  /** What the record says beside its usual members; empty before the server is known. */
  readonly recorded: JsonObject;
  /** More answers of the series follow. */
  readonly final: boolean;
}

/** Who the server is, once its Genesis was checked. */
export interface ServerPeer {
  readonly agentId: string;
  readonly key: Uint8Array;
}

/** Requests of one agent over one connection, each on an exchange of its own, each answer checked against the server's key. */
export class ControlChannel {
  readonly #connection: Connection;
  readonly #identity: AgentIdentity;
  readonly #clock: Clock;
  readonly #wall: () => number;
  readonly #random: (length: number) => Uint8Array;
  readonly #verifier: Verifier;
  #server: ServerPeer | undefined;
  #nonce: string | undefined;
  #lastAuditId: string = ZERO_AUDIT_ID;
  /** The newest record seen of each session; see `MAX_SESSION_HEADS`. */
  readonly #sessionHeads = new Map<string, { readonly sessionSeq: number; readonly auditId: string }>();

  constructor(options: {
    readonly connection: Connection;
    readonly identity: AgentIdentity;
    readonly clock: Clock;
    /** Unix milliseconds. */
    readonly wall: () => number;
    readonly random: (length: number) => Uint8Array;
    readonly verifier: Verifier;
  }) {
    this.#connection = options.connection;
    this.#identity = options.identity;
    this.#clock = options.clock;
    this.#wall = options.wall;
    this.#random = options.random;
    this.#verifier = options.verifier;
  }

  /** The last Audit-ID this end saw: it goes into what the end signs next. */
  get lastAuditId(): string {
    return this.#lastAuditId;
  }

  /** The newest Audit-ID this end saw of one session's own chain; without one, `lastAuditId`. */
  lastAuditIdOf(sessionId: string): string {
    return this.#sessionHeads.get(sessionId)?.auditId ?? this.#lastAuditId;
  }

  /** The server's key, raw. Throws `closed` before the server is known. */
  get serverKey(): Uint8Array {
    if (this.#server !== undefined) return this.#server.key;
    throw new ParleyError({ code: "closed", message: "The server is not known yet." });
  }

  /** From here on every answer's record must be signed by this server. */
  trust(server: ServerPeer): void {
    this.#server = server;
  }

  /** The nonce this connection's proofs answer. */
  useNonce(nonce: string): void {
    this.#nonce = nonce;
  }

  freshId(): string {
    return uuidv7({ msecs: Math.floor(this.#wall()), random: this.#random(16) });
  }

  /** Sends a request and returns its one answer. Throws the refusal as `ParleyError`. */
  async request(request: ControlRequest): Promise<ControlAnswer> {
    for await (const answer of this.series(request)) {
      if (answer.final) return answer;
    }
    throw new ParleyError({
      code: "connection-lost",
      message: `${request.method} ${request.path} got no answer.`,
    });
  }

  /** Sends a request and yields every answer of its series. Throws the refusal as `ParleyError`. */
  async *series(request: ControlRequest): AsyncGenerator<ControlAnswer, void, undefined> {
    const message = await this.#message(request);
    const exchange = openExchange(await this.#connection.openExchange(), message);
    const answers = exchange[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await this.#timed(answers.next(), request);
        if (next.done === true) return;
        const answer = this.#read(next.value, request, message);
        yield answer;
        if (answer.final) return;
      }
    } finally {
      exchange.cancel(CLOSE_CODES.normal);
    }
  }

  async #message(request: ControlRequest): Promise<AgtpRequest> {
    const parameters: Record<string, JsonValue> = { ...request.parameters };
    if (request.prove === true) parameters.proof = await this.#proof(request, parameters);
    const headers = new Headers([
      ["Agent-ID", this.#identity.agentId],
      ["Request-ID", this.freshId()],
    ]);
    for (const [name, value] of request.headers ?? []) headers.append(name, value);
    const hasBody = Object.keys(parameters).length > 0;
    if (hasBody) headers.append("Content-Type", MEDIA_TYPE.base);
    return {
      dialect: "base",
      method: request.method,
      path: request.path,
      query: new Map(),
      headers,
      body: hasBody ? canonicalBytes(requestBody({ method: request.method, parameters })) : new Uint8Array(0),
    };
  }

  async #proof(request: ControlRequest, parameters: JsonObject): Promise<string> {
    if (this.#nonce === undefined) {
      throw new ParleyError({
        code: "proof-required",
        message: "The server has given this connection no nonce yet.",
      });
    }
    return await makeProof(
      {
        agentId: this.#identity.agentId,
        method: request.method,
        path: request.path,
        parameters,
        nonce: this.#nonce,
        audience: audienceOf(this.#connection.url),
        certificateHash: this.#connection.pinned,
        jti: this.freshId(),
        now: this.#wall(),
      },
      this.#identity.signer,
    );
  }

  async #timed<Answer>(answer: Promise<Answer>, request: ControlRequest): Promise<Answer> {
    const timeout = request.timeout ?? REQUEST_TIMEOUT_MS;
    let cancel = () => {};
    const expired = new Promise<never>((_, reject) => {
      cancel = this.#clock.at(this.#clock.now() + timeout, () =>
        reject(
          new ParleyError({
            code: "request-timeout",
            message: `${request.method} ${request.path} got no answer in ${timeout} ms.`,
          }),
        ),
      );
    });
    try {
      return await Promise.race([answer, expired]);
    } finally {
      cancel();
    }
  }

  #read(response: AgtpResponse, request: ControlRequest, message: AgtpRequest): ControlAnswer {
    const recorded = this.#checkRecord(response, message);
    const read = readResponseBody(response);
    if (!read.ok) throw new ParleyError(read.fault);
    const { status, result, final } = read.value;
    const refused = refusalFault(read.value);
    if (refused !== undefined) {
      throw new ParleyError({ ...refused, message: `${request.method} ${request.path}: ${refused.message}` });
    }
    return { status, result, headers: response.headers, recorded, final };
  }

  /** The answer's Attribution-Record must be the server's, hash to its Audit-ID, and be of this answer to this request. */
  #checkRecord(response: AgtpResponse, message: AgtpRequest): JsonObject {
    const auditId = response.headers.get("Audit-ID");
    const jws = response.headers.get("Attribution-Record");
    if (this.#server === undefined) {
      if (auditId !== undefined) this.#lastAuditId = auditId;
      return {};
    }
    const record = jws === undefined ? undefined : verifyRecord(jws, this.#server.key, this.#verifier);
    const isOfThis =
      record?.ok === true &&
      record.value.auditId === auditId &&
      record.value.payload.status === response.status &&
      record.value.payload.request_id === message.headers.get("Request-ID") &&
      record.value.payload.result_hash === bodyHash(response.body);
    if (!isOfThis) {
      throw new ParleyError({
        code: "signature-invalid",
        message: "The answer carries no record that the server signed.",
        at: "Attribution-Record",
      });
    }
    this.#lastAuditId = auditId;
    const { session_id: sessionId, session_seq: sessionSeq, extra = {} } = record.value.payload;
    if (sessionId !== undefined && sessionSeq !== undefined) this.#noteHead(sessionId, sessionSeq, auditId);
    return extra;
  }

  #noteHead(sessionId: string, sessionSeq: number, auditId: string): void {
    const known = this.#sessionHeads.get(sessionId);
    if (known !== undefined && known.sessionSeq >= sessionSeq) return;
    // Deleted first, so that the map stays in order of what was heard of last.
    this.#sessionHeads.delete(sessionId);
    this.#sessionHeads.set(sessionId, { sessionSeq, auditId });
    if (this.#sessionHeads.size <= MAX_SESSION_HEADS) return;
    for (const oldest of this.#sessionHeads.keys()) {
      this.#sessionHeads.delete(oldest);
      return;
    }
  }
}
