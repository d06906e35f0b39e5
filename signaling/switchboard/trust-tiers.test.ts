import { describe, expect, test } from "vitest";
import { CallScene } from "../../test/scenario/signaling-call.ts";
import { type Answers, SignalingPeer } from "../../test/scenario/signaling-peer.ts";
import { Stage } from "../../test/scenario/signaling-stage.ts";
import { ALICE, BOB, testAgent } from "../../test/signed-call.ts";
import { encodePublicKey } from "../keys.ts";

const VERIFIED = { trustTier: 1, verificationPath: "dns-anchored" } as const;
const CAROL = testAgent("carol", 21, { genesis: VERIFIED });
const DORA = testAgent("dora", 22, { genesis: VERIFIED });
const LOWLY = testAgent("lowly", 23, { genesis: { trustTier: 3 } });

const warningIn = (answers: Answers) => answers.raw.at(-1)?.headers.get("Trust-Warning");
const trustIn = (answers: Answers) => answers.last.result.status;

describe("where the floor is `verified`", () => {
  const config = { trustFloor: "verified" } as const;

  test("an agent of tier 2 without a certificate may not talk: 455 with what is missing; it may still look around", () => {
    const stage = new Stage({ config });
    const alice = new SignalingPeer(stage, ALICE);
    const refused = {
      status: 455,
      error: {
        code: "scope-violation",
        details: {
          trust_tier: 2,
          trust_floor: "verified",
          trust_warning: "verification-incomplete",
          missing_scopes: ["communication:*"],
        },
      },
    };
    expect(alice.call(BOB).last).toMatchObject(refused);
    expect(alice.subscribe().last).toMatchObject(refused);
    expect(alice.ask("DISCOVER", `/agents/${alice.id}`).outcome).toBe("ok 200");
    const claim = [["Authority-Scope", "communication:audio:capture"]] as const;
    expect(alice.ask("QUERY", "/sessions/sess-none", {}, { headers: claim }).outcome).toBe(
      "session-not-found",
    );
  });

  test("agents of tier 1 talk, with everything they claim", () => {
    const stage = new Stage({ config });
    const [carol, dora] = [new SignalingPeer(stage, CAROL), new SignalingPeer(stage, DORA)];
    const inbox = dora.subscribe();
    carol.subscribe();
    const calling = carol.call(DORA);
    dora.accept(inbox.event("offer"));
    expect(calling.last.result.authority_scope).toEqual([
      "communication:audio:capture",
      "communication:audio:transmit",
    ]);
    expect(calling.last.result.peer).toMatchObject({ status: { trust_tier: 1 } });
  });

  test("tier 1 is an issuer's word: of one whom the operator does not name it is tier 2", () => {
    const unnamed = new Stage({ config: { ...config, genesisIssuers: [] } });
    const carol = new SignalingPeer(unnamed, CAROL);
    expect(carol.call(DORA).last).toMatchObject({ status: 455, error: { details: { trust_tier: 2 } } });
    const genesisIssuers = [encodePublicKey(CAROL.genesis.issuerKey)];
    const named = new Stage({ config: { ...config, genesisIssuers } });
    expect(new SignalingPeer(named, CAROL).subscribe().outcome).toBe("ok 200");
    expect(new SignalingPeer(named, DORA).subscribe().outcome).toBe("scope-violation");
  });

  test("agents of tier 3 do not talk, nor where the floor is `org-asserted`", () => {
    for (const trustFloor of ["verified", "org-asserted"] as const) {
      const stage = new Stage({ config: { trustFloor } });
      expect(new SignalingPeer(stage, LOWLY).subscribe().last).toMatchObject({
        status: 455,
        error: { code: "scope-violation", details: { trust_tier: 3, trust_floor: trustFloor } },
      });
    }
    expect(new SignalingPeer(new Stage(), LOWLY).subscribe().outcome).toBe("ok 200");
  });
});

describe("what is told of trust", () => {
  test("the log says at the start that the floor is lowered", () => {
    const said = (stage: Stage) =>
      stage.logs
        .filter(({ event }) => event === "trust-floor-lowered")
        .map(({ level, fields }) => [level, fields]);
    expect(said(new Stage({ config: { trustFloor: "verified" } }))).toEqual([]);
    expect(said(new Stage({ config: { trustFloor: "experimental" } }))).toEqual([
      ["warn", { floor: "experimental" }],
    ]);
  });

  test("every answer to an agent of tier 2, and every one about it, warns; none to or about tier 1 by a server of tier 1", () => {
    const stage = new Stage({ serverTier: 1 });
    const [alice, carol] = [new SignalingPeer(stage, ALICE), new SignalingPeer(stage, CAROL)];
    const inboxes = { alice: alice.subscribe(), carol: carol.subscribe() };
    expect(warningIn(inboxes.alice)).toBe("verification-incomplete");
    expect(warningIn(inboxes.carol)).toBeUndefined();
    expect(warningIn(carol.ask("DISCOVER", `/agents/${carol.id}`))).toBeUndefined();
    const about = carol.ask("DISCOVER", `/agents/${alice.id}`);
    expect(warningIn(about)).toBe("verification-incomplete");
    expect(trustIn(about)).toMatchObject({
      trust_tier: 2,
      verification_path: "org-asserted",
      trust_warning: "verification-incomplete",
    });
    const calling = alice.call(CAROL);
    expect(warningIn(inboxes.carol), "an offer of Alice's").toBe("verification-incomplete");
    const confirmed = carol.accept(inboxes.carol.event("offer"));
    expect([warningIn(confirmed), warningIn(calling)]).toEqual(Array(2).fill("verification-incomplete"));
    expect(warningIn(alice.query("sess-none")), "a refusal").toBe("verification-incomplete");
    expect(warningIn(carol.query("sess-none"))).toBeUndefined();
  });

  test("an unknown verification path has its own warning, and the list of agents tells it", () => {
    const odd = testAgent("odd", 24, { genesis: { trustTier: 1, verificationPath: "blood-oath" } });
    const stage = new Stage({ serverTier: 1 });
    const peer = new SignalingPeer(stage, odd);
    expect(warningIn(peer.subscribe())).toBe("verification-path-unsupported");
    expect(peer.ask("DISCOVER", "/agents").last.result.agents).toMatchObject([
      {
        trust_tier: 2,
        verification_path: "org-asserted",
        trust_warning: "verification-path-unsupported",
      },
    ]);
  });

  test("an answer names tier and path of who answers", () => {
    const [response] = new Stage({ serverTier: 1 }).ask("DISCOVER", "/");
    expect(response?.headers.get("Trust-Tier")).toBe("1");
    expect(response?.headers.get("Verification-Path")).toBe("org-asserted");
  });
});

test("a document that lowers an agent's tier in the middle of a call takes its scope away", () => {
  const scene = new CallScene({ config: { trustFloor: "org-asserted" } });
  const { now } = scene.stage;
  const lowered = testAgent("alice", 1, { document: { trustTier: 3, issuedAt: now, updatedAt: now } });
  new SignalingPeer(scene.stage, lowered).ask("QUERY", "/sessions/sess-none", {}, { proof: true });
  expect(scene.bobInbox.event("authority-narrowed")).toMatchObject({ leg: 0, scope: [] });
  expect(scene.stage.admissions.at(-1)).toMatchObject({ kind: "terms", transmitAllowed: false });
});
