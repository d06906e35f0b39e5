import { AUDIO_FORMATS } from "../../codecs/audio-formats.ts";
import type { JsonObject } from "../../codecs/canonical-json.ts";
import { DATA_FORMATS } from "../../codecs/data-formats.ts";
import { ok, type Result, refuse } from "../../codecs/result.ts";
import { ROUTES } from "../paths.ts";
import type { ConnectionState } from "./connections.ts";
import type { Desk } from "./desk.ts";
import { introduce, type RegisteredAgent } from "./registry.ts";

/** Agents in one page of `DISCOVER /agents`. */
const AGENTS_PAGE = 1_000;
const AGTP_VERSION = "1.0";

/** `DISCOVER /`: where things are, and the nonce for this connection's proofs. */
export function directory(desk: Desk, connection: ConnectionState, now: number): JsonObject {
  return {
    directory: [...new Set(ROUTES.map((route) => route.slice(route.indexOf(" ") + 1)))].map((path) => ({
      path,
    })),
    agents_path: "/agents",
    time: now,
    connection: {
      nonce: connection.nonce,
      server_id: desk.config.serverId,
      server_agent_id: desk.identity.agentId,
    },
  };
}

/** `DESCRIBE /`: what this server can do. */
export function capabilities(desk: Desk): JsonObject {
  return {
    methods: [...new Set(ROUTES.map((route) => route.slice(0, route.indexOf(" "))))],
    modalities: ["audio", "data"],
    version: AGTP_VERSION,
    communication: {
      modalities: ["audio", "data"],
      audio_codecs: AUDIO_FORMATS.map((format) => format.name),
      data_formats: DATA_FORMATS.map((format) => format.name),
      max_sessions: desk.config.limits.sessionsPerAgent,
      bindings: [...desk.config.bindings],
    },
  };
}

/** `DISCOVER /genesis`: the server's own documents, byte-exact. */
export function serverDocuments(desk: Desk): JsonObject {
  const { genesis, identityDocument } = desk.identity;
  return { genesis: decoder.decode(genesis), identity_document: decoder.decode(identityDocument) };
}

/** `DISCOVER /agents`, one page; `next` is what to ask for as `after`. */
export function agentList(desk: Desk, after: string | undefined): JsonObject {
  const page = desk.registry.page(after, AGENTS_PAGE);
  const last = page.at(-1);
  const agents = page.map((agent) => ({
    agent_id: agent.agentId,
    name: agent.document.name,
    trust_tier: agent.genesis.trustTier,
    verification_path: agent.genesis.verificationPath,
    online: desk.inboxes.isOnline(agent.agentId),
  }));
  return { agents, ...(page.length === AGENTS_PAGE && last !== undefined ? { next: last.agentId } : {}) };
}

/** `DISCOVER /agents/{id}`. Fault: `agent-not-found`. */
export function agentDetails(desk: Desk, agentId: string, now: number): Result<JsonObject> {
  const agent: RegisteredAgent | undefined = desk.registry.get(agentId);
  if (agent === undefined) return refuse("agent-not-found", "No such agent is known here.", "path");
  return ok({ ...introduce(agent, now), agent_id: agentId, online: desk.inboxes.isOnline(agentId) });
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
