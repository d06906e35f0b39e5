import { describe, expect, test } from "vitest";
import { ok, type Result } from "../../codecs/result.ts";
import { CertifiedAgents } from "../../test/scenario/certified-agents.ts";
import { SignalingPeer } from "../../test/scenario/signaling-peer.ts";
import { Stage, type StageOptions } from "../../test/scenario/signaling-stage.ts";
import { ALICE, BOB, CALL_TIME, scopes, type TestAgent, testAgent } from "../../test/signed-call.ts";
import type { AccessGrant } from "../authority.ts";

const certified = new CertifiedAgents();

/** Bob at his inbox; Alice on a connection of her own. */
function scene(options: StageOptions = {}) {
  const stage = new Stage(options);
  const alice = new SignalingPeer(stage, ALICE);
  const bob = new SignalingPeer(stage, BOB);
  return { stage, alice, bob, inbox: bob.subscribe() };
}

/** What an issuer lets Alice do. */
function grant(changes: Partial<AccessGrant>): Result<AccessGrant> {
  return ok({
    ...{ issuer: "https://login.example", tokenId: "1", agentId: ALICE.genesis.agentId },
    ...{ scope: scopes("communication:audio:*"), expiresAt: CALL_TIME + 600_000 },
    ...changes,
  });
}

/** Another process of the agent brings a newer identity document. */
function renew(stage: Stage, agent: TestAgent): void {
  const there = new SignalingPeer(stage, agent);
  expect(there.ask("QUERY", "/", {}, { proof: true, documents: true }).outcome).toBe("ok 200");
}

const updatedAt = CALL_TIME - 1_000;
const MUTE_ALICE = testAgent("alice", 1, { document: { scope: scopes("documents:query"), updatedAt } });
const LOWLY_BOB = testAgent("bob", 2, { document: { trustTier: 3, updatedAt } });

describe("an offer of video", () => {
  const CAPTURE = "communication:video:capture";
  const TRANSMIT = "communication:video:transmit";
  const offering = (held: readonly string[]) => {
    const scope = scopes(held.join(", "));
    const cara = testAgent("cara", 8, { genesis: { scope }, document: { scope } });
    const { stage, inbox } = scene();
    const codec = { name: "vp8", clock_rate: 90_000, payload_type: 96 } as const;
    const caps = { max_width: 640, max_height: 360, max_frame_rate: 30 };
    const streams = [
      { stream: 3, modality: "video", direction: "sendonly", ssrc: 5, codecs: [{ ...codec, ...caps }] },
    ] as const;
    const calling = new SignalingPeer(stage, cara).call(BOB, { changes: { scope: held, streams } });
    return { answers: calling.all, rings: inbox.events.includes("offer") };
  };

  test("rings with the scope for it", () => {
    expect(offering([CAPTURE, TRANSMIT]).rings).toBe(true);
  });

  test.each([
    [CAPTURE, TRANSMIT],
    [TRANSMIT, CAPTURE],
  ])("takes the scope %s", (missing, held) => {
    expect(offering([held])).toMatchObject({
      rings: false,
      answers: [{ status: 455, error: { code: "scope-violation", details: { missing_scopes: [missing] } } }],
    });
  });
});

describe("what changes while it rings", () => {
  test("a caller whose newer document has no scope for its offer: it rings no longer, and both are told", () => {
    const { stage, alice, bob, inbox } = scene();
    const calling = alice.call(BOB);
    renew(stage, MUTE_ALICE);
    expect(calling.outcome).toBe("scope-claim-invalid");
    expect(inbox.event("offer-cancelled")).toMatchObject({ reason: "scope-claim-invalid" });
    expect(bob.accept(inbox.event("offer")).last).toMatchObject({
      error: { code: "offer-dead", details: { outcome: "scope-claim-invalid" } },
    });
    expect(stage.admissions).toEqual([]);
  });

  test("a callee that is trusted too little by its newer document: the caller hears why", () => {
    const { stage, alice, inbox } = scene({ config: { trustFloor: "org-asserted" } });
    const calling = alice.call(BOB);
    renew(stage, LOWLY_BOB);
    expect(calling.last).toMatchObject({ error: { code: "scope-violation", details: { trust_tier: 3 } } });
    expect(inbox.event("offer-cancelled")).toMatchObject({ reason: "scope-violation" });
  });

  test("a document that changes nothing for the offer: it is answered", () => {
    const { stage, alice, bob, inbox } = scene();
    const calling = alice.call(BOB);
    renew(stage, testAgent("alice", 1, { document: { updatedAt } }));
    expect([bob.accept(inbox.event("offer")).outcome, calling.outcome]).toEqual(["ok 200", "ok 200"]);
  });

  test("a token that ran out before the answer: no session, and the caller is told so", () => {
    const { stage, alice, bob, inbox } = scene();
    alice.token = grant({ expiresAt: stage.now + 5_000 });
    const calling = alice.call(BOB);
    stage.advance(5_000);
    expect(bob.accept(inbox.event("offer")).outcome).toBe("offer-dead");
    expect(calling.outcome).toBe("token-expired");
  });
});

describe("the same ESTABLISH on another connection", () => {
  const weak = (stage: Stage) =>
    new SignalingPeer(stage, ALICE, certified.issue(ALICE, { scope: ["documents:query"] }).shown);

  test("is refused where what is shown there does not cover the offer, and the first goes on waiting", () => {
    const { stage, alice, bob, inbox } = scene({ certificates: certified.rules });
    const offer = alice.offer(BOB);
    const first = alice.call(BOB, { offer });
    expect(weak(stage).call(BOB, { offer }).outcome).toBe("scope-violation");
    expect(bob.accept(inbox.event("offer")).outcome).toBe("ok 200");
    expect(first.outcome).toBe("ok 200");
  });

  test("is established with the scope of the connection that the session is laid on", () => {
    const { stage, alice, bob, inbox } = scene();
    const offer = alice.offer(BOB);
    const first = alice.call(BOB, { offer });
    const token = grant({ scope: scopes("communication:audio:*, communication:limit:duration-s:60") });
    const second = new SignalingPeer(stage, ALICE).call(BOB, { offer, token });
    expect(bob.accept(inbox.event("offer")).outcome).toBe("ok 200");
    expect(first.outcome).toBe("session-state-conflict");
    expect(second.last.result.authority_scope).toEqual([
      "communication:audio:capture",
      "communication:audio:transmit",
      "communication:limit:duration-s:60",
    ]);
  });
});
