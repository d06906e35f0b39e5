import { describe, expect, test } from "vitest";
import { Headers } from "../../codecs/headers.ts";
import { SignalingPeer } from "../../test/scenario/signaling-peer.ts";
import { Stage } from "../../test/scenario/signaling-stage.ts";
import { ALICE, BOB, offerPayload, scopes, testAgent } from "../../test/signed-call.ts";
import { DEFAULT_LIMITS } from "./config.ts";

function scene() {
  const stage = new Stage();
  const alice = new SignalingPeer(stage, ALICE);
  const bob = new SignalingPeer(stage, BOB);
  return { stage, alice, bob, inbox: bob.subscribe() };
}

const STREAM = offerPayload().streams[0] as ReturnType<typeof offerPayload>["streams"][number];

describe("authority", () => {
  const deaf = testAgent("deaf", 8, { document: { scope: scopes("communication:audio:transmit") } });

  test.each(["base", "seed"] as const)(
    "a claim beyond the identity document, in the %s dialect",
    (dialect) => {
      const { stage } = scene();
      const answer = new SignalingPeer(stage, deaf).call(BOB, { dialect });
      expect(answer.last).toMatchObject({
        status: dialect === "base" ? 262 : 451,
        error: { code: "scope-claim-invalid", details: { missing_scopes: ["communication:audio:capture"] } },
      });
      expect(answer.raw[0]?.dialect).toBe(dialect);
    },
  );

  test.each(["base", "seed"] as const)("sending without the scope for it, in the %s dialect", (dialect) => {
    const { stage } = scene();
    const changes = { scope: ["communication:audio:transmit"] };
    const answer = new SignalingPeer(stage, deaf).call(BOB, { dialect, changes });
    expect(answer.last).toMatchObject({
      status: dialect === "base" ? 455 : 451,
      error: { code: "scope-violation", details: { missing_scopes: ["communication:audio:capture"] } },
    });
  });

  test("server policy narrows what anybody may do", () => {
    const stage = new Stage({ config: { policyScope: ["communication:data:*"] } });
    new SignalingPeer(stage, BOB).subscribe();
    expect(new SignalingPeer(stage, ALICE).call(BOB).outcome).toBe("scope-violation");
  });

  test("the callee's answer is held to its own documents, and it may still answer less", () => {
    const { stage, alice } = scene();
    const callee = new SignalingPeer(stage, deaf);
    const inbox = callee.subscribe();
    const call = alice.call(deaf);
    const event = inbox.event("offer");
    expect(callee.accept(event).outcome).toBe("scope-claim-invalid");
    const scope = ["communication:audio:transmit"];
    expect(callee.accept(event, { changes: { scope } }).outcome).toBe("scope-violation");
    const stream = {
      stream: 0,
      modality: "audio",
      direction: "recvonly",
      ssrc: 7,
      codec: { name: "opus", clock_rate: 48_000, channels: 1, frame_ms: 20, payload_type: 111 },
    } as const;
    expect(callee.accept(event, { changes: { scope, streams: [stream] } }).outcome).toBe("ok 200");
    expect(call.last.result.streams).toHaveLength(1);
  });

  test("a claim beside the offer must say the same", () => {
    const { alice } = scene();
    const headers = [["Authority-Scope", "communication:audio:transmit"]] as const;
    expect(alice.call(BOB, { headers }).outcome).toBe("scope-claim-invalid");
  });
});

describe("offers and answers", () => {
  test("headers that contradict the offer: 463, ambiguous", () => {
    const { alice } = scene();
    for (const header of [
      ["Audio-Codecs", "g722"],
      ["Communication-Modalities", "video"],
      ["Data-Formats", "json"],
    ] as const) {
      expect(alice.call(BOB, { headers: [header] }).last).toMatchObject({
        status: 463,
        error: {
          code: "proposal-rejected",
          reason: "ambiguous",
          details: {
            counter_proposal: {
              modalities: ["audio", "video", "data"],
              data_formats: ["json", "text", "binary"],
            },
          },
        },
      });
    }
    const agreeing = [
      ["Audio-Codecs", "opus, pcmu"],
      ["Communication-Modalities", "audio"],
    ] as const;
    expect(alice.call(BOB, { headers: agreeing }).raw).toHaveLength(0);
  });

  test.each([
    ["a wrong intent", { headers: [["Session-Intent", "commerce"]] as const }, "session-model-unsupported"],
    ["an unknown model", { more: { session_model: "endless" } }, "session-model-unsupported"],
    ["a model that is not the offer's", { more: { session_model: "persistent" } }, "field-invalid"],
    ["a lifetime that is not the offer's", { more: { session_ttl: 5 } }, "field-invalid"],
    ["a delegation", { headers: [["Delegation-Chain", "a"]] as const }, "delegation-not-supported"],
    ["an offer for later", { changes: { iat: 1_900_000_000, exp: 1_900_000_060 } }, "field-invalid"],
    [
      "somebody else's offer",
      { changes: { caller: BOB.genesis.agentId, callee: ALICE.genesis.agentId } },
      "field-invalid",
    ],
    ["no streams", { changes: { streams: [] } }, "field-invalid"],
    ["no target", { more: { target_agent_id: "bob" } }, "field-invalid"],
  ])("%s", (_, options, code) => {
    expect(scene().alice.call(BOB, options).outcome).toBe(code);
  });

  test("an offer signed by another key", () => {
    const { alice } = scene();
    const forger = new SignalingPeer(alice.stage, { ...ALICE, identity: BOB.identity });
    expect(alice.call(BOB, { offer: forger.offer(BOB) }).outcome).toBe("signature-invalid");
  });

  test.each([
    [
      "a codec that was not offered",
      { codec: { name: "g722", clock_rate: 8_000, channels: 1, frame_ms: 20, payload_type: 9 } },
    ],
    ["a stream that was not offered", { stream: 9 }],
    ["the caller's SSRC", { ssrc: STREAM.ssrc }],
  ])("an answer with %s leaves it ringing", (_, change) => {
    const { alice, bob, inbox } = scene();
    const call = alice.call(BOB);
    const event = inbox.event("offer");
    const good = {
      stream: 0,
      modality: "audio",
      direction: "sendrecv",
      ssrc: 7,
      codec: { name: "opus", clock_rate: 48_000, channels: 1, frame_ms: 20, payload_type: 111 },
    } as const;
    const streams = [{ ...good, ...change }] as unknown as readonly (typeof good)[];
    expect(bob.accept(event, { changes: { streams } }).last).toMatchObject({
      status: 422,
      error: { code: "field-invalid" },
    });
    expect(call.isOver).toBe(false);
    expect(bob.accept(event, { changes: { streams: [good] } }).outcome).toBe("ok 200");
  });

  test("answers by others, to others, or without an answer", () => {
    const { stage, alice, bob, inbox } = scene();
    alice.call(BOB);
    const event = inbox.event("offer");
    expect(alice.accept(event).outcome).toBe("session-identity-mismatch");
    expect(bob.confirm(event, { status: "accepted" }).outcome).toBe("field-invalid");
    expect(bob.confirm(event, { status: "rejected", target_id: "sess-other" }).outcome).toBe("field-invalid");
    expect(bob.accept({ ...event, session_id: "sess-nobodyknows" }).outcome).toBe("session-not-found");
    const forger = new SignalingPeer(stage, { ...BOB, identity: ALICE.identity });
    expect(bob.accept(event, { answer: forger.answerTo(event) }).outcome).toBe("signature-invalid");
  });
});

describe("requests", () => {
  test.each([
    ["GET", "/", 459, "method-unknown"],
    ["QUERY", "/audit", 460, "path-invalid"],
    ["QUERY", "/nowhere", 404, "not-found"],
    ["DISCOVER", "/sessions", 405, "method-not-allowed"],
    ["QUERY", "/clock", 422, "field-invalid"],
  ])("%s %s: %i %s", (method, path, status, code) => {
    expect(scene().alice.ask(method, path).last).toMatchObject({ status, error: { code } });
  });

  test("malformed, oversized or unreadable ones are answered in their dialect, and the connection stays", () => {
    const { stage, alice } = scene();
    for (const code of [
      "message-malformed",
      "header-too-large",
      "body-too-large",
      "version-unsupported",
    ] as const) {
      const exchange = stage.newExchange();
      const fault = { code, message: "Bad.", at: "line 2" };
      stage.handle({ kind: "malformed", connection: alice.connection, exchange, fault, dialect: "seed" });
      const [response] = stage.exchanges.get(exchange)?.responses ?? [];
      expect(response).toMatchObject({ status: 400, dialect: "seed" });
      expect(new TextDecoder().decode(response?.body)).toContain("line 2");
    }
    expect(stage.closes).toEqual([]);
    expect(alice.ask("DISCOVER", "/").outcome).toBe("ok 200");
    stage.checkChain();
  });

  test("bodies of another type, of no JSON, and identifiers that cannot be echoed", () => {
    const { stage, alice } = scene();
    const send = (fields: readonly (readonly [string, string])[], body: string) => {
      const request = {
        dialect: "base",
        method: "QUERY",
        path: "/clock",
        query: new Map<string, string>(),
      } as const;
      const sent = stage.request(alice.connection, {
        ...request,
        headers: new Headers(fields),
        body: new TextEncoder().encode(body),
      });
      return new TextDecoder().decode(sent.arrivals.responses[0]?.body);
    };
    const json = ["Content-Type", "application/json"] as const;
    expect(send([["Content-Type", "text/html"]], "<p>")).toContain("media-type-unsupported");
    expect(send([json], "{")).toContain("body-malformed");
    expect(send([json, ["Request-ID", "x".repeat(129)]], "{}")).toContain("header Request-ID");
    expect(send([json], '{"task_id":"a\\r\\nInjected: yes","parameters":{"t0":1}}')).toContain("task_id");
  });

  test("requests of a connection nobody opened are passed over", () => {
    const stage = new Stage();
    const headers = new Headers();
    const request = {
      dialect: "base",
      method: "DISCOVER",
      path: "/",
      query: new Map(),
      headers,
      body: new Uint8Array(),
    } as const;
    expect(stage.request(99, request).arrivals.responses).toEqual([]);
  });

  test("a connection beyond the cap is closed as overloaded", () => {
    const stage = new Stage({ config: { limits: { ...DEFAULT_LIMITS, connections: 1 } } });
    stage.open();
    const second = stage.open();
    expect(stage.closes).toEqual([{ kind: "close", connection: second, code: 7, reason: "connections-cap" }]);
  });
});
