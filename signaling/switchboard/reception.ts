import type { JsonObject } from "../../codecs/canonical-json.ts";
import type { AgtpRequest, Dialect } from "../../codecs/message.ts";
import { type Fault, ok, type Result, refuse } from "../../codecs/result.ts";
import { readRequestBody } from "../body.ts";
import { type Route, type Routed, routeRequest } from "../paths.ts";
import { readShape } from "../shape.ts";
import type { Answering } from "./answering.ts";
import { type Asked, type AskedByAnybody, isProved } from "./asked.ts";
import type { Attaching } from "./attaching.ts";
import type { ConnectionState } from "./connections.ts";
import type { Desk } from "./desk.ts";
import {
  agentDetails,
  agentList,
  capabilities,
  directory,
  methodList,
  serverDocuments,
} from "./discovery.ts";
import { ENDPOINTS } from "./endpoints.ts";
import type { EvidenceReading } from "./evidence-reading.ts";
import type { Identification, Requirement } from "./identification.ts";
import { checkIdentifiers, isEchoable, readExchange, unreadExchange } from "./incoming.ts";
import type { Inspection } from "./inspection.ts";
import type { ExchangeId, SwitchboardInput } from "./io.ts";
import type { Lifecycle, LifecycleMethod } from "./lifecycle.ts";
import type { Notices } from "./notices.ts";
import { judgeWithoutOffer } from "./offerless.ts";
import {
  ACK_NOTICE,
  ADJUST,
  AGENTS,
  CLOCK,
  CLOSING_NOTICE,
  CONFIRM,
  CONFIRM_TARGET,
  DESCRIBE,
  ESTABLISH,
  INSPECT,
  INTERRUPT_NOTICE,
  LIFECYCLE,
  NOTIFY,
  OPEN_MEDIA,
  QUERY,
  RECORDS,
  RESUME,
  SESSION_NOTICE,
  SUBSCRIBE,
  SUSPEND,
  TERMINATE,
} from "./parameters.ts";
import type { RecordReading } from "./record-reading.ts";
import { Repeats } from "./repeats.ts";
import type { Exchange } from "./replies.ts";
import { checkClaim, checkHeaders, checkOwner } from "./request-headers.ts";
import type { Ringing } from "./ringing.ts";
import type { SessionRequests } from "./session-requests.ts";
import { SharedRates } from "./shared-rates.ts";
import type { Steering } from "./steering.ts";
import type { Suspending } from "./suspending.ts";

/** Refusals for rate in a row after which the connection is closed: answering them costs more than they are worth. */
const MAX_RATE_REFUSALS = 50;
const CLOSE_OVERLOADED = 7;

/** The parts that requests are handed to. */
interface Departments {
  readonly ringing: Ringing;
  readonly answering: Answering;
  readonly requests: SessionRequests;
  readonly evidence: EvidenceReading;
  readonly steering: Steering;
  readonly records: RecordReading;
  readonly inspection: Inspection;
  readonly lifecycle: Lifecycle;
  readonly notices: Notices;
  readonly attaching: Attaching;
  readonly suspending: Suspending;
}

/** Takes requests in: rate, route, body, identity, then the part that answers. Every refusal is answered here. */
export class Reception {
  readonly #desk: Desk;
  readonly #identification: Identification;
  readonly #departments: Departments;
  readonly #repeats = new Repeats();
  readonly #rates: SharedRates;

  constructor(desk: Desk, identification: Identification, departments: Departments) {
    this.#desk = desk;
    this.#identification = identification;
    this.#departments = departments;
    this.#rates = new SharedRates(desk.config.limits);
  }

  /** Answers kept for requests sent again. */
  get repeats(): number {
    return this.#repeats.size;
  }

  /** Agents and owners whose requests are counted. */
  get rates(): number {
    return this.#rates.size;
  }

  /** `mediaTime` is what capture times are held against, Unix milliseconds. */
  request(
    connection: ConnectionState,
    { exchange: id, request, early }: Extract<SwitchboardInput, { kind: "request" }>,
    now: number,
    mediaTime: number,
  ): void {
    const exchange = readExchange(connection, id, request);
    if (!this.#admits(connection, exchange, now)) return;
    try {
      const isTooEarly = early === true && !EARLY_METHODS.has(request.method);
      const handled = isTooEarly
        ? refuse("too-early", "Send this again once the handshake is done.", "method")
        : this.#handle(connection, exchange, request, now, mediaTime);
      if (!handled.ok) this.#desk.replies.refuse(exchange, handled.fault, now);
      if (connection.overfull) this.#close(connection, "connections-of-agent-cap");
    } catch (error) {
      this.#desk.outputs.log("error", "request-failed", {
        method: exchange.method,
        path: exchange.path,
        error: String(error),
      });
      this.#desk.replies.refuse(
        exchange,
        refuse("server-error", "The server failed at this request.").fault,
        now,
      );
    }
  }

  malformed(connection: ConnectionState, id: ExchangeId, fault: Fault, dialect: Dialect, now: number): void {
    const exchange = unreadExchange(connection, id, dialect);
    if (this.#admits(connection, exchange, now)) this.#desk.replies.refuse(exchange, fault, now);
  }

  #admits(connection: ConnectionState, exchange: Exchange, now: number): boolean {
    const wait = this.#waitOf(connection, now);
    if (wait === undefined) {
      connection.refusals = 0;
      if (connection.agentId !== undefined || this.#desk.connections.takeAnonymous(now)) return true;
      // A refusal costs as much as an answer.
      this.#close(connection, "anonymous-rate");
      return false;
    }
    connection.refusals++;
    if (connection.refusals > MAX_RATE_REFUSALS) {
      this.#close(connection, "rate-limited");
      return false;
    }
    this.#desk.replies.refuse(exchange, tooMany(wait).fault, now);
    return false;
  }

  /** Milliseconds until this connection may ask something, `undefined` when it may now. */
  #waitOf({ allowance, agentId }: ConnectionState, now: number): number | undefined {
    if (!allowance.take(now)) return allowance.nextAt(now) - now;
    const agent = agentId === undefined ? undefined : this.#desk.registry.get(agentId);
    return agent === undefined ? undefined : this.#rates.take(agent, now);
  }

  #close(connection: ConnectionState, reason: string): void {
    const { id } = connection;
    connection.closing = true;
    this.#desk.outputs.push({ kind: "close", connection: id, code: CLOSE_OVERLOADED, reason });
    this.#desk.outputs.log("warn", "connection-overloaded", { connection: id, reason });
  }

  #handle(
    connection: ConnectionState,
    exchange: Exchange,
    request: AgtpRequest,
    now: number,
    mediaTime: number,
  ): Result<void> {
    const routed = routeRequest(request.method, request.path);
    if (!routed.ok) return routed;
    const identifiers = checkIdentifiers(request);
    if (!identifiers.ok) return identifiers;
    const headers = checkHeaders(request.headers);
    if (!headers.ok) return headers;
    const body = readRequestBody(request);
    if (!body.ok) return body;
    if (body.value.overruled.length > 0) {
      this.#desk.outputs.log("debug", "header-overrules-body", { members: body.value.overruled.join(" ") });
    }
    const { taskId, sessionId, parameters } = body.value;
    const named = "session_id" in routed.value.params ? routed.value.params.session_id : undefined;
    if (named !== undefined && sessionId !== undefined && sessionId !== named) {
      return refuse("field-invalid", "This names another session than the path.", "header Session-ID");
    }
    if (!isEchoable("Task-ID", taskId)) return refuse("field-invalid", "This cannot be echoed.", "task_id");
    exchange.taskId = taskId;
    const { route } = routed.value;
    const requirement = this.#requirement(route, parameters);
    const wasBound = connection.agentId !== undefined;
    const agent = this.#identification.identify(connection, exchange, parameters, requirement, now);
    if (!agent.ok) return agent;
    const asked = { exchange, connection, agent: agent.value, headers: request.headers, mediaTime };
    if (!isProved(asked)) return this.#answerAnybody(routed.value, asked, parameters, now);
    const { agentId, genesis } = asked.agent;
    exchange.caller = agentId;
    exchange.callerOwner = genesis.ownerId;
    // The first request of a connection: only now it is known whose it is.
    const wait = wasBound ? undefined : this.#rates.take(asked.agent, now);
    if (wait !== undefined) return tooMany(wait);
    if (requirement !== "anonymous" && exchange.agentId === undefined) {
      return refuse("agent-id-missing", "Every request names the agent it is from.", "header Agent-ID");
    }
    // RESUME has an order of its own: its nonce is burnt first.
    if (requirement !== "anonymous" && route !== "RESUME /sessions/{session_id}") {
      const alive = this.#desk.registry.alive(asked.agent);
      if (!alive.ok) return alive;
    }
    const { requests } = this.#departments;
    if (named !== undefined && requests.takesPart(agentId, named, now)) exchange.sessionId = named;
    const owner = checkOwner(asked.agent, request.headers);
    if (!owner.ok) return owner;
    // An offer is judged in an order of its own, with its own claim.
    if (route !== "ESTABLISH /sessions") {
      const claim = checkClaim(this.#desk.registry, asked.agent, request.headers);
      if (!claim.ok) return claim;
    }
    const key = request.headers.get("Idempotency-Key");
    if (key === undefined || !isRepeatable(route))
      return this.#answerAgent(routed.value, asked, parameters, now);
    const repeated = this.#repeats.find(exchange, agentId, key, parameters, now);
    if (!repeated.ok) return repeated;
    if (repeated.value === undefined) return this.#answerAgent(routed.value, asked, parameters, now);
    if (repeated.value.fault !== undefined) return { ok: false, fault: repeated.value.fault };
    this.#desk.replies.repeat(exchange, repeated.value, now);
    return ok(undefined);
  }

  /** What needs nobody in particular. */
  #answerAnybody(routed: Routed, asked: AskedByAnybody, parameters: JsonObject, now: number): Result<void> {
    const { exchange } = asked;
    // Who says no Agent-ID asks the server who it is, not for a connection to prove itself on.
    if (routed.route === "DISCOVER /" && exchange.agentId === undefined) {
      this.#desk.replies.document(exchange, this.#desk.manifest.body(now), now);
      return ok(undefined);
    }
    if (isLifecycle(routed)) {
      const read = readShape(LIFECYCLE, parameters, AT);
      if (!read.ok) return read;
      const method = routed.route.slice(0, routed.route.indexOf(" ")) as LifecycleMethod;
      return this.#departments.lifecycle.change(asked, method, routed.params.agent_id, read.value, now);
    }
    const result = this.#discover(routed, asked, parameters, now);
    if (!result.ok) return result;
    this.#desk.replies.answer(exchange, { result: result.value }, now);
    return ok(undefined);
  }

  #describe(parameters: JsonObject): Result<JsonObject> {
    const domains = parameters.capability_domains;
    // A query can only carry text.
    const listed = typeof domains === "string" ? { capability_domains: domains.split(",") } : {};
    const read = readShape(DESCRIBE, { ...parameters, ...listed }, AT);
    return read.ok ? ok(capabilities(this.#desk, read.value)) : read;
  }

  #discover(routed: Routed, asked: AskedByAnybody, parameters: JsonObject, now: number): Result<JsonObject> {
    const { connection, mediaTime } = asked;
    switch (routed.route) {
      case "DISCOVER /":
        return ok(directory(this.#desk, connection, now));
      case "DISCOVER /methods":
        return ok(methodList());
      case "DESCRIBE /":
        return this.#describe(parameters);
      case "DISCOVER /genesis":
        return ok(serverDocuments(this.#desk));
      case "DISCOVER /agents": {
        const read = readShape(AGENTS, parameters, AT);
        return read.ok ? ok(agentList(this.#desk, read.value.after)) : read;
      }
      case "DISCOVER /agents/{agent_id}":
        return agentDetails(this.#desk, routed.params.agent_id, now);
      case "QUERY /clock": {
        const read = readShape(CLOCK, parameters, AT);
        // Both are the time this input was handed in: what passes until the answer leaves counts as path.
        return read.ok ? ok({ t0: read.value.t0, t1: mediaTime, t2: mediaTime }) : read;
      }
      default:
        return refuse("proof-required", "Prove whose request this is.", "parameters.proof", {
          nonce: connection.nonce,
        });
    }
  }

  #answerAgent(routed: Routed, asked: Asked, parameters: JsonObject, now: number): Result<void> {
    const { ringing, answering, requests, evidence, steering, records, attaching, suspending } =
      this.#departments;
    switch (routed.route) {
      case "SUBSCRIBE /agents/{agent_id}/inbox": {
        const read = readShape(SUBSCRIBE, parameters, AT);
        if (!read.ok) return read;
        return this.#subscribe(asked, routed.params.agent_id, read.value.after ?? 0, now);
      }
      case "NOTIFY /agents/{agent_id}/inbox": {
        const read = readShape(ACK_NOTICE, parameters, AT);
        if (!read.ok) return read;
        return this.#acknowledge(asked, routed.params.agent_id, read.value.content.inbox_seq, now);
      }
      case "ESTABLISH /sessions": {
        const read = readShape(ESTABLISH, parameters, AT);
        if (!read.ok) return read;
        const { offer } = read.value;
        if (offer === undefined) return judgeWithoutOffer(this.#desk, asked, read.value);
        return ringing.establish(asked, { ...read.value, offer }, now);
      }
      case "QUERY /": {
        const read = readShape(QUERY, parameters, AT);
        return read.ok ? this.#departments.notices.query(asked, read.value, now) : read;
      }
      case "NOTIFY /": {
        const read = readShape(NOTIFY, parameters, AT);
        return read.ok ? this.#departments.notices.notify(asked, read.value, now) : read;
      }
      case "CONFIRM /": {
        const read = readShape(CONFIRM_TARGET, parameters, AT);
        return read.ok ? this.#departments.notices.confirm(asked, read.value, now) : read;
      }
      case "INSPECT /": {
        const read = readShape(INSPECT, parameters, AT);
        return read.ok ? this.#departments.inspection.inspect(asked, read.value, now) : read;
      }
      case "TERMINATE /offers/{offer_id}":
        return ringing.cancel(asked, routed.params.offer_id, now);
      case "CONFIRM /sessions/{session_id}": {
        const read = readShape(CONFIRM, parameters, AT);
        return read.ok ? answering.confirm(asked, routed.params.session_id, read.value, now) : read;
      }
      case "TERMINATE /sessions/{session_id}":
      case "DISCONNECT /sessions/{session_id}":
      case "CLOSE /sessions/{session_id}": {
        const read = readShape(TERMINATE, parameters, AT);
        return read.ok ? requests.terminate(asked, routed.params.session_id, read.value, now) : read;
      }
      case "NOTIFY /sessions/{session_id}":
        return this.#notice(asked, routed.params.session_id, parameters, now);
      case "ADJUST /sessions/{session_id}": {
        const read = readShape(ADJUST, parameters, AT);
        return read.ok ? steering.narrow(asked, routed.params.session_id, read.value.narrowing, now) : read;
      }
      case "SUSPEND /sessions/{session_id}": {
        const read = readShape(SUSPEND, parameters, AT);
        return read.ok ? suspending.suspend(asked, routed.params.session_id, read.value, now) : read;
      }
      case "RESUME /sessions/{session_id}": {
        const read = readShape(RESUME, parameters, AT);
        return read.ok ? suspending.resume(asked, routed.params.session_id, read.value, now) : read;
      }
      case "OPEN /sessions/{session_id}/media": {
        const read = readShape(OPEN_MEDIA, parameters, AT);
        return read.ok ? attaching.open(asked, routed.params.session_id, read.value, now) : read;
      }
      case "QUERY /sessions/{session_id}/records": {
        const read = readShape(RECORDS, parameters, AT);
        return read.ok ? records.read(asked, routed.params.session_id, read.value.after, now) : read;
      }
      case "QUERY /sessions/{session_id}":
        return requests.query(asked, routed.params.session_id, now);
      case "QUERY /sessions/{session_id}/evidence":
        return evidence.read(asked, routed.params.session_id, now);
      default:
        return this.#answerAnybody(routed, asked, parameters, now);
    }
  }

  #notice(asked: Asked, sessionId: string, parameters: JsonObject, now: number): Result<void> {
    const { requests, steering } = this.#departments;
    const notice = readShape(SESSION_NOTICE, parameters, AT);
    if (!notice.ok) return notice;
    if (notice.value.content.event === "interrupt") {
      const read = readShape(INTERRUPT_NOTICE, parameters, AT);
      return read.ok ? steering.interrupt(asked, sessionId, read.value.content, now) : read;
    }
    const read = readShape(CLOSING_NOTICE, parameters, AT);
    return read.ok ? requests.close(asked, sessionId, read.value.content.closing, now) : read;
  }

  #subscribe(asked: Asked, agentId: string, after: number, now: number): Result<void> {
    if (agentId !== asked.agent.agentId)
      return refuse("agent-mismatch", "This is another agent's inbox.", "path");
    const standing = this.#desk.registry.standing(asked.agent);
    if (!standing.ok) return standing;
    this.#desk.inboxes.subscribe(asked.exchange, agentId, after, now);
    this.#departments.ringing.calleeBack(agentId);
    return ok(undefined);
  }

  #acknowledge(asked: Asked, agentId: string, seq: number, now: number): Result<void> {
    if (agentId !== asked.agent.agentId)
      return refuse("agent-mismatch", "This is another agent's inbox.", "path");
    if (!this.#desk.inboxes.acknowledge(agentId, seq)) {
      return refuse("field-invalid", "No event has that number.", "content.inbox_seq");
    }
    this.#desk.replies.answer(asked.exchange, { result: { inbox_seq: seq } }, now);
    return ok(undefined);
  }

  #requirement(route: Route, parameters: JsonObject): Requirement {
    switch (route) {
      case "ESTABLISH /sessions":
        // Without an offer there is nothing to establish: only what would be said to one.
        return parameters.offer === undefined ? "bound" : "proof";
      case "CONFIRM /sessions/{session_id}":
      case "OPEN /sessions/{session_id}/media":
      case "RESUME /sessions/{session_id}":
      case "SUBSCRIBE /agents/{agent_id}/inbox":
        return "proof";
      case "DISCOVER /agents":
      case "DISCOVER /agents/{agent_id}":
        return this.#desk.config.agentDisclosure === "public" ? "anonymous" : "bound";
      // The issuer's certificate stands in for a proof.
      case "ACTIVATE /agents/{agent_id}":
      case "DEACTIVATE /agents/{agent_id}":
      case "REINSTATE /agents/{agent_id}":
      case "REVOKE /agents/{agent_id}":
      case "DEPRECATE /agents/{agent_id}":
      case "DISCOVER /":
      case "DISCOVER /methods":
      case "DISCOVER /genesis":
      case "DESCRIBE /":
      case "QUERY /clock":
        return "anonymous";
      default:
        return "bound";
    }
  }
}

function tooMany(wait: number) {
  return refuse("rate-limited", "Too many requests.", undefined, { retry_after_ms: Math.ceil(wait) });
}

type LifecycleRouted = Extract<Routed, { readonly route: `${LifecycleMethod} ${string}` }>;

function isLifecycle(routed: Routed): routed is LifecycleRouted {
  return ENDPOINTS[routed.route].input === LIFECYCLE;
}

/** Whether an exchange changes something, and has no memory of its own for being asked twice. */
function isRepeatable(route: Route): boolean {
  if (route === "ESTABLISH /sessions" || route === "SUBSCRIBE /agents/{agent_id}/inbox") return false;
  return ENDPOINTS[route].impact !== "informational";
}

/** What may be replayed without harm, and so may come in early data. */
const EARLY_METHODS: ReadonlySet<string> = new Set(["QUERY", "DISCOVER"]);
const AT = "parameters";
