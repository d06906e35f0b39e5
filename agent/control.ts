import { v7 as uuidv7 } from "uuid";
import { canonicalBytes, type JsonObject, type JsonValue } from "../codecs/canonical-json.ts";
import type { Clock } from "../codecs/clock.ts";
import { Headers } from "../codecs/headers.ts";
import type { AgtpRequest, AgtpResponse } from "../codecs/message.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import type { Verifier } from "../codecs/signer.ts";
import {
  CLOSE_CODES,
  type Connection,
  type ConnectionHandlers,
  type DuplexStream,
  type MediaDoor,
} from "../sfu/carrier.ts";
import { MEDIA_TYPE, readResponseBody, refusalFault, requestBody } from "../signaling/body.ts";
import { makeProof } from "../signaling/proof.ts";
import { openExchange } from "../transports/exchange.ts";
import { audienceOf } from "../transports/url.ts";
import type { AccessTokens } from "./access-tokens.ts";
import { AnswerRecords, type ServerPeer } from "./answer-records.ts";
import type { AgentIdentity } from "./identity.ts";

/** How long one answer may take, ms, unless the request says otherwise. */
const REQUEST_TIMEOUT_MS = 10_000;

/** Paths of one session and of what is below it. */
const SESSION_PATH = /^\/sessions\/([^/]+)/;

/** A request as the agent means it; headers every request carries are added. */
export interface ControlRequest {
  readonly method: string;
  readonly path: string;
  readonly parameters?: JsonObject;
  readonly headers?: readonly (readonly [string, string])[];
  /** Adds a possession proof over method, path and parameters. Where each exchange has a TLS connection for itself, all do. */
  readonly prove?: boolean;
  /** An access token to bring, where the method itself takes none. */
  readonly token?: string;
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

/** A connection that the server lets a call's media flow on, and what it answered. */
export interface OpenedMedia {
  readonly answer: ControlAnswer;
  readonly connection: Connection;
}

/** Requests of one agent over one connection, each on an exchange of its own, each answer checked against the server's key. */
export class ControlChannel {
  readonly #connection: Connection;
  readonly #identity: AgentIdentity;
  readonly #clock: Clock;
  readonly #wall: () => number;
  readonly #random: (length: number) => Uint8Array;
  readonly #records: AnswerRecords;
  readonly #tokens: AccessTokens | undefined;
  #nonce: string | undefined;
  #isKnown = false;
  /** The certificate shown in the handshake stands for proofs. */
  #isCertified = false;

  constructor(options: {
    readonly connection: Connection;
    readonly identity: AgentIdentity;
    readonly clock: Clock;
    /** Unix milliseconds. */
    readonly wall: () => number;
    readonly random: (length: number) => Uint8Array;
    readonly verifier: Verifier;
    readonly tokens?: AccessTokens | undefined;
  }) {
    this.#connection = options.connection;
    this.#identity = options.identity;
    this.#clock = options.clock;
    this.#wall = options.wall;
    this.#random = options.random;
    this.#tokens = options.tokens;
    this.#records = new AnswerRecords(options.verifier);
  }

  /** The last Audit-ID this end saw: it goes into what the end signs next. */
  get lastAuditId(): string {
    return this.#records.lastAuditId;
  }

  /** The newest Audit-ID this end saw of one session's own chain; without one, `lastAuditId`. */
  lastAuditIdOf(sessionId: string): string {
    return this.#records.lastAuditIdOf(sessionId);
  }

  /** The newest Audit-ID of one session's own chain that this connection brought. */
  sessionHead(sessionId: string): string | undefined {
    return this.#records.sessionHead(sessionId);
  }

  /** The server's key, raw. Throws `closed` before the server is known. */
  get serverKey(): Uint8Array {
    return this.#records.serverKey;
  }

  /** From here on every answer's record must be signed by this server. */
  trust(server: ServerPeer): void {
    this.#records.trust(server);
  }

  /** The nonce this connection's proofs answer. */
  useNonce(nonce: string): void {
    this.#nonce = nonce;
  }

  /** The server takes this side's certificate for it: no request needs a proof. */
  becomeCertified(): void {
    this.#isCertified = true;
  }

  /** The server knows this agent: requests on TLS connections of their own need no documents to prove whose they are. */
  becomeKnown(): void {
    this.#isKnown = true;
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
    const { tokens, token } = await this.#tokenFor(request);
    if (token === undefined) {
      yield* this.#series(request);
      return;
    }
    try {
      yield* this.#series({ ...request, token });
    } catch (error) {
      const isOver = error instanceof ParleyError && error.code === "token-expired";
      if (!isOver || tokens?.expired(token) !== true) throw error;
      // The server's clock decides; nothing of the series has come yet.
      yield* this.#series({ ...request, token: await tokens.present() });
    }
  }

  async #tokenFor({ method, token }: ControlRequest) {
    const tokens = this.#tokens;
    return { tokens, token: token ?? (await tokens?.forRequest(method)) };
  }

  async *#series(request: ControlRequest): AsyncGenerator<ControlAnswer, void, undefined> {
    const { stream, message } = await this.#open(request);
    const exchange = openExchange(stream, message);
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

  /** Opens a connection for media with this request. Throws the refusal, and as `MediaDoor.open` does. */
  async openMedia(
    door: MediaDoor,
    request: ControlRequest,
    handlers: (connection: Connection) => ConnectionHandlers,
  ): Promise<OpenedMedia> {
    const sent = Promise.withResolvers<AgtpRequest>();
    const { token } = await this.#tokenFor(request);
    const dialled = door.open(async (channelBinding) => {
      const bringing = token === undefined ? request : { ...request, token };
      const message = await this.#message(bringing, channelBinding);
      sent.resolve(message);
      return message;
    }, handlers);
    const opening = await this.#timed(dialled, request).catch((error: unknown) => {
      // Nobody waits for it any more.
      dialled.then((late) => late.connection?.close(CLOSE_CODES.normal, "")).catch(() => undefined);
      throw error;
    });
    const { connection } = opening;
    try {
      const answer = this.#read(opening.answer, request, await sent.promise);
      if (connection !== undefined) return { answer, connection };
    } catch (error) {
      connection?.close(CLOSE_CODES.normal, "");
      throw error;
    }
    throw new ParleyError({ code: "connection-lost", message: "The server opened no connection for media." });
  }

  /** Where exchanges have TLS connections of their own, a proof names the one it goes out on: that comes first. */
  async #open(
    request: ControlRequest,
  ): Promise<{ readonly stream: DuplexStream; readonly message: AgtpRequest }> {
    if (this.#connection.media === undefined) {
      const message = await this.#message(request);
      return { stream: await this.#connection.openExchange(), message };
    }
    const stream = await this.#connection.openExchange();
    try {
      return { stream, message: await this.#message(request, stream.channelBinding) };
    } catch (error) {
      stream.send.reset(CLOSE_CODES.normal);
      stream.receive.stop(CLOSE_CODES.normal);
      throw error;
    }
  }

  async #message(request: ControlRequest, channelBinding?: Uint8Array): Promise<AgtpRequest> {
    const parameters: Record<string, JsonValue> = { ...request.parameters };
    const isToProve = request.prove === true || (channelBinding !== undefined && this.#isKnown);
    if (isToProve && !this.#isCertified) {
      parameters.proof = await this.#proof(request, parameters, channelBinding);
    }
    const headers = new Headers([
      ["Agent-ID", this.#identity.agentId],
      ["Request-ID", this.freshId()],
    ]);
    const [, sessionId] = SESSION_PATH.exec(request.path) ?? [];
    if (sessionId !== undefined) headers.append("Session-ID", sessionId);
    for (const [name, value] of request.headers ?? []) headers.append(name, value);
    if (request.token !== undefined) headers.append("Authorization", `Bearer ${request.token}`);
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

  async #proof(
    request: ControlRequest,
    parameters: JsonObject,
    channelBinding: Uint8Array | undefined,
  ): Promise<string> {
    if (this.#nonce === undefined && channelBinding === undefined) {
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
        ...(channelBinding === undefined ? { nonce: this.#nonce } : { channelBinding }),
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
    const recorded = this.#records.check(response, message);
    const read = readResponseBody(response);
    if (!read.ok) throw new ParleyError(read.fault);
    const { status, result, final } = read.value;
    const refused = refusalFault(read.value);
    if (refused !== undefined) {
      throw new ParleyError({ ...refused, message: `${request.method} ${request.path}: ${refused.message}` });
    }
    return { status, result, headers: response.headers, recorded, final };
  }
}
