/** An agent as the switchboard meets it: signs and sends what a client would, and reads what comes back. */

import { canonicalBytes, type JsonObject } from "../../codecs/canonical-json.ts";
import { type HeaderField, Headers } from "../../codecs/headers.ts";
import { encodeHex } from "../../codecs/hex.ts";
import type { Dialect } from "../../codecs/message.ts";
import type { Result } from "../../codecs/result.ts";
import { type AnswerPayload, makeAnswer } from "../../signaling/answer.ts";
import type { AccessGrant } from "../../signaling/authority.ts";
import { MEDIA_TYPE, type ResponseBody, readResponseBody, requestBody } from "../../signaling/body.ts";
import { type ClosingPayload, makeClosing } from "../../signaling/closing.ts";
import { jwsDigest } from "../../signaling/jws.ts";
import { makeOffer, type OfferPayload, readOffer } from "../../signaling/offer.ts";
import { makeProof, type ProofInput } from "../../signaling/proof.ts";
import { answerPayload, mediaKey, must, offerPayload, type TestAgent } from "../signed-call.ts";
import { type Arrivals, type OpeningFacts, ORIGIN, type Stage } from "./signaling-stage.ts";

export interface AskOptions {
  readonly dialect?: Dialect;
  readonly headers?: readonly HeaderField[];
  /** Sends a proof, changed as told; `false` sends none. Default: where the exchange takes one. */
  readonly proof?: boolean | Partial<ProofInput>;
  /** Brings Genesis and identity document along; default with every proof. */
  readonly documents?: boolean;
  /** Sends this text as `proof` instead of making one. */
  readonly rawProof?: string;
  /** What is made of the access token it brings. Default: what `token` of the peer says. */
  readonly token?: Result<AccessGrant>;
}

/** A stream of inbox messages or other answers, read as they came. */
export class Answers {
  readonly exchange: number;
  readonly #arrivals: Arrivals;

  constructor(exchange: number, arrivals: Arrivals) {
    this.exchange = exchange;
    this.#arrivals = arrivals;
  }

  get isOver(): boolean {
    return this.#arrivals.isOver;
  }

  get raw() {
    return this.#arrivals.responses;
  }

  /** Every message so far. */
  get all(): ResponseBody[] {
    return this.#arrivals.responses.map((response) => must(readResponseBody(response)));
  }

  /** The latest message. */
  get last(): ResponseBody {
    const last = this.all.at(-1);
    if (last === undefined) throw new Error("nothing came back");
    return last;
  }

  /** The code of the refusal, or `ok STATUS`. */
  get outcome(): string {
    const { error, status } = this.last;
    return error?.code ?? `ok ${status}`;
  }

  /** In an inbox: the events by name, heartbeats left out. */
  get events(): string[] {
    return this.all.map((message) => String(message.result.event)).filter((event) => event !== "heartbeat");
  }

  /** In an inbox: the latest event of that name. */
  event(name: string): JsonObject {
    const found = this.all.findLast((message) => message.result.event === name);
    if (found === undefined) throw new Error(`no event ${name} among ${this.events.join(", ")}`);
    return found.result;
  }
}

const PROVED = /^(?:ESTABLISH|CONFIRM|SUBSCRIBE|OPEN|RESUME) /;

/** One agent on one connection. */
export class SignalingPeer {
  readonly stage: Stage;
  readonly agent: TestAgent;
  readonly connection: number;
  readonly nonce: string;
  /** What its proofs name instead of the nonce. */
  readonly channelBinding: Uint8Array | undefined;
  /** Its certificate stands for proofs. */
  readonly isCertified: boolean;
  /** What is made of the access token that all its requests bring. */
  token: Result<AccessGrant> | undefined;
  #jti = 0;

  /** Connects and, where there is no channel binding, fetches the nonce; or speaks on the connection of `host`. */
  constructor(stage: Stage, agent: TestAgent, host?: SignalingPeer | OpeningFacts) {
    this.stage = stage;
    this.agent = agent;
    this.channelBinding = host?.channelBinding;
    const there = host instanceof SignalingPeer ? host : undefined;
    this.isCertified =
      there?.isCertified ?? (host as OpeningFacts | undefined)?.peerCertificates !== undefined;
    this.connection = there?.connection ?? stage.open(host as OpeningFacts | undefined);
    this.nonce = there?.nonce ?? (this.channelBinding === undefined ? this.#fetchNonce() : "");
  }

  get id(): string {
    return this.agent.genesis.agentId;
  }

  ask(method: string, path: string, parameters: JsonObject = {}, options: AskOptions = {}): Answers {
    const dialect = options.dialect ?? "base";
    const isProved = PROVED.test(`${method} ${path}`);
    const wantsProof = options.proof ?? (isProved && !this.isCertified);
    const documents = options.documents ?? (wantsProof !== false || (isProved && this.isCertified));
    const brought: JsonObject = documents
      ? {
          ...parameters,
          genesis: text(this.agent.genesis.bytes),
          identity_document: text(this.agent.document.bytes),
        }
      : parameters;
    const proof =
      options.rawProof ??
      (wantsProof === false
        ? undefined
        : this.proof(method, path, brought, wantsProof === true ? {} : wantsProof));
    const all = proof === undefined ? brought : { ...brought, proof };
    const body = canonicalBytes(requestBody({ method, parameters: all }));
    const headers = new Headers([
      ["Agent-ID", this.id],
      ["Content-Type", MEDIA_TYPE[dialect]],
      ...(options.headers ?? []),
    ]);
    const sent = this.stage.request(
      this.connection,
      {
        dialect,
        method,
        path,
        query: new Map(),
        headers,
        body,
      },
      options.token ?? this.token,
    );
    return new Answers(sent.exchange, sent.arrivals);
  }

  proof(method: string, path: string, parameters: JsonObject, changes: Partial<ProofInput> = {}): string {
    return makeProof(
      {
        agentId: this.id,
        method,
        path,
        parameters,
        ...(this.channelBinding === undefined
          ? { nonce: this.nonce }
          : { channelBinding: this.channelBinding }),
        audience: ORIGIN,
        jti: this.newUuid(),
        now: this.stage.now,
        ...changes,
      },
      this.agent.identity,
    );
  }

  #fetchNonce(): string {
    const directory = this.ask("DISCOVER", "/", {}, { proof: false });
    return String((directory.last.result.connection as JsonObject).nonce);
  }

  /** A version 7 UUID nobody else has. */
  newUuid(): string {
    this.#jti++;
    const tail = `${this.connection.toString(16).padStart(4, "0")}${this.#jti.toString(16).padStart(8, "0")}`;
    return `019b76da-a800-7${this.id.slice(0, 3)}-8${this.id.slice(3, 6)}-${tail}`;
  }

  subscribe(after?: number, options: AskOptions & { inbox?: string } = {}): Answers {
    const parameters = {
      ...(after === undefined ? {} : { after }),
      ...(options.inbox === undefined ? {} : { inbox: options.inbox }),
    };
    return this.ask("SUBSCRIBE", `/agents/${this.id}/inbox`, parameters, options);
  }

  acknowledge(seq: number, inbox?: string): Answers {
    const content = { event: "ack", inbox_seq: seq };
    const parameters = { content, ...(inbox === undefined ? {} : { inbox }) };
    return this.ask("NOTIFY", `/agents/${this.id}/inbox`, parameters, { proof: false });
  }

  /** A signed offer to `callee`. */
  offer(callee: TestAgent, changes: Partial<OfferPayload> = {}): string {
    const offerId = changes.offer_id ?? this.newUuid();
    const iat = Math.floor(this.stage.now / 1000);
    return makeOffer(
      offerPayload({
        offer_id: offerId,
        caller: this.id,
        callee: callee.genesis.agentId,
        media_key: this.mediaKey(offerId),
        iat,
        exp: iat + 60,
        ...changes,
      }),
      this.agent.identity,
    );
  }

  mediaKey(offerId: string): string {
    const { now } = this.stage;
    return mediaKey(this.agent, { offerId, notBefore: now - 60_000, notAfter: now + 3_600_000 });
  }

  /** ESTABLISH with an offer made here or given. */
  call(
    callee: TestAgent,
    options: AskOptions & { offer?: string; changes?: Partial<OfferPayload>; more?: JsonObject } = {},
  ): Answers {
    const offer = options.offer ?? this.offer(callee, options.changes);
    return this.ask(
      "ESTABLISH",
      "/sessions",
      { target_agent_id: callee.genesis.agentId, offer, ...options.more },
      options,
    );
  }

  /** A signed answer to an `offer` event. */
  answerTo(event: JsonObject, changes: Partial<AnswerPayload> = {}): string {
    const jws = String(event.offer);
    const offer = must(readOffer(jws));
    return makeAnswer(
      answerPayload({
        session_id: String(event.session_id),
        offer_digest: jwsDigest(jws),
        caller: offer.caller,
        callee: offer.callee,
        media_key: this.mediaKey(offer.offer_id),
        iat: Math.floor(this.stage.now / 1000),
        ...changes,
      }),
      this.agent.identity,
    );
  }

  /** CONFIRM with an answer. */
  accept(
    event: JsonObject,
    options: AskOptions & { answer?: string; changes?: Partial<AnswerPayload> } = {},
  ): Answers {
    const answer = options.answer ?? this.answerTo(event, options.changes);
    return this.confirm(event, { status: "accepted", answer }, options);
  }

  reject(event: JsonObject, more: JsonObject = {}): Answers {
    return this.confirm(event, { status: "rejected", ...more });
  }

  confirm(event: JsonObject, parameters: JsonObject, options: AskOptions = {}): Answers {
    const sessionId = String(event.session_id);
    return this.ask("CONFIRM", `/sessions/${sessionId}`, { target_id: sessionId, ...parameters }, options);
  }

  closing(sessionId: string, digest: Uint8Array, leg: 0 | 1, changes: Partial<ClosingPayload> = {}): string {
    return makeClosing(
      {
        v: 1,
        session_id: sessionId,
        session_digest: encodeHex(digest),
        leg,
        last_audit_id: "0".repeat(64),
        reason: "hangup",
        totals: {
          sent: { frames: 0, checkpoints: 1 },
          received: { frames: 0, heard: 0, concealed: 0, late: 0, refused: 0, receipts: 1 },
        },
        iat: Math.floor(this.stage.now / 1000),
        ...changes,
      },
      this.agent.identity,
    );
  }

  /** TERMINATE of a session. */
  hangUp(sessionId: string, closing?: string, reason = "hangup"): Answers {
    const parameters = { reason, ...(closing === undefined ? {} : { closing }) };
    return this.ask("TERMINATE", `/sessions/${sessionId}`, parameters, { proof: false });
  }

  lastWord(sessionId: string, closing: string): Answers {
    const content = { event: "closing-statement", closing };
    return this.ask("NOTIFY", `/sessions/${sessionId}`, { content }, { proof: false });
  }

  /** OPEN of a session's media on this connection. */
  openMedia(sessionId: string, attachSeq = 1, options: AskOptions = {}): Answers {
    return this.ask("OPEN", `/sessions/${sessionId}/media`, { attach_seq: attachSeq }, options);
  }

  query(sessionId: string): Answers {
    return this.ask("QUERY", `/sessions/${sessionId}`, {}, { proof: false });
  }

  evidence(sessionId: string): Answers {
    return this.ask("QUERY", `/sessions/${sessionId}/evidence`, {}, { proof: false });
  }

  /** The connection breaks, or is closed by this peer. */
  drop(orderly = false): void {
    this.stage.handle({ kind: "closed", connection: this.connection, orderly });
  }
}

/** The agent on a TLS connection of its own, whose exporter no other has. */
export function overTls(stage: Stage, agent: TestAgent): SignalingPeer {
  const channelBinding = stage.newBinding();
  return new SignalingPeer(stage, agent, { carrier: "tls", channelBinding });
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
