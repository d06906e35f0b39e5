import type { AgtpRequest, Dialect } from "../../codecs/message.ts";
import { type Fault, ok, type Result, refuse } from "../../codecs/result.ts";
import type { AccessGrant } from "../authority.ts";
import { readRequestBody } from "../body.ts";
import { routeRequest } from "../paths.ts";
import { typedParameters } from "../query-values.ts";
import { tooMany } from "../shared-state.ts";
import { isProved } from "./asked.ts";
import type { ConnectionState } from "./connections.ts";
import type { Desk } from "./desk.ts";
import { ENDPOINTS } from "./endpoints.ts";
import { checkAsking } from "./gateway-checks.ts";
import { checkGrant, grantShown, keepGrant } from "./grants.ts";
import type { Identification } from "./identification.ts";
import { assuranceOf, checkIdentifiers, isEchoable, readExchange, unreadExchange } from "./incoming.ts";
import type { ExchangeId, SwitchboardInput, SwitchboardOutput } from "./io.ts";
import { Repeats } from "./repeats.ts";
import type { Exchange } from "./replies.ts";
import { checkClaim, checkHeaders, checkOwner, checkZone } from "./request-headers.ts";
import { EARLY_METHODS, isRepeatable, requirementOf } from "./requirements.ts";
import { type Departments, Routing } from "./routing.ts";
import { SharedRates } from "./shared-rates.ts";

/** Refusals for rate in a row after which the connection is closed: answering them costs more than they are worth. */
const MAX_RATE_REFUSALS = 50;
const CLOSE_OVERLOADED = 7;
const RESUME = "RESUME /sessions/{session_id}";
/** What a proof that failed is told to wait while nobody without an identity may ask anything, milliseconds. */
const ANONYMOUS_RETRY_MS = 1_000;

/** Takes requests in: rate, route, body, identity, then the part that answers. Every refusal is answered here. */
export class Reception {
  readonly #desk: Desk;
  readonly #identification: Identification;
  readonly #requests: Departments["requests"];
  readonly #authorities: Departments["authorities"];
  readonly #revoking: Departments["revoking"];
  readonly #routing: Routing;
  readonly #repeats = new Repeats();
  readonly #rates: SharedRates;

  constructor(desk: Desk, identification: Identification, departments: Departments) {
    this.#desk = desk;
    this.#identification = identification;
    this.#requests = departments.requests;
    this.#authorities = departments.authorities;
    this.#revoking = departments.revoking;
    this.#routing = new Routing(desk, departments);
    this.#rates = new SharedRates(desk.config.limits, desk.shared.rates);
  }

  /** Answers kept for requests sent again. */
  get repeats(): number {
    return this.#repeats.size;
  }

  /** `mediaTime` is what capture times are held against, Unix milliseconds. */
  request(
    connection: ConnectionState,
    { exchange: id, request, early, token, isCounted }: Extract<SwitchboardInput, { kind: "request" }>,
    now: number,
    mediaTime: number,
  ): void {
    const exchange = readExchange(connection, id, request);
    if (isCounted !== true && !this.#mayAsk(connection, exchange, now)) return;
    if (token === "unjudged") {
      this.#wantToken(connection, exchange, { exchange: id, request, ...(early === true && { early }) }, now);
      return;
    }
    if (isCounted === true) exchange.isAnonymous = true;
    try {
      const isTooEarly = early === true && !EARLY_METHODS.has(request.method);
      const handled = isTooEarly
        ? refuse("too-early", "Send this again once the handshake is done.", "method")
        : this.#handle(connection, exchange, request, token, now, mediaTime);
      if (!handled.ok) this.#refuse(connection, exchange, handled.fault, now);
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

  /** Judging a token costs as much as a proof, and may keep keys waited for: it is paid for before. */
  #wantToken(
    connection: ConnectionState,
    exchange: Exchange,
    asked: Pick<Extract<SwitchboardOutput, { kind: "token-wanted" }>, "exchange" | "request" | "early">,
    now: number,
  ): void {
    const { connections, outputs } = this.#desk;
    const allowed = connection.agentId === undefined ? connections.takeToken(connection, now) : ok(undefined);
    if (allowed.ok) outputs.push({ kind: "token-wanted", connection: connection.id, ...asked });
    else this.#refuseUnpaid(connection, exchange, allowed.fault, now);
  }

  malformed(connection: ConnectionState, id: ExchangeId, fault: Fault, dialect: Dialect, now: number): void {
    const exchange = unreadExchange(connection, id, dialect);
    if (this.#mayAsk(connection, exchange, now) && this.#admitsNobody(connection, exchange, now))
      this.#desk.replies.refuse(exchange, fault, now);
  }

  /** What a refused request cost counts as anonymous where nobody is known to have made it. */
  #refuse(connection: ConnectionState, exchange: Exchange, fault: Fault, now: number): void {
    const isPaid = connection.agentId !== undefined || exchange.isAnonymous === true;
    const ofNetwork = isPaid ? undefined : this.#desk.connections.takeOfNetwork(connection, now);
    if (ofNetwork?.ok === false) this.#refuseUnpaid(connection, exchange, ofNetwork.fault, now);
    else if (isPaid || this.#desk.connections.takeAnonymous(now))
      this.#desk.replies.refuse(exchange, fault, now);
    else this.#refuseUnpaid(connection, exchange, tooMany(ANONYMOUS_RETRY_MS).fault, now);
  }

  /** Says when to come again, as often as that may be said. */
  #refuseUnpaid(connection: ConnectionState, exchange: Exchange, fault: Fault, now: number): void {
    if (this.#desk.connections.takeRefusal(now)) this.#desk.replies.refuse(exchange, fault, now);
    else this.#close(connection, "anonymous-rate");
  }

  /** Whether its network, and all unbound connections together, may still ask for this; if not, it is refused or the connection closed. */
  #admitsNobody(connection: ConnectionState, exchange: Exchange, now: number): boolean {
    exchange.isAnonymous = true;
    if (connection.agentId !== undefined) return true;
    const ofNetwork = this.#desk.connections.takeOfNetwork(connection, now);
    if (!ofNetwork.ok) {
      this.#refuseUnpaid(connection, exchange, ofNetwork.fault, now);
      return false;
    }
    if (this.#desk.connections.takeAnonymous(now)) return true;
    // A refusal costs as much as an answer.
    this.#close(connection, "anonymous-rate");
    return false;
  }

  #mayAsk(connection: ConnectionState, exchange: Exchange, now: number): boolean {
    const allowed = this.#takeOne(connection, now);
    if (allowed.ok) {
      connection.refusals = 0;
      return true;
    }
    connection.refusals++;
    if (connection.refusals > MAX_RATE_REFUSALS) {
      this.#close(connection, "rate-limited");
      return false;
    }
    this.#desk.replies.refuse(exchange, allowed.fault, now);
    return false;
  }

  #takeOne(connection: ConnectionState, now: number): Result<void> {
    const { allowance, agentId } = connection;
    if (!allowance.take(now)) return tooMany(allowance.nextAt(now) - now);
    const agent = agentId === undefined ? undefined : this.#desk.registry.get(agentId);
    return agent === undefined ? ok(undefined) : this.#rates.take(agent, connection, now);
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
    token: Result<AccessGrant> | undefined,
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
    const requirement = requirementOf(route, parameters, this.#desk.config);
    const wasBound = connection.agentId !== undefined;
    const certified = this.#desk.certification.of(connection, now);
    const shows = parameters.proof !== undefined || (certified.ok && certified.value !== undefined);
    // A proof, or a certificate, is judged first: who shows one must not be kept out by those who never do.
    if (!shows && !this.#admitsNobody(connection, exchange, now)) return ok(undefined);
    const grant = grantShown(route, parameters, token);
    if (!grant.ok) return grant;
    const { value: shown } = grant;
    const agent = this.#identification.identify(connection, exchange, parameters, requirement, shown, now);
    // Its token would have made it known.
    if (!agent.ok) return agent.fault.code === "agent-unknown" && token?.ok === false ? token : agent;
    const asked = { exchange, connection, agent: agent.value, headers: request.headers, mediaTime };
    // The proof covers them as they came.
    const typed = typedParameters(parameters, body.value.queried, ENDPOINTS[route].input.schema);
    if (!isProved(asked)) return this.#routing.answerAnybody(routed.value, asked, typed, now);
    const { agentId, genesis } = asked.agent;
    exchange.caller = agentId;
    exchange.gateway = connection.gateway?.agentId;
    exchange.callerOwner = genesis.ownerId;
    exchange.callerWarning = asked.agent.trust.warning;
    exchange.assurance = assuranceOf(connection);
    if (connection.authority.certificate !== undefined) this.#revoking.watch(now);
    // The first request of a connection: only now it is known whose it is.
    const allowed = wasBound ? ok(undefined) : this.#rates.take(asked.agent, connection, now);
    if (!allowed.ok) return allowed;
    const kept = keepGrant(route, connection, agentId, shown, this.#desk.config);
    if (!kept.ok) return kept;
    if (requirement !== "anonymous" && exchange.agentId === undefined) {
      return refuse("agent-id-missing", "Every request names the agent it is from.", "header Agent-ID");
    }
    // RESUME has an order of its own: its nonce is burnt first.
    if (requirement !== "anonymous" && route !== RESUME) {
      const alive = this.#desk.registry.alive(asked.agent);
      if (!alive.ok) return alive;
    }
    const forGateways = checkAsking(this.#desk, route, connection, requirement === "anonymous");
    if (!forGateways.ok) return forGateways;
    const granted = checkGrant(route, connection, shown, this.#desk.config, now);
    if (!granted.ok) return granted;
    const assured = named === undefined ? ok(undefined) : this.#requests.assured(asked, named, now);
    if (!assured.ok) return assured;
    if (named !== undefined && this.#requests.takesPart(agentId, named, now)) {
      exchange.sessionId = named;
      if (route !== RESUME) this.#authorities.asked(named, agentId, connection, now);
    }
    const owner = checkOwner(asked.agent, request.headers);
    if (!owner.ok) return owner;
    const zone = checkZone(connection.authority, request.headers);
    if (!zone.ok) return zone;
    // An offer is judged in an order of its own, with its own claim.
    if (route !== "ESTABLISH /sessions") {
      const claim = checkClaim(this.#desk.registry, asked.agent, connection.authority, request.headers);
      if (!claim.ok) return claim;
    }
    const key = request.headers.get("Idempotency-Key");
    if (key === undefined || !isRepeatable(route))
      return this.#routing.answerAgent(routed.value, asked, typed, now);
    const repeated = this.#repeats.find(exchange, agentId, key, parameters, now);
    if (!repeated.ok) return repeated;
    if (repeated.value === undefined) return this.#routing.answerAgent(routed.value, asked, typed, now);
    if (repeated.value.fault !== undefined) return { ok: false, fault: repeated.value.fault };
    this.#desk.replies.repeat(exchange, repeated.value, now);
    return ok(undefined);
  }
}
