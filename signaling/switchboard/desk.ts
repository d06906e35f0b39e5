import { ParleyError } from "../../codecs/parley-error.ts";
import { type Result, refuse } from "../../codecs/result.ts";
import type { Verifier } from "../../codecs/signer.ts";
import { readGenesis } from "../genesis.ts";
import { RecordChain } from "../record-chain.ts";
import { parseScopes } from "../scope.ts";
import type { ServerIdentity, SwitchboardConfig, SwitchboardOptions } from "./config.ts";
import { Connections } from "./connections.ts";
import { Inboxes } from "./inboxes.ts";
import { Outputs } from "./outputs.ts";
import { Registry } from "./registry.ts";
import { Replies } from "./replies.ts";
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
}

/** Throws `ParleyError` for a server Genesis or policy scope that cannot be read. */
export function makeDesk({ config, identity, verifier, random, head, agents }: SwitchboardOptions): Desk {
  const policy = orThrow(parseScopes(config.policyScope, "policyScope"));
  const { ownerId, trustTier, verificationPath } = orThrow(readGenesis(identity.genesis, verifier));
  const { serverId } = config;
  const outputs = new Outputs();
  const timers = new Timers();
  const chain = new RecordChain({ agentId: identity.agentId, ownerId, serverId }, identity.signer, head);
  const replies = new Replies(outputs, chain, random, { serverId, ownerId, trustTier, verificationPath });
  const registry = new Registry(config, policy, verifier, outputs);
  registry.load(agents);
  const connections = new Connections(config.limits, random);
  const inboxes = new Inboxes(outputs, replies, timers);
  return { config, identity, verifier, random, outputs, timers, connections, replies, registry, inboxes };
}

function orThrow<Value>(result: Result<Value>): Value {
  if (result.ok) return result.value;
  throw new ParleyError({ ...result.fault, code: refuse("usage", "").fault.code });
}
