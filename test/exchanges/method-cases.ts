/** Which methods and paths there are, and how others are refused. */
import { expect } from "vitest";
import type { ExchangeCase } from "./exchange-case.ts";
import { headerOf } from "./wire.ts";

const NO_SUCH = `sess-${"A".repeat(43)}`;

const unknown: readonly ExchangeCase[] = (
  [
    ["a verb that is in no catalog", "FROBNICATE", {}],
    ["a verb of another protocol", "GET", { preferred: "FETCH" }],
    ["a verb in lower case", "discover", {}],
    ["an experimental verb", "X-TALK", {}],
    ["a verb that only seems one of the family", "ADAPT", {}],
    ["a verb of two letters", "GO", {}],
  ] as const
).flatMap(([name, method, more]) =>
  [`AGTP/1.0 ${method} /`, `${method} / HTTP/AGTP/1.0`].map(
    (line): ExchangeCase => ({
      name: `${name}: ${line}`,
      send: { line },
      gets: { status: 459, code: "method-unknown", details: { method, ...more } },
    }),
  ),
);

const badPaths: readonly ExchangeCase[] = (
  [
    ["/agents/", ""],
    ["/agents//x", ""],
    ["/stream", "stream"],
    ["/sessions/get", "get"],
    ["/sessions/sus-pend", "sus-pend"],
    ["/Audit_Log", "Audit_Log"],
  ] as const
).map(([path, segment]) => ({
  name: `a path that breaks the grammar: ${path}`,
  send: { line: `AGTP/1.0 QUERY ${path}` },
  gets: { status: 460, code: "path-invalid", details: { segment } },
}));

const elsewhere: readonly ExchangeCase[] = [
  {
    name: "a path that is not here",
    send: { line: "AGTP/1.0 QUERY /weather" },
    gets: { status: 404, code: "not-found" },
  },
  {
    name: "an agent that is not here",
    send: { line: `AGTP/1.0 DISCOVER /agents/${"0".repeat(64)}` },
    gets: { status: 404, code: "agent-not-found" },
  },
  {
    name: "a session that is not here",
    send: { line: `AGTP/1.0 QUERY /sessions/${NO_SUCH}` },
    gets: { status: 404, code: "session-not-found" },
  },
  {
    name: "an offer that is not here",
    send: { line: "AGTP/1.0 TERMINATE /offers/019b76da-a801-7a55-9d11-0242ac120002" },
    gets: { status: 404, code: "offer-not-found" },
  },
  {
    name: "a method that the path does not take",
    send: { line: "AGTP/1.0 ESTABLISH /clock" },
    gets: {
      status: 405,
      code: "method-not-allowed",
      details: { allowed_methods_for_path: expect.arrayContaining(["QUERY"]) },
    },
  },
  {
    name: "a catalog verb that nothing here takes",
    send: { line: "AGTP/1.0 BOOK /clock" },
    gets: { status: 405, code: "method-not-allowed" },
  },
];

/** The methods that every service answers, where they are no part of a call. */
const floor: readonly ExchangeCase[] = [
  ...(
    [
      ["SUMMARIZE", "language-model"],
      ["PLAN", "language-model"],
      ["EXECUTE", "task-runner"],
      ["DELEGATE", "delegation"],
      ["ESCALATE", "escalation-handler"],
    ] as const
  ).map(
    ([method, missing]): ExchangeCase => ({
      name: `${method}, for which something is missing here`,
      send: { line: `AGTP/1.0 ${method} /`, parameters: { task: "something" } },
      gets: { status: 422, code: "method-unserved", details: { method, missing } },
    }),
  ),
  {
    name: "PROPOSE, for endpoints to order",
    send: { line: "PROPOSE / HTTP/AGTP/1.0", parameters: { endpoint: "/weather" } },
    gets: { status: 463, code: "proposal-rejected" },
  },
  {
    name: "a method of the floor at a path that does not take it",
    send: { line: "AGTP/1.0 PLAN /sessions" },
    gets: { status: 405, code: "method-not-allowed", details: { allowed_methods_for_path: ["ESTABLISH"] } },
  },
];

/** Looking into records, and the life of agents, which is their issuer's. */
const governance: readonly ExchangeCase[] = [
  {
    name: "INSPECT of the server's newest record",
    send: { line: "AGTP/1.0 INSPECT /", parameters: { target: "chain_head" } },
    gets: ({ server }) => ({
      status: 200,
      result: { agent_id: server.agentId, audit_id: expect.stringMatching(/^[0-9a-f]{64}$/) },
    }),
  },
  {
    name: "INSPECT of a record by its Audit-ID",
    by: "bob",
    send: ({ call }) => ({
      line: "INSPECT / HTTP/AGTP/1.0",
      parameters: { target: "audit", audit_id: headerOf(call.confirmed.headers, "Audit-ID") as string },
    }),
    gets: ({ call }) => ({
      status: 200,
      result: {
        audit_id: headerOf(call.confirmed.headers, "Audit-ID"),
        record: headerOf(call.confirmed.headers, "Attribution-Record"),
        payload: expect.objectContaining({ session_id: call.sessionId }),
      },
    }),
  },
  {
    name: "INSPECT of a record that was never made",
    send: { line: "AGTP/1.0 INSPECT /", parameters: { target: "audit", audit_id: "0".repeat(64) } },
    gets: { status: 404, code: "record-not-found" },
  },
  ...["ACTIVATE", "DEACTIVATE", "REINSTATE", "REVOKE", "DEPRECATE"].map(
    (method): ExchangeCase => ({
      name: `${method} of an agent by who shows no certificate of its issuer`,
      send: { line: `AGTP/1.0 ${method} /agents/{bob}`, parameters: { reason: "audit" } },
      gets: { status: 401, code: "genesis-issuer-cert-required" },
    }),
  ),
];

const discovery: readonly ExchangeCase[] = [
  {
    name: "the manifest, for who says no Agent-ID",
    by: "nobody",
    send: { line: "AGTP/1.0 DISCOVER /", anonymous: true },
    gets: {
      status: 200,
      headers: { "Content-Type": "application/vnd.agtp.manifest+json", "Agent-ID": undefined },
      document: {
        agtp_version: "1.0",
        manifest_signature: expect.any(String),
        endpoints: expect.arrayContaining([
          expect.objectContaining({ method: "ESTABLISH", path: "/sessions" }),
        ]),
      },
    },
  },
  {
    name: "every exchange there is",
    send: { line: "AGTP/1.0 DISCOVER /methods" },
    gets: {
      status: 200,
      result: {
        methods: expect.arrayContaining([
          expect.objectContaining({ method: "QUERY", path: "/clock", tier: "A" }),
          expect.objectContaining({ method: "ESTABLISH", path: "/sessions", tier: "B" }),
        ]),
      },
    },
  },
  {
    name: "a part of what this server can do, asked for in the query",
    send: { line: "AGTP/1.0 DESCRIBE /?capability_domains=version,zones&version_min=9.1" },
    gets: { status: 200, result: { version: "1.0", version_min_satisfied: false, zones_accepted: [] } },
  },
  {
    name: "what this server can do",
    send: { line: "AGTP/1.0 DESCRIBE /" },
    gets: {
      status: 200,
      result: {
        version: "1.0",
        methods: expect.arrayContaining(["DISCOVER", "ESTABLISH", "TERMINATE"]),
        modalities: ["audio", "video", "data"],
        communication: expect.objectContaining({ audio_codecs: expect.arrayContaining(["opus"]) }),
      },
    },
  },
  {
    name: "the server's own documents",
    send: { line: "AGTP/1.0 DISCOVER /genesis" },
    gets: ({ server }) => ({
      status: 200,
      result: {
        genesis: expect.stringContaining("agtp-genesis/1"),
        identity_document: expect.stringContaining(server.agentId),
      },
    }),
  },
  {
    name: "the agents that are here",
    send: { line: "AGTP/1.0 DISCOVER /agents" },
    gets: ({ bob }) => ({
      status: 200,
      result: {
        agents: expect.arrayContaining([expect.objectContaining({ agent_id: bob.id, online: true })]),
      },
    }),
  },
  {
    name: "one agent",
    send: { line: "AGTP/1.0 DISCOVER /agents/{bob}" },
    gets: { status: 200, result: { agent_id: "{bob}", online: true, genesis: expect.any(String) } },
  },
  {
    name: "an anonymous look at the directory",
    by: "nobody",
    send: { line: "AGTP/1.0 DISCOVER /" },
    gets: {
      status: 200,
      result: {
        connection: { nonce: expect.any(String), server_id: expect.any(String), server_agent_id: "{server}" },
      },
    },
  },
];

const identity: readonly ExchangeCase[] = [
  {
    name: "a request that needs a caller, from nobody",
    by: "nobody",
    send: { line: "AGTP/1.0 QUERY /sessions/{session}" },
    gets: { status: 401, code: "proof-required", details: { nonce: expect.any(String) } },
  },
  {
    name: "an ESTABLISH without a proof, from nobody",
    by: "nobody",
    send: { line: "AGTP/1.0 ESTABLISH /sessions", parameters: { target_agent_id: "{bob}", offer: "x" } },
    gets: { status: 401, code: "proof-required" },
  },
  {
    name: "a caller that is not the connection's",
    send: { line: "AGTP/1.0 DESCRIBE /", headers: [["Agent-ID", "{bob}"]], proof: true },
    gets: { status: 401, code: "agent-mismatch", headers: { "Agent-ID": "{bob}" } },
  },
  ...(
    [
      ["of another agent", { agent_id: "{bob}" }, "proof.agent_id"],
      ["for another method", { method: "DISCOVER" }, "proof.method"],
      ["for another path", { path: "/sessions" }, "proof.path"],
      ["for another body", { body_sha256: "0".repeat(64) }, "proof.body_sha256"],
      ["for another server", { aud: "https://elsewhere.example:4480" }, "proof.aud"],
      ["for another certificate", { cert: "0".repeat(64) }, "proof.cert"],
      ["that lives too long", { exp: 4_102_444_800 }, "proof.exp"],
    ] as const
  ).map(
    ([name, changes, at]): ExchangeCase => ({
      name: `a proof ${name}`,
      send: { line: "AGTP/1.0 QUERY /clock", parameters: { t0: 1 }, proof: changes },
      gets: { status: 401, code: "proof-invalid", details: { at } },
    }),
  ),
];

export const METHOD_CASES: readonly ExchangeCase[] = [
  ...unknown,
  ...badPaths,
  ...elsewhere,
  ...floor,
  ...governance,
  ...discovery,
  ...identity,
];
