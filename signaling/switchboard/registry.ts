import { canonicalBytes, type JsonObject } from "../../codecs/canonical-json.ts";
import { encodeHex } from "../../codecs/hex.ts";
import { ok, type Result, refuse } from "../../codecs/result.ts";
import type { Verifier } from "../../codecs/signer.ts";
import type { Authority } from "../authority.ts";
import { forgottenMark } from "../forgotten.ts";
import { type Genesis, verifyGenesis } from "../genesis.ts";
import { type AgentStatus, type IdentityDocument, readIdentityDocument } from "../identity-document.ts";
import { encodePublicKey } from "../keys.ts";
import type { AgentEntry, LogEntry, StatusChange } from "../record-log.ts";
import { effectiveScope, grantedScope, type ScopeSet } from "../scope.ts";
import { mayTalk, type TrustPosture, trustPosture, withoutTalking } from "../trust.ts";
import { parseUtc } from "../utc-time.ts";
import type { SwitchboardConfig } from "./config.ts";
import type { Outputs } from "./outputs.ts";
import { SelfRegistered } from "./self-registered.ts";

/** A registered agent: both documents verified. */
export interface RegisteredAgent {
  readonly agentId: string;
  readonly genesis: Genesis;
  readonly document: IdentityDocument;
  /** As the document says, or as the issuer has changed it here since. */
  readonly status: AgentStatus;
  readonly trust: TrustPosture;
}

/**
 * The name an owner counts by: its own, with who vouches for it. Whoever issues its own Genesis may write any owner into it, and
 * must not use up what that one's agents may.
 */
export function vouchedOwner({ genesis }: RegisteredAgent): string {
  return `${encodeHex(genesis.issuerKey)} ${genesis.ownerId}`;
}

/** The agents this server knows, at most `limits.agents`. */
export class Registry {
  readonly #config: SwitchboardConfig;
  readonly #policy: ScopeSet;
  /** Whose word on tier 1 counts. */
  readonly #issuers: "any" | ReadonlySet<string>;
  readonly #verifier: Verifier;
  readonly #outputs: Outputs;
  /** The server itself: who proves itself with its key operates it. No agent, so neither listed nor called. */
  readonly operator: RegisteredAgent;
  /** `forgottenMark`s: grow with erasures alone. */
  readonly #forgotten = new Set<string>();
  readonly #agents = new Map<string, RegisteredAgent>();
  /** What was said here by lifecycle methods; of registered agents alone. */
  readonly #lifecycle = new Map<string, StatusChange>();
  readonly #changed = new Set<string>();
  readonly #own: SelfRegistered;
  /** Agent-IDs in order, made when first asked for after a change. */
  #order: readonly string[] | undefined;

  /** `policy` is `config.policyScope`, read; `own` are this server's documents. */
  constructor(
    config: SwitchboardConfig,
    policy: ScopeSet,
    verifier: Verifier,
    outputs: Outputs,
    own: Pick<RegisteredAgent, "genesis" | "document">,
  ) {
    const { genesis, document } = own;
    const trust = trustPosture(genesis, document, true);
    this.operator = { agentId: genesis.agentId, genesis, document, status: "active", trust };
    this.#config = config;
    this.#policy = policy;
    const { genesisIssuers: issuers } = config;
    this.#issuers = issuers === "any" ? issuers : new Set([...issuers, encodePublicKey(genesis.agentKey)]);
    this.#verifier = verifier;
    this.#outputs = outputs;
    this.#own = new SelfRegistered(config.limits.selfRegisteredAgents);
    if (config.registration === "open") outputs.log("warn", "registration-open");
    if (config.trustFloor !== "verified")
      outputs.log("warn", "trust-floor-lowered", { floor: config.trustFloor });
  }

  /** Takes the agents the log remembers, the last entry of each. What does not verify is left out and logged. */
  load(entries: Iterable<AgentEntry>): void {
    const own: [agentId: string, since: number][] = [];
    for (const entry of entries) {
      const { agentId, changed, selfRegisteredAt: since } = entry;
      if (changed !== undefined) this.#lifecycle.set(agentId, changed);
      const agent = this.#read(agentId, entry.genesis, entry.identityDocument);
      if (agent.ok) {
        this.#set(agent.value);
        if (since !== undefined && mayGo(agent.value, changed)) own.push([agentId, since]);
      } else
        this.#outputs.log("error", "agent-entry-unreadable", {
          agentId: entry.agentId,
          code: agent.fault.code,
        });
    }
    this.#own.load(own);
  }

  /** Whether there is no room for another agent, one that registers itself (`isOwn`) or one that is registered. */
  isFull(isOwn: boolean): boolean {
    return this.#agents.size >= this.#config.limits.agents || (isOwn && this.#own.isFull);
  }

  /** An agent is here, or was until now. */
  seen(agentId: string): void {
    this.#own.seen(agentId);
  }

  /** Knows one agent less: of those that registered themselves, and of whom nobody has said anything, the one that was not here for longest. */
  evict(isBusy: (agentId: string) => boolean): string | undefined {
    const agentId = this.#own.takeEldest(isBusy);
    if (agentId === undefined) return undefined;
    this.#agents.delete(agentId);
    this.#order = undefined;
    return agentId;
  }

  /** Registered agents. */
  get size(): number {
    return this.#agents.size;
  }

  get(agentId: string): RegisteredAgent | undefined {
    return this.#agents.get(agentId);
  }

  /** Who speaks on a connection that is bound to this Agent-ID: a registered agent, or the operator. */
  acting(agentId: string): RegisteredAgent | undefined {
    return agentId === this.operator.agentId ? this.operator : this.get(agentId);
  }

  /** Agents by ascending Agent-ID behind `after`, at most `count`. */
  page(after: string | undefined, count: number): RegisteredAgent[] {
    this.#order ??= [...this.#agents.keys()].sort();
    const order = this.#order;
    const start = after === undefined ? 0 : order.findIndex((id) => id > after);
    if (start < 0) return [];
    return order.slice(start, start + count).map((id) => this.#agents.get(id) as RegisteredAgent);
  }

  /**
   * The agent a request names, from the registry or, where it may register itself, from the documents it brings. `isVouchedFor`: an
   * issuer of access tokens that the server trusts names it. Nothing is
   * kept yet: that is {@link admit}, once the proof holds.
   */
  find(
    agentId: string,
    genesis: string | undefined,
    document: string | undefined,
    isVouchedFor = false,
  ): Result<RegisteredAgent> {
    if (agentId === this.operator.agentId) {
      return refuse("agent-mismatch", "This is the server itself: its own key alone speaks for it.");
    }
    const known = this.#agents.get(agentId);
    if (known === undefined) return this.#newcomer(agentId, genesis, document, isVouchedFor);
    if (document === undefined) return ok(known);
    // A newer document of the same issuer replaces the one on file, and one that retires the agent, of any time, for ever.
    const renewed = readIdentityDocument(encoder.encode(document), known.genesis, this.#verifier);
    if (!renewed.ok) return renewed;
    if (known.status === "retired") return ok(known);
    const isNewer = timeOf(renewed.value.updatedAt) > timeOf(known.document.updatedAt);
    if (!isNewer && renewed.value.status !== "retired") return ok(known);
    return ok(this.#describe(known.genesis, renewed.value));
  }

  /** An agent that nobody registered yet, from documents that the operator vouches for; {@link admit} keeps it. */
  enrol(agentId: string, genesis: string, document: string): Result<RegisteredAgent> {
    if (agentId === this.operator.agentId) return refuse("agent-mismatch", "This is the server itself.");
    return this.#read(agentId, encoder.encode(genesis), encoder.encode(document));
  }

  /** Has an agent known as retired until it is forgotten. */
  retireToForget(agentId: string): void {
    const agent = this.#agents.get(agentId);
    if (agent !== undefined) this.#set({ ...agent, status: "retired" });
  }

  /** Knows an agent no more, and its Agent-ID as one that does not register itself again. */
  forget(agentId: string): void {
    this.#agents.delete(agentId);
    this.#own.delete(agentId);
    this.#lifecycle.delete(agentId);
    this.#order = undefined;
    this.#forgotten.add(forgottenMark(agentId));
  }

  /** Takes the marks of agents that were erased before. */
  forgetAll(marks: Iterable<string>): void {
    for (const mark of marks) this.#forgotten.add(mark);
  }

  /** Whether the agent was erased, and has not been registered since. */
  isForgotten(agentId: string): boolean {
    if (this.#forgotten.size === 0 || this.#agents.has(agentId)) return false;
    return this.#forgotten.has(forgottenMark(agentId));
  }

  /**
   * Keeps what {@link find} returned, by the agent's own word at that time, or by that of somebody who vouches for it, so that it stays. Gives the log entry
   * to append when it is news.
   */
  admit(agent: RegisteredAgent, by: { readonly itself: number } | "other"): LogEntry | undefined {
    const { agentId, genesis, document } = agent;
    if (agent === this.operator) return undefined;
    const wasOwn = this.#own.since(agentId) !== undefined;
    if (by === "other") this.#own.delete(agentId);
    const known = this.#agents.get(agentId);
    if (known === agent && (this.#own.since(agentId) !== undefined) === wasOwn) return undefined;
    if (known === undefined) {
      this.#outputs.log("info", "agent-registered", { agentId, name: genesis.name });
      if (by !== "other") this.#own.add(agentId, by.itself);
    }
    this.#set(agent);
    const selfRegisteredAt = this.#own.since(agentId);
    return {
      ...{ kind: "agent", agentId, genesis: genesis.bytes, identityDocument: document.bytes },
      ...(selfRegisteredAt === undefined ? {} : { selfRegisteredAt }),
    };
  }

  /**
   * Keeps what the issuer or the operator said of an agent's status, over what the identity document on file says. The caller
   * has seen to it that an issuer lifts nothing of {@link operatorsWord}.
   */
  changeStatus(
    agent: RegisteredAgent,
    status: AgentStatus,
    by: "issuer" | "operator",
    now: number,
  ): StatusChange {
    const atLeast = by === "operator" ? status : this.operatorsWord(agent);
    const at = Math.max(Math.floor(now), timeOf(agent.document.updatedAt));
    const changed = { status, at, atLeast };
    this.#lifecycle.set(agent.agentId, changed);
    this.#own.delete(agent.agentId);
    this.#set({ ...agent, status });
    return changed;
  }

  /** The status that the operator gave an agent last, `active` where it gave none. */
  operatorsWord({ agentId }: RegisteredAgent): AgentStatus {
    return this.#lifecycle.get(agentId)?.atLeast ?? "active";
  }

  /** Refuses an agent that may not act now: suspended or retired. */
  alive({ agentId, status }: RegisteredAgent): Result<void> {
    if (status === "suspended") return refuse("agent-suspended", `Agent ${agentId} is suspended.`);
    if (status === "retired") return refuse("agent-retired", `Agent ${agentId} is retired.`);
    return ok(undefined);
  }

  /**
   * Refuses an agent that may not call or be called now: one that is not {@link alive}, or that is not trusted enough for what it shows.
   * Without `authority` it is not known what it would show.
   */
  standing(agent: RegisteredAgent, authority?: Authority): Result<RegisteredAgent> {
    const alive = this.alive(agent);
    if (!alive.ok) return alive;
    const { tier, path, warning } = agent.trust;
    const { trustFloor } = this.#config;
    if (this.#mayTalk(agent, authority)) return ok(agent);
    return refuse(
      "scope-violation",
      tier === 2
        ? "An agent of trust tier 2 talks here with an Agent Certificate."
        : "Agents of trust tier 3 do not talk here.",
      "trust_tier",
      {
        ...{ trust_tier: tier, verification_path: path, trust_floor: trustFloor },
        ...(warning === undefined ? {} : { trust_warning: warning }),
        missing_scopes: ["communication:*"],
      },
    );
  }

  /** Claim, documents, what else the agent showed, and policy intersected; `spec/agtp.md` 5.3. */
  scopeOf(agent: RegisteredAgent, claim: ScopeSet, authority: Authority): Result<ScopeSet> {
    return effectiveScope({ claim, ...this.#sources(agent, authority) });
  }

  /** The same without a claim: the most the agent may do now. Of one that is not here, certificates are judged when it comes back. */
  grantedTo(agent: RegisteredAgent, authority: Authority, isHere: boolean): ScopeSet {
    const isTrusted = this.#mayTalk(agent, isHere ? authority : undefined);
    return grantedScope(this.#sources(agent, authority, isTrusted));
  }

  /** Agents whose documents or status on file changed since this was last asked. */
  takeChanged(): readonly string[] {
    if (this.#changed.size === 0) return [];
    const changed = [...this.#changed];
    this.#changed.clear();
    return changed;
  }

  #mayTalk({ trust }: RegisteredAgent, authority: Authority | undefined): boolean {
    const isCertified = authority === undefined || authority.certificate !== undefined;
    return mayTalk(trust.tier, isCertified, this.#config.trustFloor);
  }

  #sources(agent: RegisteredAgent, authority: Authority, isTrusted = this.#mayTalk(agent, authority)) {
    const { document, genesis } = agent;
    const { certificate, grant } = authority;
    return {
      document: document.scope,
      genesis: genesis.scope,
      certificate: certificate?.commitment,
      grant: grant?.scope,
      policy: isTrusted ? this.#policy : withoutTalking(this.#policy),
    };
  }

  #set(agent: RegisteredAgent): void {
    if (this.#agents.has(agent.agentId)) this.#changed.add(agent.agentId);
    else this.#order = undefined;
    this.#agents.set(agent.agentId, agent);
    // That one is retired is not forgotten.
    if (!mayGo(agent, this.#lifecycle.get(agent.agentId))) this.#own.delete(agent.agentId);
  }

  #newcomer(
    agentId: string,
    genesis: string | undefined,
    document: string | undefined,
    isVouchedFor: boolean,
  ): Result<RegisteredAgent> {
    if (this.isForgotten(agentId)) return refuse("agent-erased", "This Agent-ID was erased here, for good.");
    const { registration } = this.#config;
    if (registration === "closed") {
      return refuse("agent-unknown", "This agent is not registered here, and registration is closed.");
    }
    if (registration === "token" && !isVouchedFor) {
      return refuse(
        "agent-unknown",
        "This agent is not registered here: bring an access token of an issuer that this server trusts.",
        "header Authorization",
      );
    }
    if (genesis === undefined || document === undefined) {
      return refuse(
        "agent-unknown",
        "This agent is not registered here: send its Genesis and identity document with the proof.",
        genesis === undefined ? "parameters.genesis" : "parameters.identity_document",
      );
    }
    return this.#read(agentId, encoder.encode(genesis), encoder.encode(document));
  }

  #read(agentId: string, genesisBytes: Uint8Array, documentBytes: Uint8Array): Result<RegisteredAgent> {
    const genesis = verifyGenesis(genesisBytes, agentId, this.#verifier);
    if (!genesis.ok) return genesis;
    const document = readIdentityDocument(documentBytes, genesis.value, this.#verifier);
    if (!document.ok) return document;
    return ok(this.#describe(genesis.value, document.value));
  }

  #describe(genesis: Genesis, document: IdentityDocument): RegisteredAgent {
    const { agentId } = genesis;
    const isVouched = this.#issuers === "any" || this.#issuers.has(encodePublicKey(genesis.issuerKey));
    const trust = trustPosture(genesis, document, isVouched);
    return { agentId, genesis, document, status: this.#statusOf(agentId, document), trust };
  }

  /**
   * Retired is for ever, whoever said it; else what was said here counts over documents from before. A later one can only be
   * stricter: who was stopped here is let go on here.
   */
  #statusOf(agentId: string, document: IdentityDocument): AgentStatus {
    const changed = this.#lifecycle.get(agentId);
    if (changed === undefined) return document.status;
    const isLater = timeOf(document.updatedAt) > changed.at || document.status === "retired";
    return isLater && isStricter(document.status, changed.status) ? document.status : changed.status;
  }
}

/** Whether an agent may be as unknown as before: nobody said anything of it here, and it is not retired for ever. */
function mayGo({ status }: RegisteredAgent, changed: StatusChange | undefined): boolean {
  return changed === undefined && status !== "retired";
}

/** Whether one status leaves an agent less than another. */
export function isStricter(status: AgentStatus, than: AgentStatus): boolean {
  return BY_STRICTNESS.indexOf(status) > BY_STRICTNESS.indexOf(than);
}

const BY_STRICTNESS: readonly AgentStatus[] = ["active", "deprecated", "suspended", "retired"];

/** How far an agent is trusted here, and what must be said beside it. */
export function trustFacts({ trust: { tier, path, warning } }: RegisteredAgent) {
  return {
    trust_tier: tier,
    verification_path: path,
    ...(warning === undefined ? {} : { trust_warning: warning }),
  };
}

/** The `Trust-Warning` of answers to or about these agents. */
export function warningsOf(...agents: readonly RegisteredAgent[]): readonly string[] {
  return agents.flatMap(({ trust }) => trust.warning ?? []);
}

/** What the server says an agent's standing is at `now`: its claim, kept with the evidence. */
function statusOf(agent: RegisteredAgent, now: number): JsonObject {
  return {
    agent_id: agent.agentId,
    status: agent.status,
    ...trustFacts(agent),
    at: Math.floor(now),
  };
}

/** An agent's documents as text, byte-exact, and its standing: what the other end judges it by. */
export function introduce(agent: RegisteredAgent, now: number): JsonObject {
  return {
    genesis: decoder.decode(agent.genesis.bytes),
    identity_document: decoder.decode(agent.document.bytes),
    status: statusOf(agent, now),
  };
}

/** The same as one artifact, with the certificate that proved the agent, where one did, and how a gateway that acts for it stands. */
export function statusBytes(
  agent: RegisteredAgent,
  { certificate }: Authority,
  now: number,
  gateway?: RegisteredAgent,
): Uint8Array {
  const shown = certificate && {
    serial: certificate.serial,
    fingerprint: certificate.fingerprint,
    issuer_key: certificate.issuerKeyId,
    not_after: certificate.notAfter,
  };
  return canonicalBytes({
    ...statusOf(agent, now),
    ...(shown === undefined ? {} : { certificate: shown }),
    ...(gateway === undefined ? {} : { gateway: statusOf(gateway, now) }),
  });
}

function timeOf(text: string): number {
  const parsed = parseUtc(text);
  return parsed.ok ? parsed.value : Number.NEGATIVE_INFINITY;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
