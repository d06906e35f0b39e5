import { describe, expect, test } from "vitest";
import type { JsonObject } from "../../codecs/canonical-json.ts";
import { type HeaderField, Headers } from "../../codecs/headers.ts";
import { CallScene } from "../../test/scenario/signaling-call.ts";
import { SignalingPeer } from "../../test/scenario/signaling-peer.ts";
import { Stage } from "../../test/scenario/signaling-stage.ts";
import { ALICE, BOB, scopes, testAgent } from "../../test/signed-call.ts";

function bound(stage = new Stage()): SignalingPeer {
  const alice = new SignalingPeer(stage, ALICE);
  alice.subscribe();
  return alice;
}

const ask = (peer: SignalingPeer, ...headers: readonly HeaderField[]) =>
  peer.ask("QUERY", "/clock", { t0: 1 }, { headers }).last;

describe("headers of any request", () => {
  test.each(["AGTP-Version", "AGTP-Method", "AGTP-Status"])(
    "%s is refused: the start line says it",
    (name) => {
      expect(ask(bound(), [name, "QUERY"])).toMatchObject({ status: 400, error: { code: "header-retired" } });
    },
  );

  test("other retired ones, reserved ones and those of nobody are passed over", () => {
    const names =
      `Principal-ID Server-Agent-ID Host Priority TTL AGTP-Zone-ID Budget-Limit Content-Schema Telemetry-Export
      Allow-RCNS Authorization X-Anything X-AGTP-Target-Agent`.split(/\s+/);
    expect(ask(bound(), ...names.map((name) => [name, "1"] as const)).status).toBe(200);
  });

  test("a delegation chain is refused with 501, whatever is asked", () => {
    expect(ask(bound(), ["Delegation-Chain", "a, b"])).toMatchObject({
      status: 501,
      error: { code: "delegation-not-supported" },
    });
  });

  test.each([
    "communication:audio:capture,communication:audio:transmit",
    "communication:audio:capture \t,\t communication:audio:transmit",
    "  communication:audio:capture communication:audio:transmit  ",
  ])("a scope is read with any blanks around or instead of commas: %j", (scope) => {
    expect(ask(bound(), ["Authority-Scope", scope]).status).toBe(200);
  });

  test("a scope that is none is 400, one beyond the identity document 262, and both are logged or recorded", () => {
    const alice = bound();
    expect(ask(alice, ["Authority-Scope", "Audio"])).toMatchObject({
      status: 400,
      error: { code: "scope-malformed" },
    });
    expect(ask(alice, ["Authority-Scope", "payments:all"])).toMatchObject({
      status: 262,
      error: {
        code: "scope-claim-invalid",
        details: { missing_scopes: ["payments:all"], alternate_status: 451 },
      },
    });
    expect(alice.stage.logs.at(-1)).toMatchObject({
      event: "request-refused",
      fields: { status: 262, code: "scope-claim-invalid", caller: alice.id },
    });
  });

  test("an Owner-ID is held against the agent's own, and a wrong one logged", () => {
    const alice = bound();
    expect(ask(alice, ["Owner-ID", ALICE.genesis.ownerId]).status).toBe(200);
    expect(ask(alice, ["Owner-ID", "somebody.else"])).toMatchObject({
      status: 401,
      error: { code: "agent-mismatch" },
    });
    expect(alice.stage.logs.at(-1)).toMatchObject({ level: "warn", fields: { code: "agent-mismatch" } });
    expect(ask(alice, ["Owner-ID", "not an owner"])).toMatchObject({
      status: 422,
      error: { code: "field-invalid" },
    });
  });

  test("only discovery may leave its Agent-ID out", () => {
    const alice = bound();
    const [refused] = alice.stage.ask("QUERY", "/sessions/sess-x", [], alice.connection);
    expect(refused?.status).toBe(401);
    expect(new TextDecoder().decode(refused?.body)).toContain("agent-id-missing");
    expect(alice.stage.ask("DISCOVER", "/agents", [], alice.connection)[0]?.status).toBe(200);
  });

  test("a Content-Type without a body says nothing, a body without one is refused", () => {
    const alice = bound();
    const type = ["Content-Type", "application/agtp+json"] as const;
    expect(alice.stage.ask("DISCOVER", "/genesis", [type])[0]?.status).toBe(200);
    const body = new TextEncoder().encode("{}");
    const request = {
      dialect: "base",
      method: "QUERY",
      path: "/clock",
      query: new Map(),
      headers: new Headers(),
    } as const;
    const { responses } = alice.stage.request(alice.stage.open(), { ...request, body }).arrivals;
    expect(responses[0]?.status).toBe(422);
  });
});

describe("early data", () => {
  const early = (stage: Stage, peer: SignalingPeer, method: string, path: string) => {
    const exchange = stage.newExchange();
    const headers = new Headers([["Agent-ID", peer.id]]);
    const request = {
      dialect: "base",
      method,
      path,
      query: new Map([["t0", "1"]]),
      headers,
      body: new Uint8Array(),
    } as const;
    stage.handle({ kind: "request", connection: peer.connection, exchange, request, early: true });
    return stage.exchanges.get(exchange)?.responses[0]?.status;
  };

  test("takes QUERY and DISCOVER only, and nothing happens for any other method", () => {
    const scene = new CallScene();
    const { stage, alice, sessionId } = scene;
    expect(early(stage, alice, "DISCOVER", "/")).toBe(200);
    expect(early(stage, alice, "QUERY", `/sessions/${sessionId}`)).toBe(200);
    for (const method of ["TERMINATE", "ESTABLISH", "CONFIRM", "DESCRIBE", "NOTIFY"]) {
      expect(early(stage, alice, method, `/sessions/${sessionId}`)).toBe(425);
    }
    expect(alice.query(sessionId).last.result.state).toBe("active");
  });
});

describe("one status for every scope refusal, where the operator says so", () => {
  test.each([451, 455, 262] as const)("%d", (scopeViolationCode) => {
    for (const dialect of ["base", "seed"] as const) {
      const alice = bound(new Stage({ config: { scopeViolationCode } }));
      const options = { dialect, headers: [["Authority-Scope", "payments:all"] as const] };
      expect(alice.ask("QUERY", "/clock", { t0: 1 }, options).last.status).toBe(scopeViolationCode);
    }
  });
});

describe("refusals in the log", () => {
  test("a flood of them is counted, not told one by one", () => {
    const stage = new Stage();
    for (let i = 0; i < 150; i++) stage.ask("SING", "/");
    const lines = () => stage.logs.filter(({ event }) => event === "request-refused");
    expect(lines()).toHaveLength(100);
    stage.advance(1_000);
    stage.ask("SING", "/");
    expect(lines().at(-1)?.fields).toMatchObject({ status: 459, code: "method-unknown", suppressed: 50 });
  });
});

describe("ESTABLISH by headers alone", () => {
  const SEED: readonly HeaderField[] = [
    ["Authority-Scope", "communication:bilateral"],
    ["Session-Intent", "communication"],
    ["Communication-Modalities", "audio, video"],
    ["Audio-Codecs", "g728, opus"],
    ["Video-Codecs", "vp9, av1"],
  ];
  const change = (name: string, value: string): readonly HeaderField[] =>
    SEED.map((field) => (field[0] === name ? [name, value] : field));
  const everything = scopes("communication:bilateral");
  const caller = testAgent("seed", 12, { genesis: { scope: everything }, document: { scope: everything } });
  const establish = (headers: readonly HeaderField[], parameters: JsonObject = {}) => {
    const stage = new Stage();
    const alice = new SignalingPeer(stage, caller);
    alice.subscribe();
    new SignalingPeer(stage, BOB).subscribe();
    return alice.ask("ESTABLISH", "/sessions", parameters, { dialect: "seed", headers, proof: false }).last;
  };

  test("is judged as an offer would be, up to the offer that is missing", () => {
    const target: HeaderField = ["X-AGTP-Target-Agent", BOB.genesis.agentId];
    expect(establish([...SEED, target])).toMatchObject({
      status: 422,
      error: {
        code: "offer-required",
        details: {
          target_agent_id: BOB.genesis.agentId,
          communication_modalities: ["audio", "video"],
          audio_codec: "opus",
          video_codec: "vp9",
        },
      },
    });
    expect(establish(SEED, { target_agent_id: BOB.genesis.agentId }).error?.code).toBe("offer-required");
    expect(establish(SEED).error?.code).toBe("target-required");
    expect(establish([...SEED, ["X-AGTP-Target-Agent", "Bob"]]).error?.code).toBe("target-required");
    expect(establish(SEED, { target_agent_id: "0".repeat(64) }).status).toBe(404);
  });

  test.each([
    ["Session-Intent", "gossip", 422, "session-model-unsupported"],
    ["Authority-Scope", "communication:audio:transmit", 451, "scope-violation"],
    ["Authority-Scope", "payments:all", 451, "scope-claim-invalid"],
    ["Communication-Modalities", "smell", 463, "proposal-rejected"],
    ["Audio-Codecs", "g728", 463, "proposal-rejected"],
    ["Video-Codecs", "h264", 463, "proposal-rejected"],
  ])("with %s: %s is refused with %d %s", (name, value, status, code) => {
    expect(establish(change(name, value))).toMatchObject({ status, error: { code } });
  });

  test("needs an agent that proved itself on the connection", () => {
    const [refused] = new Stage().ask("ESTABLISH", "/sessions", SEED, undefined, "seed");
    expect(refused?.status).toBe(401);
  });

  test("an offer says whom it calls where nothing else does", () => {
    const stage = new Stage();
    const alice = new SignalingPeer(stage, ALICE);
    const inbox = new SignalingPeer(stage, BOB).subscribe();
    alice.ask("ESTABLISH", "/sessions", { offer: alice.offer(BOB) });
    expect(inbox.events).toContain("offer");
  });
});
