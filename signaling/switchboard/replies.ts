import { v7 as uuidv7 } from "uuid";
import { canonicalBytes, type JsonObject } from "../../codecs/canonical-json.ts";
import { type HeaderField, Headers } from "../../codecs/headers.ts";
import type { Dialect } from "../../codecs/message.ts";
import type { Fault } from "../../codecs/result.ts";
import type { ConnectionId } from "../admission.ts";
import { bodyHash } from "../attribution.ts";
import { faultBody, MEDIA_TYPE, resultBody } from "../body.ts";
import { isLifeEvent } from "../life-events.ts";
import type { ChainedRecord, ChainHead, RecordChain, SessionLink } from "../record-chain.ts";
import type { LogEntry } from "../record-log.ts";
import { reasonText, type ScopeViolationCode } from "../status.ts";
import type { ExchangeId } from "./io.ts";
import type { Outputs } from "./outputs.ts";
import { RefusalLog } from "./refusal-log.ts";
import type { Outcome } from "./repeats.ts";

/** An exchange that waits for its answer, with what the answer echoes and its record names. */
export interface Exchange {
  readonly connection: ConnectionId;
  readonly id: ExchangeId;
  readonly dialect: Dialect;
  readonly method: string;
  readonly path: string;
  /** SHA-256 of the request body as received, hex. */
  readonly requestHash: string;
  /** `Agent-ID` as sent: a claim, echoed verbatim. */
  readonly agentId: string | undefined;
  readonly requestId: string | undefined;
  /** From the header, or the body once that is read. */
  taskId: string | undefined;
  /** Whose request it is, once that is proved, and who owns that agent. */
  caller: string | undefined;
  callerOwner?: string;
  /** Agent-ID of the gateway that asks for that agent, where one does. */
  gateway?: string | undefined;
  /** What must be said beside the trust in that agent. */
  callerWarning?: string | undefined;
  /** What proved it. */
  assurance?: "certificate-bound" | "proof-bound" | undefined;
  /** It came without a proof, or with a token to be judged, on an unbound connection, and took from what those share. */
  isAnonymous?: boolean;
  /** The session it is about, once the caller is known to take part in it. */
  sessionId?: string;
  /** Names what it changed, in every answer and record; minted with the first answer. */
  actionId?: string;
  /** Takes the outcome, to be told again. */
  keep?: (outcome: Outcome, now: number) => void;
}

/** A body as it goes out, made once and sent often. */
export interface PreparedBody {
  readonly bytes: Uint8Array;
  /** `bodyHash` of the bytes. */
  readonly hash: string;
  readonly mediaType: string;
}

/** A positive answer. */
interface Reply {
  readonly result: JsonObject;
  /** Default 200. */
  readonly status?: number;
  readonly headers?: readonly HeaderField[];
  /** In a series: whether this is the last message. Absent: the only one. */
  readonly final?: boolean;
  /** Name of the event in the record, and what the record says of it. */
  readonly event?: string;
  readonly extra?: JsonObject;
  /** What must be said beside the trust in agents that the answer is about. */
  readonly warnings?: readonly string[] | undefined;
  /** The session whose chain the record joins. */
  readonly link?: SessionLink | undefined;
  /** `Session-ID` of the answer. */
  readonly sessionId?: string;
  /** Appended with the record, before it. */
  readonly entries?: readonly LogEntry[];
  /** Appended with the record, behind it: what names the record's place. */
  readonly follow?: (chainSeq: number) => LogEntry;
}

/** What the server says of itself in every answer. */
interface ResponderFacts {
  readonly serverId: string;
  readonly ownerId: string;
  readonly trustTier: number;
  readonly verificationPath: string;
  readonly scopeViolationCode: ScopeViolationCode;
}

/** Tells the version of the server's manifest. */
interface Versioned {
  version(now: number): number;
}

/** What a server that is not of tier 1 must say beside its tier (`spec/agtp.md` 1.6). */
const TIER_2_WARNING = "verification-incomplete";

const AGENT_IDS = /[0-9a-f]{64}/g;
const MAX_RECORDED_METHOD = 32;
const MAX_RECORDED_PATH = 2_048;

/** Makes every answer complete: identifiers, echoes, and its Attribution-Record in the server's chain. */
export class Replies {
  readonly #outputs: Outputs;
  readonly #chain: RecordChain;
  readonly #random: (n: number) => Uint8Array;
  readonly #facts: ResponderFacts;
  readonly #manifest: Versioned;
  readonly #refusals: RefusalLog;
  #isForgotten: (agentId: string) => boolean = () => false;

  constructor(
    outputs: Outputs,
    chain: RecordChain,
    random: (n: number) => Uint8Array,
    facts: ResponderFacts,
    manifest: Versioned,
  ) {
    this.#outputs = outputs;
    this.#chain = chain;
    this.#random = random;
    this.#facts = facts;
    this.#manifest = manifest;
    this.#refusals = new RefusalLog(outputs);
  }

  /** Whose names are not written down again, whoever says them: those of agents that were erased. */
  leaveOut(isForgotten: (agentId: string) => boolean): void {
    this.#isForgotten = isForgotten;
  }

  /** The last record signed. */
  get head(): ChainHead | undefined {
    return this.#chain.head;
  }

  /** Answers with a result. */
  answer(exchange: Exchange, reply: Reply, now: number): void {
    const status = reply.status ?? 200;
    const result = reply.final === undefined ? reply.result : { ...reply.result, final: reply.final };
    const body = resultBody({ status, taskId: exchange.taskId, result });
    if (reply.final !== false) {
      const { headers = [], sessionId } = reply;
      exchange.keep?.({ status, result, headers, sessionId }, now);
    }
    this.#send(exchange, status, prepare(body, exchange), reply, now);
  }

  /** Answers with a document as it stands, without an envelope around it. */
  document(exchange: Exchange, body: PreparedBody, now: number): void {
    this.#send(exchange, 200, body, {}, now);
  }

  /** Answers with what the same request was answered before; the record is a new one, outside the session's chain. */
  repeat(
    exchange: Exchange,
    { status, result, headers, sessionId }: Exclude<Outcome, { fault: Fault }>,
    now: number,
  ): void {
    const body = resultBody({ status, taskId: exchange.taskId, result });
    const reply = { headers, event: "repeated", ...(sessionId === undefined ? {} : { sessionId }) };
    this.#send(exchange, status, prepare(body, exchange), reply, now);
  }

  /** Answers with a refusal, which always ends the exchange. */
  refuse(
    exchange: Exchange,
    fault: Fault,
    now: number,
    reply: Pick<Reply, "link" | "sessionId" | "extra"> = {},
  ): void {
    const { status, body } = faultBody(
      fault,
      exchange.dialect,
      exchange.taskId,
      this.#facts.scopeViolationCode,
    );
    exchange.keep?.({ fault }, now);
    this.#refusals.note(exchange, status, fault, now);
    this.#send(exchange, status, prepare(body, exchange), { ...reply, event: fault.code }, now);
  }

  /** Records what nobody waits for an answer to, together with `entries` before it; in the session's chain where one is given. */
  note(
    event: string,
    extra: JsonObject,
    link: SessionLink | undefined,
    entries: readonly LogEntry[],
    now: number,
  ): void {
    const record = this.#chain.next({ status: 0, event, extra }, now, link);
    this.#outputs.push({ kind: "append", entries: [...entries, recordEntry(record)] });
  }

  /** Writes a session's last record, which answers nothing, together with `entries` before it. */
  close(
    event: "session-terminated" | "session-expired",
    extra: JsonObject,
    link: SessionLink,
    entries: readonly LogEntry[],
    now: number,
  ): void {
    const record = this.#chain.next({ status: 0, event, extra }, now, link);
    const last = { ...recordEntry(record), closesSession: true } as const;
    this.#outputs.push({ kind: "append", entries: [...entries, last] });
  }

  #send(
    exchange: Exchange,
    status: number,
    body: PreparedBody,
    reply: Omit<Reply, "result" | "status">,
    now: number,
  ): void {
    const responseId = this.uuid(now);
    if (CHANGING.has(exchange.method)) exchange.actionId ??= this.uuid(now);
    const sessionId = reply.sessionId ?? exchange.sessionId;
    const record = this.#chain.next(
      {
        requestId: exchange.requestId ?? "",
        responseId,
        status,
        // Cut to what a record may hold; a request that long was refused.
        method: exchange.method.slice(0, MAX_RECORDED_METHOD),
        path: this.#recorded(exchange.path).slice(0, MAX_RECORDED_PATH),
        requestHash: exchange.requestHash,
        resultHash: body.hash,
        taskId: exchange.taskId,
        actionId: exchange.actionId,
        sessionId,
        counterpartyAgentId: exchange.caller,
        event: reply.event?.replaceAll("_", "-"),
        extra: extraOf(exchange, reply.extra, this.#isForgotten),
      },
      now,
      reply.link,
    );
    const headers = new Headers([
      ["Server-ID", this.#facts.serverId],
      ["Response-ID", responseId],
      ["Owner-ID", this.#facts.ownerId],
      ["Trust-Tier", String(this.#facts.trustTier)],
      ["Verification-Path", this.#facts.verificationPath],
      ...echo("Trust-Warning", this.#warning(exchange, reply)),
      ["AGTP-API-Version", String(this.#manifest.version(now))],
      ["Attribution-Record", record.jws],
      ["Audit-ID", record.auditId],
      ...echo("Agent-ID", exchange.agentId),
      ...echo("Request-ID", exchange.requestId),
      ...echo("Task-ID", exchange.taskId),
      ...echo("Session-ID", sessionId),
      ...echo("Action-ID", exchange.actionId),
      ...(reply.headers ?? []),
      ["Content-Type", body.mediaType],
    ]);
    const followed = reply.follow === undefined ? [] : [reply.follow(record.chainSeq)];
    const entries = [...(reply.entries ?? []), recordEntry(record), ...followed];
    this.#outputs.push({ kind: "append", entries });
    this.#outputs.push({
      kind: "respond",
      connection: exchange.connection,
      exchange: exchange.id,
      response: { dialect: exchange.dialect, status, reason: reasonText(status), headers, body: body.bytes },
      final: reply.final ?? true,
    });
  }

  /** Of this server, of who asked, and of whom the answer is about. */
  #warning({ callerWarning }: Exchange, { warnings = [] }: Pick<Reply, "warnings">): string | undefined {
    const own = this.#facts.trustTier === 1 ? [] : [TIER_2_WARNING];
    const all = new Set([...own, ...(callerWarning === undefined ? [] : [callerWarning]), ...warnings]);
    return all.size === 0 ? undefined : [...all].join(", ");
  }

  #recorded(path: string): string {
    return path.replaceAll(AGENT_IDS, (agentId) => (this.#isForgotten(agentId) ? "{erased}" : agentId));
  }

  /** A version 7 UUID (RFC 9562). */
  uuid(now: number): string {
    return uuidv7({ msecs: Math.floor(now), random: this.#random(16) });
  }
}

/** What a record says beside its members: the claim of a caller that proved nothing, the owner of one that did. */
function extraOf(
  { agentId, caller, callerOwner, gateway: by, assurance }: Exchange,
  extra: JsonObject | undefined,
  isForgotten: (agentId: string) => boolean,
): JsonObject | undefined {
  const isClaim = caller === undefined && agentId !== undefined && !isForgotten(agentId);
  const claim = isClaim ? { claimed_agent_id: agentId } : {};
  const owner = callerOwner === undefined ? {} : { counterparty_owner_id: callerOwner };
  const proved = assurance === undefined ? {} : { identity_assurance: assurance };
  const gateway = by === undefined ? {} : { gateway: by };
  const all = { ...extra, ...claim, ...owner, ...gateway, ...proved };
  return Object.keys(all).length === 0 ? undefined : all;
}

/** Methods whose records name an action: those that change something (`spec/agtp.md` 1.9). */
const CHANGING: ReadonlySet<string> = new Set([
  "SUBSCRIBE",
  "NOTIFY",
  "ESTABLISH",
  "CONFIRM",
  "TERMINATE",
  "DISCONNECT",
  "CLOSE",
  "ADJUST",
  "SUSPEND",
  "RESUME",
  "OPEN",
  "ACTIVATE",
  "DEACTIVATE",
  "REINSTATE",
  "REVOKE",
  "DEPRECATE",
  "REDACT",
]);

function prepare(content: JsonObject, exchange: Exchange): PreparedBody {
  const bytes = canonicalBytes(content);
  return { bytes, hash: bodyHash(bytes), mediaType: MEDIA_TYPE[exchange.dialect] };
}

function recordEntry(record: ChainedRecord): Extract<LogEntry, { kind: "record" }> {
  const { chainSeq, auditId, jws, sessionId, sessionSeq, payload } = record;
  const event = isLifeEvent({ event: payload.event, sessionSeq }) ? ({ isLifeEvent: true } as const) : {};
  const { counterparty_agent_id: agentId } = payload;
  const joins = payload.event === "session-established" && agentId !== undefined;
  const participant = joins ? { participant: agentId } : {};
  return { kind: "record", chainSeq, auditId, jws, sessionId, sessionSeq, ...event, ...participant };
}

function echo(name: string, value: string | undefined): HeaderField[] {
  return value === undefined ? [] : [[name, value]];
}
