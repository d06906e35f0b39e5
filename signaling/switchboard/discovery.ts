import { AUDIO_FORMATS } from "../../codecs/audio-formats.ts";
import type { JsonObject } from "../../codecs/canonical-json.ts";
import { DATA_FORMATS } from "../../codecs/data-formats.ts";
import { ok, type Result, refuse } from "../../codecs/result.ts";
import { VIDEO_FORMATS } from "../../codecs/video-formats.ts";
import { tierOf } from "../methods.ts";
import { ROUTES, type Route } from "../paths.ts";
import type { AskedByAnybody } from "./asked.ts";
import type { ConnectionState } from "./connections.ts";
import type { Desk } from "./desk.ts";
import { ENDPOINTS } from "./endpoints.ts";
import { isOperator } from "./operator.ts";
import { CAPABILITY_DOMAINS, type DescribeParameters } from "./parameters.ts";
import { introduce, type RegisteredAgent, trustFacts } from "./registry.ts";

/** Agents in one page of `DISCOVER /agents`. */
const AGENTS_PAGE = 1_000;
const AGTP_VERSION = "1.0";

/** `DISCOVER /` of somebody who says an Agent-ID: where things are, and the nonce for this connection's proofs. */
export function directory(desk: Desk, connection: ConnectionState, now: number): JsonObject {
  const paths = new Map<string, string>();
  for (const route of ROUTES) {
    const [method, path] = route.split(" ") as [string, string];
    if (paths.get(path) !== "A") paths.set(path, tierOf(method));
  }
  return {
    directory: [...paths].map(([path, tier]) => ({ path, tier })),
    agents_path: "/agents",
    time: now,
    connection: {
      nonce: connection.nonce,
      server_id: desk.config.serverId,
      server_agent_id: desk.identity.agentId,
      ...certificateNote(desk, connection, now),
    },
  };
}

/** What the client's Agent Certificate is worth, where it showed one. */
function certificateNote({ certification }: Desk, connection: ConnectionState, now: number): JsonObject {
  const shown = certification.of(connection, now);
  if (!shown.ok) return { certificate: { status: "refused", flaw: String(shown.fault.details?.flaw) } };
  if (shown.value === undefined) return {};
  const { agentId, serial } = shown.value;
  return { certificate: { status: "accepted", agent_id: agentId, serial } };
}

/** `DISCOVER /methods`: every exchange, in the order of the table. */
export function methodList(): JsonObject {
  return {
    methods: ROUTES.map((route) => {
      const [method, path] = route.split(" ") as [string, string];
      return { method, path, description: ENDPOINTS[route].description, tier: tierOf(method) };
    }),
  };
}

/** `DESCRIBE /`: what this server can do, all of it or the domains asked for. */
export function capabilities(desk: Desk, asked: DescribeParameters): JsonObject {
  const { trustScore, trustScoreAt } = desk.ownTrust;
  const domains = new Set<string>(asked.capability_domains ?? CAPABILITY_DOMAINS);
  const modalities = ["audio", "video", "data"];
  return {
    ...(domains.has("methods") ? { methods: [...new Set(ROUTES.map(methodOf))] } : {}),
    ...(domains.has("modalities")
      ? {
          modalities,
          communication: {
            modalities,
            audio_codecs: AUDIO_FORMATS.map((format) => format.name),
            video_codecs: VIDEO_FORMATS.map((format) => format.name),
            data_formats: DATA_FORMATS.map((format) => format.name),
            max_sessions: desk.config.limits.sessionsPerAgent,
            bindings: [...desk.config.bindings],
          },
        }
      : {}),
    ...(domains.has("tools") ? { tools: [] } : {}),
    ...(domains.has("version") ? { version: AGTP_VERSION } : {}),
    ...(asked.version_min === undefined
      ? {}
      : { version_min_satisfied: isAtLeast(AGTP_VERSION, asked.version_min) }),
    ...(domains.has("budget") ? { budget_units_accepted: [] } : {}),
    ...(domains.has("zones") ? { zones_accepted: [] } : {}),
    ...(asked.capability_domains === undefined
      ? { trust_score: trustScore, trust_score_computed_at: trustScoreAt }
      : {}),
  };
}

/** `DISCOVER /genesis`: the server's own documents, byte-exact. */
export function serverDocuments(desk: Desk): JsonObject {
  const { genesis, identityDocument } = desk.identity;
  return { genesis: decoder.decode(genesis), identity_document: decoder.decode(identityDocument) };
}

/** `DISCOVER /agents`, one page; `next` is what to ask for as `after`. The operator is told whose they are. */
export function agentList(desk: Desk, asked: AskedByAnybody, after: string | undefined): JsonObject {
  const isOperated = isOperator(desk, asked);
  const page = desk.registry.page(after, AGENTS_PAGE);
  const last = page.at(-1);
  const agents = page.map((agent) => ({
    agent_id: agent.agentId,
    name: agent.document.name,
    ...trustFacts(agent),
    ...whereabouts(desk, agent.agentId),
    ...(isOperated ? { owner_id: agent.genesis.ownerId, issuer: agent.genesis.issuer } : {}),
    ...(agent.status === "active" ? {} : { status: agent.status }),
  }));
  return { agents, ...(page.length === AGENTS_PAGE && last !== undefined ? { next: last.agentId } : {}) };
}

/** `DISCOVER /agents/{id}`. Fault: `agent-not-found`. */
export function agentDetails(desk: Desk, agentId: string, now: number): Result<JsonObject> {
  const agent: RegisteredAgent | undefined = desk.registry.get(agentId);
  if (agent === undefined) return refuse("agent-not-found", "No such agent is known here.", "path");
  const flag = agent.status === "deprecated" ? { deprecated: true } : {};
  return ok({ ...introduce(agent, now), agent_id: agentId, ...whereabouts(desk, agentId), ...flag });
}

/** Whether an agent can be called now, and whether gateways alone would answer for it. */
function whereabouts({ inboxes }: Desk, agentId: string): JsonObject {
  const online = inboxes.isOnline(agentId);
  return online && !inboxes.isOnline(agentId, { itself: true }) ? { online, gateway: true } : { online };
}

function methodOf(route: Route): string {
  return route.slice(0, route.indexOf(" "));
}

/** Whether a dotted version is that one or a later one. */
function isAtLeast(version: string, least: string): boolean {
  const [have, want] = [version, least].map((text) => text.split(".").map(Number)) as [number[], number[]];
  for (const [i, number] of want.entries()) {
    const own = have[i] ?? 0;
    if (own !== number) return own > number;
  }
  return true;
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
