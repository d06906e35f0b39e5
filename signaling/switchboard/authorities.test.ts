import { describe, expect, test } from "vitest";
import { strictVerifier } from "../../test/keys.ts";
import { CallScene } from "../../test/scenario/signaling-call.ts";
import { SignalingPeer } from "../../test/scenario/signaling-peer.ts";
import { ALICE, BOB, must, scopes, type TestAgent, testAgent } from "../../test/signed-call.ts";
import { readRecord } from "../attribution.ts";
import { type AgentStatus, createIdentityDocument } from "../identity-document.ts";
import { DEFAULT_LIMITS } from "./config.ts";

const SPEAKING = "communication:audio:capture, communication:audio:transmit";

/** An agent comes online again with an identity document of this moment. */
function renew(scene: CallScene, agent: TestAgent, scope: string, status: AgentStatus = "active"): void {
  scene.stage.advance(1_000);
  const { now } = scene.stage;
  const document = createIdentityDocument(
    {
      ...{ name: agent.genesis.name, description: "Renewed.", principal: "Example", status },
      ...{ methods: [], capabilities: [], trustScore: 0.5, issuedAt: now, updatedAt: now },
      scope: scopes(scope),
    },
    agent.genesis,
    agent.identity,
    strictVerifier,
  );
  new SignalingPeer(scene.stage, { ...agent, document }).ask(
    "QUERY",
    "/sessions/sess-none",
    {},
    { proof: true },
  );
}

const terms = (scene: CallScene) => scene.stage.admissions.filter((message) => message.kind === "terms");
const records = (scene: CallScene) =>
  scene.stage.sessionRecords(scene.sessionId).map((jws) => must(readRecord(jws)));

describe("an identity document renewed in the middle of a call", () => {
  test("with a smaller scope: the relay lets nothing through from then on, both ends are told, and the record names the last frame", () => {
    const scene = new CallScene();
    const flow = { leg: 0, stream: 0, received: 9, admitted: 9, bytes: 900, forwarded: 9 };
    const tally = { ...flow, refused: {}, dropped: {}, firstSequence: 1, lastSequence: 9 };
    scene.stage.counters.set(scene.sessionId, [tally]);
    renew(scene, ALICE, "documents:query");
    expect(terms(scene)).toMatchObject([
      { flow: scene.stream(0, "send").flow, termsNumber: 1, transmitAllowed: false },
    ]);
    const told = { session_id: scene.sessionId, leg: 0, agent_id: scene.alice.id, scope: [], by: "server" };
    expect(scene.aliceInbox.event("authority-narrowed")).toMatchObject(told);
    expect(scene.bobInbox.event("authority-narrowed")).toMatchObject(told);
    expect(records(scene).find(({ event }) => event === "authority-narrowed")?.extra).toMatchObject({
      leg: 0,
      scope: [],
      by: "server",
      streams: [{ leg: 0, stream: 0, last_sequence: 9 }],
    });
    expect(scene.alice.query(scene.sessionId).last.result.state, "Bob still speaks").toBe("active");
    scene.stage.checkChain();
  });

  test("with the same scope, or a wider one: nothing happens, and nothing is widened", () => {
    const scene = new CallScene();
    renew(scene, ALICE, SPEAKING);
    renew(scene, BOB, "communication:bilateral");
    expect(terms(scene)).toEqual([]);
    renew(scene, ALICE, "communication:audio:capture");
    renew(scene, ALICE, "communication:bilateral");
    expect(terms(scene)).toMatchObject([{ transmitAllowed: false }]);
  });

  test("which leaves neither end anything to send: the session ends, scope-violation", () => {
    const scene = new CallScene();
    renew(scene, ALICE, "documents:query");
    renew(scene, BOB, "communication:audio:capture");
    for (const inbox of [scene.aliceInbox, scene.bobInbox]) {
      expect(inbox.event("session-ended")).toMatchObject({ reason: "scope-violation", by: "server" });
    }
    scene.stage.advance(10_000);
    expect(scene.finalRecord()?.extra).toMatchObject({ reason: "scope-violation", by: "server" });
    scene.stage.checkChain();
  });

  test.each([
    ["suspended", "agent-deactivated"],
    ["retired", "identity-revoked"],
  ] as const)("which says %s: the session ends, %s", (status, reason) => {
    const scene = new CallScene();
    renew(scene, ALICE, SPEAKING, status);
    expect(scene.bobInbox.event("session-ended")).toMatchObject({ reason, by: "server" });
    scene.stage.advance(10_000);
    expect(scene.finalRecord()?.extra).toMatchObject({ reason });
  });
});

describe("an end that is away while documents are renewed", () => {
  const persistent = { offer: { session: { model: "persistent", ttl: 3_600 } } } as const;
  const back = (scene: CallScene, agent: TestAgent) =>
    new SignalingPeer(scene.stage, agent).openMedia(scene.sessionId).last;

  test("does not come back where nothing is covered any more: the session stands still until its time is over", () => {
    const scene = new CallScene(persistent);
    scene.bob.drop();
    renew(scene, ALICE, "documents:query");
    expect(scene.alice.query(scene.sessionId).last.result.state).toBe("detached");
    renew(scene, BOB, "documents:query");
    const refused = back(scene, BOB);
    expect(refused).toMatchObject({ status: 455, error: { code: "scope-violation" } });
    expect(refused.error?.details).not.toHaveProperty("trust_tier");
    expect(scene.alice.query(scene.sessionId).last.result.state).toBe("detached");
    scene.stage.advance(DEFAULT_LIMITS.detachedSeconds * 1_000);
    expect(scene.aliceInbox.event("session-ended")).toMatchObject({ reason: "detach-expired" });
  });

  test("does not come back where it is trusted too little by then", () => {
    const scene = new CallScene({ ...persistent, config: { trustFloor: "org-asserted" } });
    scene.bob.drop();
    scene.stage.advance(1_000);
    const { now } = scene.stage;
    const lowered = testAgent("bob", 2, { document: { trustTier: 3, issuedAt: now, updatedAt: now } });
    new SignalingPeer(scene.stage, lowered).ask("QUERY", "/sessions/sess-none", {}, { proof: true });
    expect(back(scene, lowered)).toMatchObject({
      status: 455,
      error: { code: "scope-violation", details: { trust_tier: 3 } },
    });
    expect(scene.alice.query(scene.sessionId).last.result.state).toBe("detached");
  });
});
