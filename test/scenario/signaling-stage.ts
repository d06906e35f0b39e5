/** One switchboard on virtual time, with a stand-in for the driver that holds it to its contract. */

import type { JsonObject } from "../../codecs/canonical-json.ts";
import { type HeaderField, Headers } from "../../codecs/headers.ts";
import { encodeHex } from "../../codecs/hex.ts";
import {
  type AgtpRequest,
  type AgtpResponse,
  type Dialect,
  serializeRequest,
  serializeResponse,
} from "../../codecs/message.ts";
import { type Result, refuse } from "../../codecs/result.ts";
import type { AdmissionMessage, FlowCounters } from "../../signaling/admission.ts";
import type { AccessGrant } from "../../signaling/authority.ts";
import type { CertificateRules } from "../../signaling/certificate/agent-certificate.ts";
import { verifyServerChain } from "../../signaling/record-chain.ts";
import type { AgentEntry, LogEntry } from "../../signaling/record-log.ts";
import type { SharedState } from "../../signaling/shared-state.ts";
import { DEFAULT_LIMITS, type SwitchboardConfig } from "../../signaling/switchboard/config.ts";
import type { EvidenceFile, SwitchboardInput, SwitchboardOutput } from "../../signaling/switchboard/io.ts";
import { Switchboard } from "../../signaling/switchboard/switchboard.ts";
import { lookUp } from "../../src/server/look-up.ts";
import { strictVerifier } from "../keys.ts";
import { CALL_TIME, must, type TestAgent, testAgent } from "../signed-call.ts";

export type Output<K extends SwitchboardOutput["kind"]> = Extract<SwitchboardOutput, { kind: K }>;

/** What has come back on one exchange. */
export interface Arrivals {
  readonly responses: AgtpResponse[];
  isOver: boolean;
}

export const ORIGIN = "https://127.0.0.1:4480";
export const CERTIFICATE = new Uint8Array(32).fill(0xce);

/** What is said of a connection besides where it was accepted. */
export type OpeningFacts = Partial<
  Pick<
    Extract<SwitchboardInput, { kind: "opened" }>,
    "carrier" | "channelBinding" | "peerKey" | "peerCertificates" | "network"
  >
>;

export interface StageOptions {
  readonly config?: Partial<SwitchboardConfig>;
  /** Seed byte of the server's key; default 3. */
  readonly server?: number;
  /** Trust tier of the server itself; default 2. */
  readonly serverTier?: 1;
  /** A switchboard that starts with what an earlier one left. */
  readonly log?: readonly LogEntry[];
  /** What Agent Certificates are judged by. */
  readonly certificates?: CertificateRules;
  /** Used proofs and spent rates that other switchboards share. */
  readonly shared?: SharedState;
}

export class Stage {
  now = CALL_TIME;
  readonly server: TestAgent;
  readonly log: LogEntry[];
  readonly admissions: AdmissionMessage[] = [];
  readonly items: Output<"item">[] = [];
  readonly closes: Output<"close">[] = [];
  readonly logs: Output<"log">[] = [];
  readonly exchanges = new Map<number, Arrivals>();
  /** What the relay will answer to `counters-wanted`; set a session to `undefined` to leave it unanswered. */
  readonly counters = new Map<string, readonly FlowCounters[] | undefined>();
  /** What the carrier of WebRTC peers says to a request; `undefined`: not yet. */
  peers: (wanted: Extract<SwitchboardOutput, { kind: "peer-wanted" }>) => Result<JsonObject> | undefined =
    () => refuse("webrtc-unavailable", "There is no carrier here.");
  /** Exchanges of such requests that nobody waits for any more. */
  readonly unwanted: number[] = [];
  isDrained = false;
  /** What the clients of connections that are opened now may have dialled. */
  origins: readonly string[] = [ORIGIN];
  /** Whether clients take what is sent to them. */
  isTaking = true;
  /** Flows whose streams were ended. */
  readonly finishes: Output<"finish">[] = [];
  /** Connections that were turned into ones for media, in order. */
  readonly mediaConnections: number[] = [];
  /** How often an evidence file was asked for. */
  evidenceBuilds = 0;
  /** How often a token was to be judged. */
  tokensJudged = 0;
  /** What the switchboard was given as random bytes, in order. */
  readonly randomGiven: Uint8Array[] = [];
  /** Set: what evidence files hold, instead of the session's artifacts. */
  evidenceText: string | undefined;
  readonly #switchboard: Switchboard;
  /** What comes of judging the tokens that requests bring. */
  readonly #tokens = new Map<number, Result<AccessGrant>>();
  #randomCalls = 0;
  #nextConnection = 1;
  #nextExchange = 1;

  constructor(options: StageOptions = {}) {
    this.server = testAgent("parley", options.server ?? 3, {
      genesis: { trustTier: options.serverTier ?? 2 },
    });
    this.log = [...(options.log ?? [])];
    const { genesis, document, identity } = this.server;
    const lastRecord = this.log.findLast((entry) => entry.kind === "record");
    this.#switchboard = new Switchboard({
      config: {
        serverId: "parley.test",
        bindings: ["webtransport", "websocket"],
        certificateHashes: () => [CERTIFICATE],
        registration: "open",
        policyScope: ["communication:*"],
        trustFloor: "experimental",
        genesisIssuers: "any",
        agentDisclosure: "public",
        limits: DEFAULT_LIMITS,
        ...options.config,
      },
      identity: {
        agentId: genesis.agentId,
        genesis: genesis.bytes,
        identityDocument: document.bytes,
        signer: identity,
      },
      verifier: strictVerifier,
      random: (n) => this.#random(n),
      agents: this.#agents(),
      certificates: options.certificates,
      revocations: this.log.filter((entry) => entry.kind === "revocation"),
      head: lastRecord,
      ...(options.shared === undefined ? {} : { shared: options.shared }),
    });
    this.#drain();
  }

  /** How much the switchboard keeps, by table. */
  get sizes() {
    return this.#switchboard.sizes();
  }

  open(facts: OpeningFacts = {}): number {
    const connection = this.#nextConnection++;
    this.handle({ kind: "opened", connection, carrier: "memory", origins: this.origins, ...facts });
    return connection;
  }

  /** Sends a request as the wire would carry it. */
  request(
    connection: number,
    request: AgtpRequest,
    token?: Result<AccessGrant>,
  ): { readonly exchange: number; readonly arrivals: Arrivals } {
    serializeRequest(request);
    const exchange = this.newExchange();
    if (token !== undefined) this.#tokens.set(exchange, token);
    this.handle({
      ...{ kind: "request", connection, exchange, request },
      ...(token === undefined ? {} : { token: "unjudged" }),
    });
    return { exchange, arrivals: this.#arrivals(exchange) };
  }

  /** What a bare request without a body is answered, on a connection of its own or the one given. */
  ask(
    method: string,
    path: string,
    headers: readonly HeaderField[] = [],
    connection = this.open(),
    dialect: Dialect = "base",
  ): readonly AgtpResponse[] {
    const request = {
      dialect,
      method,
      path,
      query: new Map(),
      headers: new Headers(headers),
      body: new Uint8Array(),
    };
    return this.request(connection, request).arrivals.responses;
  }

  /** A channel binding that no connection had. */
  newBinding(): Uint8Array {
    return this.#random(32);
  }

  /** An exchange number nobody used. */
  newExchange(): number {
    return this.#nextExchange++;
  }

  handle(input: SwitchboardInput): void {
    this.#switchboard.handle(input, this.now);
    this.#drain();
  }

  /** Lets time pass, waking the switchboard whenever it asked for it. */
  advance(ms: number): void {
    const end = this.now + ms;
    for (let next = this.#switchboard.nextTimeout(); next !== undefined && next <= end; ) {
      this.now = Math.max(this.now, next);
      this.handle({ kind: "tick" });
      next = this.#switchboard.nextTimeout();
    }
    this.now = end;
  }

  /** Payloads of the records of one session, in order. */
  sessionRecords(sessionId: string) {
    const records = this.log.filter((entry) => entry.kind === "record" && entry.sessionId === sessionId);
    return records.map((entry) => (entry.kind === "record" ? entry.jws : ""));
  }

  artifacts(sessionId: string) {
    return this.log
      .filter((entry) => entry.kind === "artifact")
      .filter((entry) => entry.sessionId === sessionId);
  }

  /** The server's whole chain must hold, whatever happened. */
  checkChain(): void {
    const records = this.log.filter((entry) => entry.kind === "record");
    must(
      verifyServerChain(
        records.map((record) => record.jws),
        { publicKey: this.server.identity.publicKey },
        strictVerifier,
      ),
    );
    for (const [index, record] of records.entries()) {
      if (record.chainSeq !== index) throw new Error(`record ${index} says it is ${record.chainSeq}`);
    }
  }

  #drain(): void {
    const wanted: SwitchboardInput[] = [];
    for (let output = this.#switchboard.poll(); output !== undefined; output = this.#switchboard.poll()) {
      const answer = this.#act(output);
      if (answer !== undefined) wanted.push(answer);
    }
    for (const input of wanted) this.handle(input);
  }

  #act(output: SwitchboardOutput): SwitchboardInput | undefined {
    switch (output.kind) {
      case "respond": {
        this.#deliver(output);
        const { connection, exchange } = output;
        return output.final || !this.isTaking ? undefined : { kind: "taken", connection, exchange };
      }
      case "token-wanted": {
        this.tokensJudged++;
        const token = this.#tokens.get(output.exchange);
        return { ...output, kind: "request", ...(token === undefined ? {} : { token }), isCounted: true };
      }
      case "append":
        this.log.push(...output.entries);
        return undefined;
      case "admission":
        this.admissions.push(output.message);
        return undefined;
      case "item":
        this.items.push(output);
        return undefined;
      case "media":
        this.mediaConnections.push(output.connection);
        return undefined;
      case "finish":
        this.finishes.push(output);
        return undefined;
      case "close":
        this.closes.push(output);
        return undefined;
      case "log":
        this.logs.push(output);
        return undefined;
      case "drained":
        this.isDrained = true;
        return undefined;
      case "counters-wanted": {
        const { sessionId } = output;
        const counters = this.counters.has(sessionId) ? this.counters.get(sessionId) : [];
        return counters === undefined ? undefined : { kind: "counters", sessionId, counters };
      }
      case "records-wanted": {
        const { exchange, sessionId, from, count } = output;
        const records = this.sessionRecords(sessionId).slice(from, from + count);
        return { kind: "records", exchange, records };
      }
      case "peer-wanted": {
        const outcome = this.peers(output);
        return outcome === undefined ? undefined : { kind: "peer", exchange: output.exchange, outcome };
      }
      case "peer-unwanted":
        this.unwanted.push(output.exchange);
        return undefined;
      case "look-up-wanted":
        return {
          kind: "looked-up",
          exchange: output.exchange,
          found: lookUp(this.#logReader(), output.what),
        };
      case "evidence-wanted":
        return { kind: "evidence", exchange: output.exchange, evidence: this.#evidence(output.sessionId) };
    }
  }

  /** Registered agents, with what their issuers said last. */
  #agents(): AgentEntry[] {
    const changes = this.log.filter((entry) => entry.kind === "lifecycle");
    const known = new Map<string, AgentEntry>();
    for (const entry of this.log) {
      if (entry.kind === "agent") known.set(entry.agentId, entry);
      else if (entry.kind === "agent-evicted") known.delete(entry.agentId);
    }
    return [...known.values()].map((entry) => {
      const changed = changes.findLast(({ agentId }) => agentId === entry.agentId);
      return changed === undefined ? entry : { ...entry, changed };
    });
  }

  /** The log as the driver reads it. */
  #logReader(): Parameters<typeof lookUp>[0] {
    const records = this.log.filter((entry) => entry.kind === "record");
    return {
      record: (auditId) => records.find((record) => record.auditId === auditId)?.jws,
      sessionRecords: (sessionId, from, count) => this.sessionRecords(sessionId).slice(from, from + count),
      sessionsOf: (agentId, before, count) => {
        const begun = records.filter((record) => record.participant === agentId && record.chainSeq < before);
        const newest = new Map(
          begun.map(({ sessionId = "", chainSeq }) => [sessionId, { sessionId, chainSeq }]),
        );
        return [...newest.values()].sort((a, b) => b.chainSeq - a.chainSeq).slice(0, count);
      },
      chain: (from, count) => records.slice(from, from + count).map(({ jws }) => jws),
      lifecycle: (agentId, count, before = Number.MAX_SAFE_INTEGER) =>
        this.log
          .filter((entry) => entry.kind === "lifecycle")
          .filter((entry) => entry.agentId === agentId && entry.chainSeq < before)
          .toReversed()
          .slice(0, count)
          .map((change) => records.find(({ chainSeq }) => chainSeq === change.chainSeq)?.jws ?? ""),
    };
  }

  #deliver(output: Output<"respond">): void {
    const { response, exchange } = output;
    serializeResponse(response);
    const arrivals = this.#arrivals(exchange);
    if (arrivals.isOver) throw new Error(`a response after the final one on exchange ${exchange}`);
    const auditId = response.headers.get("Audit-ID");
    // Among the last, unless it was answered before.
    const record = this.log.findLast((entry) => entry.kind === "record" && entry.auditId === auditId);
    if (record === undefined) throw new Error("a response before its record");
    arrivals.responses.push(response);
    arrivals.isOver = output.final;
  }

  #arrivals(exchange: number): Arrivals {
    const existing = this.exchanges.get(exchange);
    if (existing !== undefined) return existing;
    const fresh: Arrivals = { responses: [], isOver: false };
    this.exchanges.set(exchange, fresh);
    return fresh;
  }

  /** Enough of an evidence file to read it back: one line per artifact, and who takes part. */
  #evidence(sessionId: string): EvidenceFile | undefined {
    this.evidenceBuilds++;
    const artifacts = this.artifacts(sessionId);
    const core = artifacts.find((entry) => entry.artifact === "core");
    if (core === undefined) return undefined;
    const lines = artifacts.map(
      (entry) => `${entry.artifact} ${entry.leg ?? "-"} ${encodeHex(entry.bytes)}\n`,
    );
    const legs = JSON.parse(new TextDecoder().decode(core.bytes)).legs as { readonly agent_id: string }[];
    return {
      bytes: new TextEncoder().encode(this.evidenceText ?? lines.join("")),
      participants: legs.map((leg) => leg.agent_id),
    };
  }

  /** Deterministic, and different at every call. */
  #random(n: number): Uint8Array {
    this.#randomCalls++;
    const bytes = new Uint8Array(n);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, this.#randomCalls);
    // Where a UUID takes its random part from.
    if (n >= 16) view.setUint32(n - 5, this.#randomCalls);
    bytes[n - 1] = this.server.identity.publicKey[0] as number;
    this.randomGiven.push(bytes.slice());
    return bytes;
  }
}
