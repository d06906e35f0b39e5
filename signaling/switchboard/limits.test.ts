import { describe, expect, test } from "vitest";
import type { JsonObject } from "../../codecs/canonical-json.ts";
import { CallScene, type SceneOptions } from "../../test/scenario/signaling-call.ts";
import { SignalingPeer } from "../../test/scenario/signaling-peer.ts";
import { Stage } from "../../test/scenario/signaling-stage.ts";
import { ALICE, BOB, offerPayload, scopes, testAgent } from "../../test/signed-call.ts";
import { makeNarrowing } from "../narrowing.ts";

const SPEAKING = "communication:audio:capture, communication:audio:transmit";

/** Alice, or Bob, whose issuer sets caps in the identity document; of Alice's own key, so the rest is as it was. */
const capped = (name: "alice" | "bob", caps: string) =>
  testAgent(name, name === "alice" ? 1 : 2, { document: { scope: scopes(`${SPEAKING}, ${caps}`) } });

/** A call between capped ends. */
function callUnder(caps: { readonly alice?: string; readonly bob?: string }, options: SceneOptions = {}) {
  return new CallScene({
    ...options,
    ...(caps.alice === undefined ? {} : { alice: capped("alice", caps.alice) }),
    ...(caps.bob === undefined ? {} : { bob: capped("bob", caps.bob) }),
  });
}

/** What an offer under these caps is answered. */
function outcomeOf(caps: string, changes: Parameters<SignalingPeer["offer"]>[1] = {}) {
  const stage = new Stage();
  const alice = new SignalingPeer(stage, capped("alice", caps));
  new SignalingPeer(stage, BOB).subscribe();
  return alice.call(BOB, { changes }).last;
}

describe("caps of the scope when a call is asked for", () => {
  const PCMU = { name: "pcmu", clock_rate: 8_000, channels: 1, frame_ms: [20], payload_type: 0 } as const;
  const [stream] = offerPayload().streams as unknown as [JsonObject];
  const withPcmu = [{ ...stream, codecs: [PCMU] }] as never;

  test("a codec that takes more bits than allowed: 463 naming cap and need, with codecs that would do", () => {
    const { status, error } = outcomeOf("communication:limit:bitrate-bps:32000", { streams: withPcmu });
    expect({ status, error }).toMatchObject({
      status: 463,
      error: {
        code: "proposal-rejected",
        reason: "policy-refused",
        details: { limit: "bitrate-bps", cap: 32_000, asked: 64_000 },
      },
    });
    const proposal = error?.details?.counter_proposal as JsonObject;
    expect(proposal.limits).toEqual({ "bitrate-bps": 32_000 });
    expect(new Set((proposal.codecs as JsonObject[]).map(({ name }) => name))).toEqual(new Set(["opus"]));
  });

  test("fewer bits than any codec takes, or no stream at all: the scope does not cover it", () => {
    for (const [caps, details] of [
      ["communication:limit:bitrate-bps:5000", { limit: "bitrate-bps", cap: 5_000, asked: 6_000 }],
      ["communication:limit:streams:0", { limit: "streams", cap: 0, asked: 1 }],
    ] as const) {
      const { status, error } = outcomeOf(caps, { streams: offerPayload().streams });
      expect({ status, error }).toMatchObject({ status: 455, error: { code: "scope-violation", details } });
    }
  });

  test("more streams than allowed: 463 with how many would do", () => {
    const second = { ...stream, stream: 1, ssrc: 77 };
    const answer = outcomeOf("communication:limit:streams:1", { streams: [stream, second] as never });
    expect(answer).toMatchObject({
      status: 463,
      error: {
        details: { limit: "streams", cap: 1, asked: 2, counter_proposal: { limits: { streams: 1 } } },
      },
    });
  });

  test.each([
    ["height", 360, 720],
    ["frame-rate", 15, 30],
  ] as const)(
    "more %s of a picture than %d: 463 with what would do, and less is taken",
    (limit, cap, asked) => {
      const everything = `communication:bilateral, communication:limit:${limit}:${cap}`;
      const scope = { scope: scopes("communication:bilateral") };
      const agent = (byte: number, document: string) =>
        testAgent(byte === 8 ? "cara" : "dan", byte, {
          genesis: scope,
          document: { scope: scopes(document) },
        });
      const codec = { name: "vp8", clock_rate: 90_000, payload_type: 96, max_width: 1_280 } as const;
      const picture = (height: number, rate: number) => ({
        ...{ stream: 3, modality: "video", direction: "sendonly", ssrc: 5 },
        codecs: [{ ...codec, max_height: height, max_frame_rate: rate }],
      });
      const [stage, dan] = [new Stage(), agent(9, "communication:bilateral")];
      const cara = new SignalingPeer(stage, agent(8, everything));
      const inbox = new SignalingPeer(stage, dan).subscribe();
      const offering = (height: number, rate: number) => ({
        changes: { scope: ["communication:bilateral"], streams: [picture(height, rate)] as never },
      });
      expect(cara.call(dan, offering(720, 30)).last).toMatchObject({
        status: 463,
        error: { details: { limit, cap, asked, counter_proposal: { limits: { [limit]: cap } } } },
      });
      expect(inbox.events).not.toContain("offer");
      cara.call(dan, offering(360, 15));
      expect(inbox.events).toContain("offer");
    },
  );

  test("an answer is held to the caps of both ends, and a better one is taken", () => {
    const stage = new Stage();
    const alice = new SignalingPeer(stage, capped("alice", "communication:limit:bitrate-bps:32000"));
    const bob = new SignalingPeer(stage, BOB);
    const inbox = bob.subscribe();
    alice.subscribe();
    const calling = alice.call(BOB);
    const event = inbox.event("offer");
    expect(event.authority_scope, "what Bob may count on").toContain("communication:limit:bitrate-bps:32000");
    const costly = { stream: 0, modality: "audio", direction: "sendrecv", ssrc: 0xb0b } as const;
    const streams = [{ ...costly, codec: { ...PCMU, frame_ms: 20 } }] as never;
    expect(bob.accept(event, { changes: { streams } }).last).toMatchObject({
      status: 463,
      error: { details: { limit: "bitrate-bps", cap: 32_000, asked: 64_000 } },
    });
    expect(bob.accept(event).outcome).toBe("ok 200");
    expect(calling.outcome).toBe("ok 200");
  });

  test("both ends see what both may do", () => {
    const scene = callUnder({
      alice: "communication:limit:bitrate-bps:32000",
      bob: "communication:limit:streams:2",
    });
    const own = ["communication:audio:capture", "communication:audio:transmit"];
    const alices = [...own, "communication:limit:bitrate-bps:32000"];
    const bobs = [...own, "communication:limit:streams:2"];
    expect(scene.established.last.result).toMatchObject({
      authority_scope: alices,
      peer_authority_scope: bobs,
    });
    expect(scene.confirmed.last.result).toMatchObject({
      authority_scope: bobs,
      peer_authority_scope: alices,
    });
    expect(scene.alice.query(scene.sessionId).last.result.participants).toMatchObject([
      { authority_scope: alices },
      { authority_scope: bobs },
    ]);
    const installed = scene.stage.admissions.filter((message) => message.kind === "install");
    expect(installed.map(({ row }) => [row.leg, row.bitsPerSecond])).toEqual([
      [0, 32_000],
      [1, undefined],
    ]);
  });
});

describe("how long a session lasts", () => {
  test("is the lower cap of both ends where that is less than was wished; then it ends for that", () => {
    const scene = callUnder({
      alice: "communication:limit:duration-s:90",
      bob: "communication:limit:duration-s:30",
    });
    expect(scene.established.last.result).toMatchObject({
      session_ttl: 30,
      expires_at: Math.floor(scene.stage.now / 1000) + 30,
    });
    scene.stage.advance(29_999);
    expect(scene.aliceInbox.events).not.toContain("session-ended");
    scene.stage.advance(1);
    for (const inbox of [scene.aliceInbox, scene.bobInbox]) {
      expect(inbox.event("session-ended")).toMatchObject({ reason: "duration-limit", by: "server" });
    }
    expect(scene.alice.query(scene.sessionId).last.result).toMatchObject({
      state: "expired",
      reason: "duration-limit",
    });
    scene.stage.advance(10_000);
    expect(scene.finalRecord()).toMatchObject({
      event: "session-expired",
      extra: { reason: "duration-limit" },
    });
    scene.stage.checkChain();
  });

  test("is what was wished where that is less than the cap", () => {
    const scene = callUnder(
      { alice: "communication:limit:duration-s:3000" },
      { offer: { session: { model: "bounded", ttl: 20 } } },
    );
    scene.stage.advance(20_000);
    expect(scene.aliceInbox.event("session-ended")).toMatchObject({ reason: "ttl-expired" });
  });
});

describe("caps changed while a call is up", () => {
  const narrow = (scene: CallScene, scope: readonly string[], number = 2) => {
    const narrowing = makeNarrowing(
      {
        ...{ v: 1, session_id: scene.sessionId, leg: 0, number, scope },
        session_digest: Buffer.from(scene.core.digest).toString("hex"),
        last_audit_id: "0".repeat(64),
        iat: Math.floor(scene.stage.now / 1000),
      },
      ALICE.identity,
    );
    return scene.alice.ask("ADJUST", `/sessions/${scene.sessionId}`, { narrowing }, { proof: false }).last;
  };
  const tokens = (...caps: string[]) => [
    "communication:audio:capture",
    "communication:audio:transmit",
    ...caps.map((cap) => `communication:limit:${cap}`),
  ];

  test("an end lowers its own: the relay goes by it at once, and the session ends sooner", () => {
    const scene = new CallScene();
    scene.stage.advance(5_000);
    expect(narrow(scene, tokens("bitrate-bps:24000", "duration-s:20")).status).toBe(200);
    const [own, other] = scene.stage.admissions.filter((message) => message.kind === "terms");
    expect([own, other]).toMatchObject([
      { transmitAllowed: true, bitsPerSecond: 24_000 },
      { transmitAllowed: true, bitsPerSecond: undefined },
    ]);
    scene.stage.advance(15_000);
    expect(scene.bobInbox.event("session-ended")).toMatchObject({ reason: "duration-limit" });
  });

  test("a cap is neither raised, 456 naming it, nor lifted", () => {
    const scene = new CallScene();
    expect(narrow(scene, tokens("bitrate-bps:24000")).status).toBe(200);
    expect(narrow(scene, tokens("bitrate-bps:24001"), 3)).toMatchObject({
      status: 456,
      error: {
        code: "limit-exceeded",
        details: { limit: "bitrate-bps", cap: 24_000, asked: 24_001 },
      },
    });
    expect(narrow(scene, tokens(), 3)).toMatchObject({ status: 455, error: { code: "scope-violation" } });
  });

  test("an issuer lowers them: both ends are told, and how long there is left", () => {
    const scene = new CallScene();
    scene.stage.advance(10_000);
    const at = scene.stage.now;
    const renewed = testAgent("alice", 1, {
      document: {
        scope: scopes(`${SPEAKING}, communication:limit:duration-s:60, communication:limit:bitrate-bps:8000`),
        ...{ issuedAt: at, updatedAt: at },
      },
    });
    new SignalingPeer(scene.stage, renewed).ask("QUERY", "/sessions/sess-none", {}, { proof: true });
    expect(scene.bobInbox.event("authority-narrowed")).toMatchObject({
      leg: 0,
      scope: tokens("bitrate-bps:8000", "duration-s:60"),
      expires_at: Math.floor(at / 1000) + 50,
    });
    expect(scene.stage.admissions.at(-1)).toMatchObject({ transmitAllowed: true, bitsPerSecond: 8_000 });
    scene.stage.advance(50_000);
    expect(scene.bobInbox.event("session-ended")).toMatchObject({ reason: "duration-limit" });
  });
});

test("refused frames are told with the cap they passed", () => {
  const scene = callUnder({ alice: "communication:limit:bitrate-bps:32000" });
  const flow = Number(scene.stream(0, "send").flow);
  const { connection } = scene.alice;
  const refused = { kind: "refused", sessionId: scene.sessionId } as const;
  scene.stage.handle({ ...refused, connection, flow, reason: "limit", first: 7, last: 9, count: 3 });
  for (const inbox of [scene.aliceInbox, scene.bobInbox]) {
    expect(inbox.event("frames_refused")).toMatchObject({
      ...{ reason: "limit", limit: "bitrate-bps", cap: 32_000, count: 3, first: 7, last: 9 },
    });
  }
});
