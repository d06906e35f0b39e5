import { ParleyError } from "../../codecs/parley-error.ts";
import { type Result, refuse } from "../../codecs/result.ts";
import type { Verifier } from "../../codecs/signer.ts";
import { readGenesis } from "../genesis.ts";
import { readIdentityDocument } from "../identity-document.ts";
import { RecordChain } from "../record-chain.ts";
import { parseScopes } from "../scope.ts";
import { MemoryState, type SharedState } from "../shared-state.ts";
import { Certification } from "./certification.ts";
import type { ServerIdentity, SwitchboardConfig, SwitchboardOptions } from "./config.ts";
import { Connections } from "./connections.ts";
import { Inboxes } from "./inboxes.ts";
import { Outputs } from "./outputs.ts";
import { OwnManifest } from "./own-manifest.ts";
import { Registry } from "./registry.ts";
import { Replies } from "./replies.ts";
import { SessionStates } from "./session-states.ts";
import { Timers } from "./timers.ts";

/** What the parts of one switchboard work with together. */
export interface Desk {
  readonly config: SwitchboardConfig;
  readonly identity: ServerIdentity;
  readonly verifier: Verifier;
  readonly random: (n: number) => Uint8Array;
  readonly outputs: Outputs;
  readonly timers: Timers;
  readonly connections: Connections;
  readonly replies: Replies;
  readonly registry: Registry;
  readonly inboxes: Inboxes;
  readonly states: SessionStates;
  readonly shared: SharedState;
  readonly certification: Certification;
  readonly manifest: OwnManifest;
  /** What the server's identity document says of its trust score, and when that was computed. */
  readonly ownTrust: { readonly trustScore: number; readonly trustScoreAt: string };
}

/** Throws `ParleyError` for a server Genesis or policy scope that cannot be read. */
export function makeDesk(options: SwitchboardOptions): Desk {
  const {
    config,
    identity,
    verifier,
    random,
    head,
    agents,
    forgotten = [],
    shared = new MemoryState(),
  } = options;
  const { certificates, revocations = [] } = options;
  const policy = orThrow(parseScopes(config.policyScope, "policyScope"));
  const genesis = orThrow(readGenesis(identity.genesis, verifier));
  const document = orThrow(readIdentityDocument(identity.identityDocument, genesis, verifier));
  const { ownerId, trustTier, verificationPath } = genesis;
  const { serverId } = config;
  const outputs = new Outputs();
  const timers = new Timers();
  const chain = new RecordChain({ agentId: identity.agentId, ownerId, serverId }, identity.signer, head);
  const manifest = new OwnManifest(config, identity, genesis);
  const { scopeViolationCode = "auto" } = config;
  const facts = { serverId, ownerId, trustTier, verificationPath, scopeViolationCode };
  const replies = new Replies(outputs, chain, random, facts, manifest);
  const registry = new Registry(config, policy, verifier, outputs, { genesis, document });
  registry.load(agents);
  registry.forgetAll(forgotten);
  replies.leaveOut((agentId) => registry.isForgotten(agentId));
  const connections = new Connections(config.limits, random, shared.rates);
  const certification = new Certification(certificates, outputs);
  certification.revocations.load(revocations);
  const inboxes = new Inboxes(outputs, replies, timers);
  const { trustScore, trustScoreAt } = document;
  return {
    config,
    identity,
    verifier,
    random,
    outputs,
    timers,
    connections,
    replies,
    registry,
    inboxes,
    states: new SessionStates(outputs),
    shared,
    certification,
    manifest,
    ownTrust: { trustScore, trustScoreAt },
  };
}

function orThrow<Value>(result: Result<Value>): Value {
  if (result.ok) return result.value;
  throw new ParleyError({ ...result.fault, code: refuse("usage", "").fault.code });
}
