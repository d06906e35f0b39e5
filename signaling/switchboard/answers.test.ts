import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { canonicalBytes, type JsonObject } from "../../codecs/canonical-json.ts";
import { Headers } from "../../codecs/headers.ts";
import type { AgtpResponse, Dialect } from "../../codecs/message.ts";
import { refuse } from "../../codecs/result.ts";
import { strictVerifier } from "../../test/keys.ts";
import { type Answers, type AskOptions, SignalingPeer } from "../../test/scenario/signaling-peer.ts";
import { Stage } from "../../test/scenario/signaling-stage.ts";
import { ALICE, BOB, must, scopes, testAgent } from "../../test/signed-call.ts";
import { readRecord, verifyRecord } from "../attribution.ts";
import { requestBody } from "../body.ts";
import { DEFAULT_LIMITS } from "./config.ts";
import { CLOSING_WINDOW } from "./endings.ts";
import { RING_TIME } from "./ringing.ts";

const DEAF = testAgent("deaf", 8, { document: { scope: scopes("communication:audio:transmit") } });
const RETIRED = testAgent("retired", 9, { document: { status: "retired" } });
const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** Every header that an answer may have; `docs/wire-signaling.md` shows them. */
const HEADERS = new Set([
  ...["Server-ID", "Response-ID", "Owner-ID", "Trust-Tier", "Trust-Warning", "Verification-Path"],
  ...[
    "AGTP-API-Version",
    "Attribution-Record",
    "Audit-ID",
    "Agent-ID",
    "Request-ID",
    "Task-ID",
    "Session-ID",
  ],
  ...["Action-ID", "Authority-Scope", "Supported-Methods", "Communication-Modalities", "Audio-Codec"],
  ...["Data-Formats", "Stream-Parameters", "Content-Type", "Content-Length"],
]);

/** What the walk below is answered, in the base dialect; the seed has 451 for both refusals of a scope. */
const STATUSES = [
  200, 202, 262, 400, 401, 403, 404, 405, 408, 409, 410, 422, 429, 455, 459, 460, 463, 501, 503,
];

/** An agent that speaks one dialect. */
class Speaker extends SignalingPeer {
  readonly dialect: Dialect;

  constructor(stage: Stage, agent: typeof ALICE, dialect: Dialect) {
    super(stage, agent);
    this.dialect = dialect;
  }

  override ask(method: string, path: string, parameters: JsonObject = {}, options: AskOptions = {}): Answers {
    // The first request goes out while the peer is made.
    return super.ask(method, path, parameters, { dialect: this.dialect ?? "base", ...options });
  }
}

/** Asks for everything there is, and for much that there is not. */
function walk(dialect: Dialect): Stage {
  const stage = new Stage();
  const alice = new Speaker(stage, ALICE, dialect);
  const bob = new Speaker(stage, BOB, dialect);
  const inbox = bob.subscribe();
  const event = () => inbox.event("offer");

  const call = alice.call(BOB, { more: { provisional: true } });
  bob.accept(event());
  const sessionId = String(call.last.result.session_id);
  alice.query(sessionId);
  alice.ask("QUERY", `/sessions/${sessionId}/records`);
  alice.evidence(sessionId);
  alice.hangUp(sessionId);
  stage.advance(CLOSING_WINDOW);
  bob.evidence(sessionId);
  bob.hangUp(sessionId);
  alice.call(BOB);
  bob.reject(event());
  alice.call(BOB);
  stage.advance(RING_TIME);
  bob.accept(event());

  for (const path of ["/", "/methods", "/genesis", "/agents", `/agents/${BOB.genesis.agentId}`])
    alice.ask("DISCOVER", path);
  alice.ask("DESCRIBE", "/");
  alice.ask("QUERY", "/clock", { t0: stage.now });
  alice.ask("QUERY", "/clock", { t0: "noon" });
  alice.ask("DISCOVER", "/nothing");
  alice.ask("QUERY", "/sessions");
  alice.ask("GET", "/sessions");
  alice.ask("QUERY", "/stream");
  alice.call(BOB, { headers: [["Audio-Codecs", "g722"]] });
  alice.call(BOB, { headers: [["Delegation-Chain", "a"]] });
  new Speaker(stage, DEAF, dialect).call(BOB);
  new Speaker(stage, DEAF, dialect).call(BOB, { changes: { scope: ["communication:audio:transmit"] } });
  new Speaker(stage, RETIRED, dialect).subscribe();
  alice.call(RETIRED);
  bob.drop();
  alice.call(BOB);

  const stranger = stage.open();
  stage.ask("SUBSCRIBE", `/agents/${alice.id}/inbox`, [], stranger, dialect);
  stage.ask("DISCOVER", "/", [], stranger, dialect);
  for (let n = 0; n < DEFAULT_LIMITS.anonymousRate.burst; n++)
    stage.ask("DISCOVER", "/genesis", [], stranger, dialect);
  const { fault } = refuse("message-malformed", "This is no message.", "line 1");
  const exchange = stage.newExchange();
  stage.handle({ kind: "malformed", connection: alice.connection, exchange, fault, dialect });
  return stage;
}

/** Everything that was answered, the messages of each inbox among them. */
function answersOf(stage: Stage): AgtpResponse[] {
  return [...stage.exchanges.values()].flatMap(({ responses }) => responses);
}

function bodyOf(response: AgtpResponse): JsonObject {
  return JSON.parse(new TextDecoder().decode(response.body));
}

describe.each(["base", "seed"] as const)("every answer, in the %s dialect", (dialect) => {
  const stage = walk(dialect);
  // The first request of each peer is in the base dialect.
  const answers = answersOf(stage);

  test("success, series, news and refusals of every kind are among them", () => {
    const expected =
      dialect === "base" ? STATUSES : [...STATUSES.filter((status) => ![262, 455].includes(status)), 451];
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set(expected));
    const events = answers.map((answer) => (bodyOf(answer).result as JsonObject | undefined)?.event);
    expect(events).toEqual(expect.arrayContaining(["subscribed", "offer", "heartbeat", "session-ended"]));
  });

  test("has the server's name and an identifier that no other has", () => {
    for (const { headers } of answers) {
      expect(headers.get("Server-ID")).toBe("parley.test");
      expect(headers.get("Response-ID")).toMatch(UUID_V7);
    }
    expect(new Set(answers.map(({ headers }) => headers.get("Response-ID"))).size).toBe(answers.length);
  });

  test("has its own signed record, which its Audit-ID names", () => {
    const { publicKey } = stage.server.identity;
    for (const { headers, status, body } of answers) {
      const jws = String(headers.get("Attribution-Record"));
      const { payload } = must(verifyRecord(jws, publicKey, strictVerifier));
      expect(headers.get("Audit-ID")).toBe(createHash("sha256").update(jws).digest("hex"));
      expect(payload).toMatchObject({
        status,
        response_id: headers.get("Response-ID"),
        result_hash: createHash("sha256").update(body).digest("hex"),
      });
    }
    expect(new Set(answers.map(({ headers }) => headers.get("Audit-ID"))).size).toBe(answers.length);
  });

  test("has no header beyond those documented, and none that repeats the start line", () => {
    for (const { headers } of answers) {
      for (const [name] of headers) expect(HEADERS).toContain(name);
    }
  });

  test("has none of the retired headers", () => {
    for (const { headers } of answers) {
      for (const name of ["AGTP-Version", "AGTP-Method", "AGTP-Status", "Principal-ID", "Server-Agent-ID"])
        expect(headers.has(name), name).toBe(false);
    }
  });

  test("has a Content-Type where it has a body, of its own dialect", () => {
    for (const { headers, body, dialect: written } of answers) {
      const type = headers.get("Content-Type");
      expect(type === undefined).toBe(body.length === 0);
      const isManifest = type === "application/vnd.agtp.manifest+json";
      if (!isManifest)
        expect(type).toBe(written === "seed" ? "application/agtp+json" : "application/vnd.agtp+json");
    }
    expect(new Set(answers.map(({ dialect: written }) => written))).toContain(dialect);
  });

  test("that refuses leaves a record with its status and the error's code", () => {
    const kept = new Set(stage.log.map((entry) => (entry.kind === "record" ? entry.jws : "")));
    const refusals = answers.filter((answer) => "error" in bodyOf(answer));
    for (const answer of refusals) {
      const jws = String(answer.headers.get("Attribution-Record"));
      expect(kept).toContain(jws);
      const { code } = bodyOf(answer).error as { code: string };
      expect(must(readRecord(jws))).toMatchObject({ status: answer.status, event: code });
    }
    const agtpOnly = dialect === "base" ? [262, 455, 459, 460, 463] : [451, 459, 460, 463];
    expect(refusals.map(({ status }) => status)).toEqual(expect.arrayContaining(agtpOnly));
  });
});

describe("what an answer echoes", () => {
  const capitals = ALICE.genesis.agentId.toUpperCase();

  test("the Agent-ID letter for letter, be it well-formed or refused", () => {
    const stage = new Stage();
    const alice = new SignalingPeer(stage, ALICE);
    alice.subscribe();
    for (const claim of [capitals, "somebody"]) {
      const [anonymous] = stage.ask("DISCOVER", "/", [["Agent-ID", claim]]);
      expect(anonymous?.status).toBe(200);
      expect(anonymous?.headers.get("Agent-ID")).toBe(claim);
      const [refused] = stage.ask("DISCOVER", "/", [["Agent-ID", claim]], alice.connection);
      expect(refused?.status).toBe(401);
      expect(refused?.headers.get("Agent-ID")).toBe(claim);
    }
  });

  test("Request-ID and Task-ID as sent, whatever their form", () => {
    const ids = ["7", "urn:x:ünïcode", "z".repeat(128), "{a}&b=c,d;e"];
    const stage = new Stage();
    for (const id of ids) {
      const headers = [
        ["Request-ID", id],
        ["Task-ID", `task ${id}`.slice(0, 128)],
      ] as const;
      for (const path of ["/genesis", "/nothing"]) {
        const [answer] = stage.ask("DISCOVER", path, headers);
        for (const [name, value] of headers) expect(answer?.headers.get(name)).toBe(value);
        const record = must(readRecord(String(answer?.headers.get("Attribution-Record"))));
        expect(record).toMatchObject({ request_id: id, task_id: headers[1][1] });
      }
    }
  });

  test("the Task-ID of the body, which a header overrules", () => {
    const stage = new Stage();
    const asked = (headers: readonly [string, string][]) =>
      stage.request(stage.open(), {
        dialect: "base",
        method: "DESCRIBE",
        path: "/",
        query: new Map(),
        headers: new Headers([["Content-Type", "application/vnd.agtp+json"], ...headers]),
        body: canonicalBytes({
          ...requestBody({ method: "DESCRIBE", parameters: {} }),
          task_id: "of-the-body",
        }),
      }).arrivals.responses[0];
    expect(asked([])?.headers.get("Task-ID")).toBe("of-the-body");
    expect(asked([["Task-ID", "of-the-header"]])?.headers.get("Task-ID")).toBe("of-the-header");
  });

  test("nothing that was not sent", () => {
    const [answer] = new Stage().ask("DISCOVER", "/genesis");
    for (const name of ["Agent-ID", "Request-ID", "Task-ID", "Session-ID"])
      expect(answer?.headers.has(name), name).toBe(false);
  });
});
