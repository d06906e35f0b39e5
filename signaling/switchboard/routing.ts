import type { JsonObject } from "../../codecs/canonical-json.ts";
import { ok, type Result, refuse } from "../../codecs/result.ts";
import type { Routed } from "../paths.ts";
import { commaList } from "../query-values.ts";
import { SESSION_NOTICES, type SessionNotice as SessionNoticeContent } from "../session-notice.ts";
import { readShape } from "../shape.ts";
import type { Answering } from "./answering.ts";
import { type Asked, type AskedByAnybody, isProved } from "./asked.ts";
import type { Attaching } from "./attaching.ts";
import type { Authorities } from "./authorities.ts";
import type { Changes } from "./changes.ts";
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
import type { Erasing } from "./erasing.ts";
import type { EvidenceReading } from "./evidence-reading.ts";
import { DEFAULT_INBOX } from "./inboxes.ts";
import type { Inspection } from "./inspection.ts";
import type { Lifecycle, LifecycleMethod } from "./lifecycle.ts";
import type { Notices } from "./notices.ts";
import { judgeWithoutOffer } from "./offerless.ts";
import { checkOperated } from "./operator.ts";
import {
  ACK_NOTICE,
  type AckNotice,
  AGENTS,
  CLOCK,
  CONFIRM_TARGET,
  DESCRIBE,
  INSPECT,
  LIFECYCLE,
  NOTIFY,
  QUERY,
  REDACT,
  REVOCATION,
  SUBSCRIBE,
  type SubscribeParameters,
} from "./parameters.ts";
import { ADJUST_PEER, OPEN_PEER } from "./peer-parameters.ts";
import type { PeerRequests } from "./peer-requests.ts";
import type { RecordReading } from "./record-reading.ts";
import { warningsOf } from "./registry.ts";
import { isRevocation } from "./requirements.ts";
import type { Revoking } from "./revoking.ts";
import type { Ringing } from "./ringing.ts";
import type { SessionNotices } from "./session-notices.ts";
import {
  ADJUST,
  CLOSE_STREAM,
  CLOSING_NOTICE,
  CONFIRM,
  CONFIRM_CHANGE,
  confirmsChange,
  ESTABLISH,
  INTERRUPT_NOTICE,
  OPEN_MEDIA,
  RECORDS,
  RESUME,
  SESSION_NOTICE,
  STREAM_CHANGE,
  SUSPEND,
  TERMINATE,
} from "./session-parameters.ts";
import type { SessionRequests } from "./session-requests.ts";
import type { Steering } from "./steering.ts";
import type { Suspending } from "./suspending.ts";

/** The parts that requests are handed to. */
export interface Departments {
  readonly ringing: Ringing;
  readonly answering: Answering;
  readonly requests: SessionRequests;
  readonly evidence: EvidenceReading;
  readonly changes: Changes;
  readonly steering: Steering;
  readonly sessionNotices: SessionNotices;
  readonly records: RecordReading;
  readonly inspection: Inspection;
  readonly lifecycle: Lifecycle;
  readonly erasing: Erasing;
  readonly authorities: Authorities;
  readonly revoking: Revoking;
  readonly notices: Notices;
  readonly attaching: Attaching;
  readonly suspending: Suspending;
  readonly peers: PeerRequests;
}

/** Hands every request, its form checked, to the part that answers it. */
export class Routing {
  readonly #desk: Desk;
  readonly #departments: Departments;

  constructor(desk: Desk, departments: Departments) {
    this.#desk = desk;
    this.#departments = departments;
  }

  /** What needs nobody in particular. */
  answerAnybody(routed: Routed, asked: AskedByAnybody, parameters: JsonObject, now: number): Result<void> {
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
    if (isRevocation(routed.route, parameters)) return this.#revoke(asked, parameters, now);
    if (routed.route === "INSPECT /" && (isProved(asked) || this.#desk.config.recordReading === "public")) {
      const read = readShape(INSPECT, parameters, AT);
      return read.ok ? this.#departments.inspection.inspect(asked, read.value, now) : read;
    }
    const result = this.#discover(routed, asked, parameters, now);
    if (!result.ok) return result;
    const about = "agent_id" in routed.params ? this.#desk.registry.get(routed.params.agent_id) : undefined;
    const warnings = about === undefined ? [] : warningsOf(about);
    this.#desk.replies.answer(exchange, { result: result.value, warnings }, now);
    return ok(undefined);
  }

  #revoke(asked: AskedByAnybody, parameters: JsonObject, now: number): Result<void> {
    const { content = parameters.event } = parameters;
    const read = readShape(REVOCATION, { ...parameters, ...(content === undefined ? {} : { content }) }, AT);
    return read.ok ? this.#departments.revoking.notify(asked, read.value, now) : read;
  }

  #describe(parameters: JsonObject): Result<JsonObject> {
    const domains = parameters.capability_domains;
    const listed = typeof domains === "string" ? { capability_domains: commaList(domains) } : {};
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
        return read.ok ? ok(agentList(this.#desk, asked, read.value.after)) : read;
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

  /** What is for agents that proved who they are. */
  answerAgent(routed: Routed, asked: Asked, parameters: JsonObject, now: number): Result<void> {
    if (isRevocation(routed.route, parameters)) return this.#revoke(asked, parameters, now);
    const operated = checkOperated(this.#desk, asked, routed.route);
    if (!operated.ok) return operated;
    const { ringing, answering, requests, evidence, steering, changes, records, attaching, suspending } =
      this.#departments;
    switch (routed.route) {
      case "SUBSCRIBE /agents/{agent_id}/inbox": {
        const read = readShape(SUBSCRIBE, parameters, AT);
        if (!read.ok) return read;
        return this.#subscribe(asked, routed.params.agent_id, read.value, now);
      }
      case "NOTIFY /agents/{agent_id}/inbox": {
        const read = readShape(ACK_NOTICE, parameters, AT);
        if (!read.ok) return read;
        return this.#acknowledge(asked, routed.params.agent_id, read.value, now);
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
      case "REDACT /records": {
        const read = readShape(REDACT, parameters, AT);
        return read.ok ? this.#departments.erasing.redact(asked, read.value) : read;
      }
      case "TERMINATE /offers/{offer_id}":
        return ringing.cancel(asked, routed.params.offer_id, now);
      case "CONFIRM /sessions/{session_id}": {
        if (confirmsChange(parameters)) {
          const read = readShape(CONFIRM_CHANGE, parameters, AT);
          return read.ok ? changes.confirm(asked, routed.params.session_id, read.value, now) : read;
        }
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
        if (!read.ok) return read;
        const { narrowing, change } = read.value;
        const { session_id: id } = routed.params;
        if (change !== undefined && narrowing === undefined)
          return changes.ask(asked, id, change, "session", now);
        if (change === undefined && narrowing !== undefined)
          return steering.narrow(asked, id, narrowing, undefined, now);
        return refuse("field-invalid", "Say what is to be adjusted: a narrowing or a change.", AT);
      }
      case "OPEN /sessions/{session_id}/streams": {
        const read = readShape(STREAM_CHANGE, parameters, AT);
        const { session_id: id } = routed.params;
        return read.ok ? changes.ask(asked, id, read.value.change, "open", now) : read;
      }
      case "ADJUST /sessions/{session_id}/streams/{stream}": {
        const read = readShape(STREAM_CHANGE, parameters, AT);
        if (!read.ok) return read;
        const stream = streamOf(routed.params.stream);
        if (!stream.ok) return stream;
        return changes.ask(asked, routed.params.session_id, read.value.change, stream.value, now);
      }
      case "CLOSE /sessions/{session_id}/streams/{stream}": {
        const read = readShape(CLOSE_STREAM, parameters, AT);
        if (!read.ok) return read;
        const stream = streamOf(routed.params.stream);
        if (!stream.ok) return stream;
        return steering.narrow(asked, routed.params.session_id, read.value.narrowing, stream.value, now);
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
      case "OPEN /webrtc": {
        const read = readShape(OPEN_PEER, parameters, AT);
        return read.ok ? this.#departments.peers.open(asked, read.value, parameters) : read;
      }
      case "ADJUST /webrtc/{peer_id}": {
        const read = readShape(ADJUST_PEER, parameters, AT);
        const { peer_id: id } = routed.params;
        return read.ok ? this.#departments.peers.adjust(asked, id, read.value, parameters) : read;
      }
      case "CLOSE /webrtc/{peer_id}":
        return this.#departments.peers.close(asked, routed.params.peer_id, parameters, now);
      default:
        return this.answerAnybody(routed, asked, parameters, now);
    }
  }

  #notice(asked: Asked, sessionId: string, parameters: JsonObject, now: number): Result<void> {
    const { requests, steering, sessionNotices } = this.#departments;
    const notice = readShape(SESSION_NOTICE, parameters, AT);
    if (!notice.ok) return notice;
    const { event } = notice.value.content;
    if (event === "interrupt") {
      const read = readShape(INTERRUPT_NOTICE, parameters, AT);
      return read.ok ? steering.interrupt(asked, sessionId, read.value.content, now) : read;
    }
    if (event !== "closing-statement") {
      const read = readShape<SessionNoticeContent>(
        SESSION_NOTICES[event],
        parameters.content,
        `${AT}.content`,
      );
      return read.ok ? sessionNotices.tell(asked, sessionId, read.value, now) : read;
    }
    const read = readShape(CLOSING_NOTICE, parameters, AT);
    return read.ok ? requests.close(asked, sessionId, read.value.content.closing, now) : read;
  }

  #subscribe(asked: Asked, agentId: string, parameters: SubscribeParameters, now: number): Result<void> {
    if (agentId !== asked.agent.agentId)
      return refuse("agent-mismatch", "This is another agent's inbox.", "path");
    const standing = this.#desk.registry.standing(asked.agent, asked.connection.authority);
    if (!standing.ok) return standing;
    const { inbox: name = DEFAULT_INBOX, after = 0, calls = true } = parameters;
    const { gateway } = asked.connection;
    const sessions = this.#departments.attaching.sessionsOf(agentId, gateway);
    const subscription = { name, after, calls, sessions };
    const subscribed = this.#desk.inboxes.subscribe(asked.exchange, agentId, subscription, now);
    if (!subscribed.ok) return subscribed;
    if (calls) this.#departments.ringing.calleeBack(agentId, name, subscribed.value, now);
    return ok(undefined);
  }

  #acknowledge(asked: Asked, agentId: string, { content, inbox }: AckNotice, now: number): Result<void> {
    if (agentId !== asked.agent.agentId)
      return refuse("agent-mismatch", "This is another agent's inbox.", "path");
    const { inboxes, replies } = this.#desk;
    const name = inboxes.nameFor(agentId, asked.connection.id, inbox);
    const seq = content.inbox_seq;
    if (!inboxes.acknowledge(agentId, name, seq)) {
      return refuse("field-invalid", "No event has that number.", "content.inbox_seq");
    }
    replies.answer(asked.exchange, { result: { inbox_seq: seq } }, now);
    return ok(undefined);
  }
}

type LifecycleRouted = Extract<Routed, { readonly route: `${LifecycleMethod} ${string}` }>;

function isLifecycle(routed: Routed): routed is LifecycleRouted {
  return ENDPOINTS[routed.route].input === LIFECYCLE;
}

/** The stream that a path names. Fault: `target-not-found`. */
function streamOf(segment: string): Result<number> {
  const stream = /^[0-9]{1,10}$/.test(segment) ? Number(segment) : undefined;
  if (stream !== undefined) return ok(stream);
  return refuse("target-not-found", "A stream is named by its number.", "path");
}

const AT = "parameters";
