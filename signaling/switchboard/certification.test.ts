import { describe, expect, test } from "vitest";
import { seedSigner } from "../../test/keys.ts";
import { CertifiedAgents, keyHolder } from "../../test/scenario/certified-agents.ts";
import { restarted } from "../../test/scenario/restarted.ts";
import { CallScene } from "../../test/scenario/signaling-call.ts";
import { SignalingPeer } from "../../test/scenario/signaling-peer.ts";
import { type OpeningFacts, Stage } from "../../test/scenario/signaling-stage.ts";
import { ALICE, BOB, CALL_TIME, must, type TestAgent, testAgent } from "../../test/signed-call.ts";
import { readRecord } from "../attribution.ts";
import { MAX_REVOCATIONS } from "../certificate/revocations.ts";
import { readX509 } from "../certificate/x509.ts";
import type { LogEntry } from "../record-log.ts";

/** Half a minute. */
const SHORT = { days: 1 / 2_880 };
/** Nothing needs to be asked of the server before a request. */
const overTls = (facts: OpeningFacts): OpeningFacts => ({ ...facts, channelBinding: new Uint8Array(32) });
const certified = new CertifiedAgents();
const certificates = certified.rules;
const BROADCAST = "infrastructure:broadcast";

const recordOf = (answers: ReturnType<SignalingPeer["ask"]>) =>
  must(readRecord(String(answers.raw.at(-1)?.headers.get("Attribution-Record"))));

function revoke(peer: SignalingPeer, agent: TestAgent, serial: string, more: object = {}) {
  const content = { event_type: "certificate_revoked", agent_id: agent.genesis.agentId, ...more };
  const parameters = { recipient: BROADCAST, content: { certificate_serial: serial, ...content } };
  return peer.ask("NOTIFY", "/", parameters, { proof: peer.agent === peer.stage.server, documents: false });
}

describe("an Agent Certificate", () => {
  test("stands for every proof of its agent, and the records say so", () => {
    const stage = new Stage({ certificates });
    const alice = new SignalingPeer(stage, ALICE, certified.issue(ALICE).shown);
    const subscribed = alice.subscribe();
    expect(subscribed.outcome).toBe("ok 200");
    expect(recordOf(subscribed)).toMatchObject({
      counterparty_agent_id: alice.id,
      extra: { identity_assurance: "certificate-bound" },
    });
    expect(alice.ask("QUERY", "/").outcome).toBe("ok 200");
    const proved = new SignalingPeer(stage, ALICE).subscribe();
    expect(recordOf(proved).extra).toMatchObject({ identity_assurance: "proof-bound" });
  });

  test("has a key of its own, and the next one of the same agent another", () => {
    const stage = new Stage({ certificates });
    for (const { shown } of [certified.issue(ALICE), certified.issue(ALICE)]) {
      const alice = new SignalingPeer(stage, ALICE, shown);
      expect(alice.subscribe().outcome).toBe("ok 200");
      const { ed25519 } = must(readX509(shown.peerCertificates[0] as Uint8Array));
      expect(ed25519).not.toEqual(ALICE.identity.publicKey);
    }
  });

  test("of another agent than the header names: 401, and logged", () => {
    const stage = new Stage({ certificates });
    const alice = new SignalingPeer(stage, ALICE, overTls(certified.issue(BOB).shown));
    expect(alice.subscribe().last).toMatchObject({
      status: 401,
      error: { code: "agent-mismatch", details: { at: "header Agent-ID" } },
    });
    expect(stage.logs).toContainEqual(
      expect.objectContaining({
        level: "warn",
        event: "request-refused",
        fields: expect.objectContaining({ code: "agent-mismatch" }),
      }),
    );
  });

  test("of an agent that nobody knows here is for transport alone: it names nobody without a Genesis", () => {
    const stage = new Stage({ certificates });
    const alice = new SignalingPeer(stage, ALICE, certified.issue(ALICE).shown);
    expect(alice.ask("QUERY", "/clock", { t0: 1 }).outcome).toBe("ok 200");
    expect(alice.subscribe(undefined, { documents: false }).outcome).toBe("agent-unknown");
    const closed = new Stage({ certificates, config: { registration: "closed" } });
    expect(new SignalingPeer(closed, ALICE, certified.issue(ALICE).shown).subscribe().outcome).toBe(
      "agent-unknown",
    );
    expect(alice.subscribe().outcome, "with its Genesis").toBe("ok 200");
  });

  test("says who owns its agent, as the Genesis does and the header must", () => {
    const stage = new Stage({ certificates });
    const { shown } = certified.issue(ALICE);
    const alice = new SignalingPeer(stage, ALICE, shown);
    alice.subscribe();
    const asked = (owner: string) => alice.ask("QUERY", "/", {}, { headers: [["Owner-ID", owner]] });
    expect(asked(ALICE.genesis.ownerId).outcome).toBe("ok 200");
    expect(asked("other.test").last).toMatchObject({ status: 401, error: { code: "agent-mismatch" } });
    const elsewhere = testAgent("alice", 1, { genesis: { ownerId: "other.test" } });
    const wanted = { ...elsewhere, genesis: { ...elsewhere.genesis, agentId: ALICE.genesis.agentId } };
    const other = new SignalingPeer(stage, ALICE, overTls(certified.issue(wanted).shown));
    expect(other.subscribe().last).toMatchObject({
      error: { code: "agent-mismatch", details: { at: "certificate[0]" } },
    });
  });

  test("limits what may be claimed and granted: beyond its commitment 455, in the seed dialect 451", () => {
    const stage = new Stage({ certificates });
    const scope = ["communication:audio:transmit"];
    const alice = new SignalingPeer(stage, ALICE, certified.issue(ALICE, { scope }).shown);
    alice.subscribe();
    const claiming = (dialect: "base" | "seed") =>
      alice.ask("QUERY", "/", {}, { dialect, headers: [["Authority-Scope", "communication:audio:capture"]] });
    expect(claiming("base").last).toMatchObject({ status: 455, error: { code: "scope-violation" } });
    expect(claiming("seed").last.status).toBe(451);
    const bob = new SignalingPeer(stage, BOB);
    bob.subscribe();
    expect(alice.call(BOB).last.error?.code).toBe("scope-violation");
  });

  test("lets an agent of tier 2 talk where only verified ones may", () => {
    const config = { trustFloor: "verified" } as const;
    const [alice, bob] = [certified.issue(ALICE).shown, certified.issue(BOB).shown];
    const up = new CallScene({ certificates, config, shows: { alice, bob } });
    expect(up.established.outcome).toBe("ok 200");
    const stage = new Stage({ certificates, config });
    new SignalingPeer(stage, BOB, bob).subscribe();
    const proved = new SignalingPeer(stage, ALICE);
    proved.subscribe();
    expect(proved.call(BOB).last).toMatchObject({ status: 455, error: { code: "scope-violation" } });
  });

  test("names the zone it is for: another in the header is 457", () => {
    const stage = new Stage({ certificates });
    const alice = new SignalingPeer(stage, ALICE, certified.issue(ALICE).shown);
    alice.subscribe();
    const asked = (zone: string) => alice.ask("QUERY", "/", {}, { headers: [["AGTP-Zone-ID", zone]] }).last;
    expect(asked("zone:elsewhere")).toMatchObject({ status: 457, error: { code: "zone-violation" } });
    const proved = new SignalingPeer(stage, ALICE);
    proved.subscribe();
    const headers = [["AGTP-Zone-ID", "zone:elsewhere"]] as const;
    expect(proved.ask("QUERY", "/", {}, { headers }).outcome, "without a certificate there is none").toBe(
      "ok 200",
    );
  });

  test("that does not hold is refused by name on everything that takes an identity, and nothing else", () => {
    const stage = new Stage({ certificates });
    const stranger = new CertifiedAgents();
    const alice = new SignalingPeer(stage, ALICE, stranger.issue(ALICE).shown);
    expect(alice.subscribe().last).toMatchObject({
      status: 401,
      error: {
        code: "agent-certificate-refused",
        details: { flaw: "signature-invalid", at: "certificate[0]" },
      },
    });
    expect(alice.subscribe(undefined, { proof: true }).outcome).toBe("agent-certificate-refused");
    expect(alice.ask("DISCOVER", "/").last.result.connection).toMatchObject({
      certificate: { status: "refused", flaw: "signature-invalid" },
    });
    expect(stage.logs.map(({ event }) => event)).toContain("agent-certificate-refused");
  });

  test("runs out while it is in use: the session ends, the next request is refused, the connection is closed", () => {
    const scene = new CallScene({ certificates, shows: { alice: certified.issue(ALICE, SHORT).shown } });
    const { stage } = scene;
    stage.advance(29_000);
    expect(scene.bobInbox.events).not.toContain("session-ended");
    stage.advance(1_001);
    expect(scene.bobInbox.event("session-ended")).toMatchObject({ reason: "certificate-expired" });
    expect(scene.alice.ask("QUERY", "/").last.error).toMatchObject({
      code: "agent-certificate-refused",
      details: { flaw: "expired" },
    });
    stage.advance(5_000);
    expect(stage.closes).toContainEqual(
      expect.objectContaining({ connection: scene.alice.connection, reason: "certificate-expired" }),
    );
  });

  test("holds no longer than the authorities on the way up", () => {
    const long = new CertifiedAgents(new CertifiedAgents(certified, 30_000));
    const up = new CallScene({ certificates, shows: { alice: long.issue(ALICE).shown } });
    up.stage.advance(29_000);
    expect(up.alice.query(up.sessionId).outcome).toBe("ok 200");
    up.stage.advance(1_001);
    expect(up.alice.query(up.sessionId).last.error).toMatchObject({ details: { flaw: "expired" } });
    up.stage.advance(15_000);
    expect(up.bobInbox.event("session-ended")).toMatchObject({ reason: "certificate-expired" });
  });

  test("where no authority is believed it is not looked at", () => {
    const stage = new Stage();
    const alice = new SignalingPeer(stage, ALICE, certified.issue(ALICE).shown);
    expect(alice.subscribe().outcome).toBe("proof-required");
  });

  test("of the server's own Agent-ID makes nobody its operator", () => {
    const stage = new Stage({ certificates });
    const operator = new SignalingPeer(stage, stage.server, overTls(certified.issue(stage.server).shown));
    const asked = operator.ask("INSPECT", "/", { target: "chain_head" }, { documents: true });
    expect(asked.outcome).toBe("agent-mismatch");
  });
});

describe("a session that an end came into with its certificate", () => {
  test("names the certificate in its evidence, beside the agent's standing", () => {
    const { shown, serial } = certified.issue(ALICE);
    const scene = new CallScene({ certificates, shows: { alice: shown } });
    const standings = scene.stage
      .artifacts(scene.sessionId)
      .filter(({ artifact }) => artifact === "agent-status")
      .map(({ bytes }) => JSON.parse(new TextDecoder().decode(bytes)));
    expect(standings).toMatchObject([
      { agent_id: scene.alice.id, certificate: { serial, issuer_key: certified.keyId } },
      { agent_id: scene.bob.id },
    ]);
    expect(standings[1]).not.toHaveProperty("certificate");
  });

  test("goes on for that end on connections that show one, not on a proof alone", () => {
    const scene = new CallScene({ certificates, shows: { alice: certified.issue(ALICE).shown } });
    const proved = new SignalingPeer(scene.stage, ALICE);
    proved.subscribe();
    expect(proved.query(scene.sessionId).last).toMatchObject({
      status: 401,
      error: { code: "session-identity-mismatch" },
    });
    const again = new SignalingPeer(scene.stage, ALICE, certified.issue(ALICE).shown);
    again.subscribe();
    expect(again.query(scene.sessionId).outcome).toBe("ok 200");
    expect(scene.bob.query(scene.sessionId).outcome).toBe("ok 200");
  });
});

describe("a revocation", () => {
  const issued = () => certified.issue(ALICE);
  const scene = (alice: ReturnType<typeof issued>) =>
    new CallScene({ certificates, shows: { alice: alice.shown } });

  test("by the authority ends the sessions under that certificate at once: no frame, both ends told, on record", () => {
    const alice = issued();
    const up = scene(alice);
    const { stage } = up;
    const other = new CallScene({ certificates }).stage;
    const authority = new SignalingPeer(stage, BOB, certified.authority);
    const told = revoke(authority, ALICE, `00:${alice.serial.toUpperCase()}`, {
      revocation_reason: "key-compromise",
    });
    expect(told.last.result).toMatchObject({ certificate_serial: alice.serial, recipient: BROADCAST });
    expect(recordOf(told)).toMatchObject({
      event: "certificate-revoked",
      extra: {
        certificate_serial: alice.serial,
        revocation_reason: "key-compromise",
        revoked_by: `authority ${certified.keyId}`,
      },
    });
    expect(stage.admissions).toContainEqual({ kind: "state", sessionId: up.sessionId, state: "ended" });
    const over = { reason: "certificate-revoked", by: "server" };
    expect(up.aliceInbox.event("session-ended")).toMatchObject(over);
    expect(up.bobInbox.event("session-ended")).toMatchObject(over);
    expect(stage.closes).toContainEqual(
      expect.objectContaining({ connection: up.alice.connection, reason: "certificate-revoked" }),
    );
    stage.advance(10_000);
    const last = must(readRecord(stage.sessionRecords(up.sessionId).at(-1) as string));
    expect(last).toMatchObject({ event: "session-terminated", extra: over });
    expect(other.closes).toEqual([]);
    stage.checkChain();
  });

  test("holds for new connections, after a restart too, and not for another certificate of the agent", () => {
    const alice = issued();
    const stage = new Stage({ certificates });
    revoke(new SignalingPeer(stage, BOB, certified.authority), ALICE, alice.serial);
    for (const here of [stage, new Stage({ certificates, log: stage.log })]) {
      const refused = new SignalingPeer(here, ALICE, alice.shown).subscribe().last;
      expect(refused.error).toMatchObject({
        code: "agent-certificate-refused",
        details: { flaw: "revoked" },
      });
      expect(new SignalingPeer(here, ALICE, issued().shown).subscribe().outcome).toBe("ok 200");
    }
  });

  describe("of an authority on the way up", () => {
    /** Alice by a certificate of an authority two steps beneath the pinned one, in a call. */
    function beneath() {
      const middle = new CertifiedAgents(certified);
      const lowest = new CertifiedAgents(middle);
      const alice = lowest.issue(ALICE);
      const offer = { session: { model: "persistent", ttl: 3_600 } } as const;
      const up = new CallScene({ certificates, shows: { alice: alice.shown }, offer });
      return { middle, lowest, alice, up, root: new SignalingPeer(up.stage, BOB, certified.authority) };
    }

    test("ends what goes on beneath it, lets nothing of it in, after a restart either, and is by who issued it alone", () => {
      const { middle, lowest, alice, up, root } = beneath();
      revoke(root, ALICE, lowest.serial);
      expect(up.alice.query(up.sessionId).outcome, "another of them issued that").toBe("ok 200");
      expect(revoke(root, ALICE, middle.serial).outcome).toBe("ok 200");
      expect(up.bobInbox.event("session-ended")).toMatchObject({ reason: "certificate-revoked" });
      for (const here of [up.stage, new Stage({ certificates, log: up.stage.log })]) {
        const refused = new SignalingPeer(here, ALICE, alice.shown).subscribe().last;
        expect(refused.error).toMatchObject({
          code: "agent-certificate-refused",
          details: { flaw: "revoked", serial: middle.serial, at: "certificate[2]" },
        });
        const straight = new SignalingPeer(here, ALICE, certified.issue(ALICE).shown);
        expect(straight.subscribe().outcome, "by the pinned one itself").toBe("ok 200");
      }
    });

    test("takes its word away, and that of those beneath it", () => {
      const { middle, lowest, up, root } = beneath();
      const speaking = () =>
        [middle, lowest].map(
          ({ authority }) => revoke(new SignalingPeer(up.stage, BOB, authority), ALICE, "1a").outcome,
        );
      expect(speaking()).toEqual(["ok 200", "ok 200"]);
      revoke(root, ALICE, middle.serial);
      expect(speaking()).toEqual(Array(2).fill("revocation-forbidden"));
    });

    test("counts for nothing any more where that one is past its time, as its own word does", () => {
      const past = new CertifiedAgents(certified, -1_000);
      const { stage } = scene(issued());
      expect(revoke(new SignalingPeer(stage, BOB, past.authority), ALICE, "1a").outcome).toBe(
        "revocation-forbidden",
      );
    });

    test("ends a session that an earlier process left", async () => {
      const { middle, up } = beneath();
      const stage = await restarted(up.stage, { certificates });
      const bob = new SignalingPeer(stage, BOB);
      expect(bob.subscribe().event("subscribed").sessions).toHaveLength(1);
      revoke(new SignalingPeer(stage, BOB, certified.authority), ALICE, middle.serial);
      stage.advance(10_000);
      const last = must(readRecord(stage.sessionRecords(up.sessionId).at(-1) as string));
      expect(last).toMatchObject({ event: "session-terminated", extra: { reason: "certificate-revoked" } });
    });
  });

  test("told again says nothing new", () => {
    const stage = new Stage({ certificates });
    const authority = new SignalingPeer(stage, BOB, certified.authority);
    expect(revoke(authority, ALICE, "1a").last.result).not.toHaveProperty("noop");
    expect(revoke(authority, ALICE, "1A").last.result).toMatchObject({ noop: true });
    expect(stage.log.filter(({ kind }) => kind === "revocation")).toHaveLength(1);
  });

  test("that takes effect later is known at once and done then", () => {
    const alice = issued();
    const up = scene(alice);
    const at = new Date(up.stage.now + 22_000).toISOString();
    revoke(new SignalingPeer(up.stage, BOB, certified.authority), ALICE, alice.serial, { effective_at: at });
    up.stage.advance(21_500);
    expect(up.alice.query(up.sessionId).outcome).toBe("ok 200");
    up.stage.advance(501);
    expect(up.alice.query(up.sessionId).last.error).toMatchObject({ details: { flaw: "revoked" } });
    up.stage.advance(15_000);
    expect(up.bobInbox.event("session-ended")).toMatchObject({ reason: "certificate-revoked" });
  });

  test("is taken from the operator also where no issuer's fits any more", () => {
    const left = {
      kind: "revocation",
      issuerKeyId: undefined,
      reason: "unspecified",
      effectiveAt: CALL_TIME,
    };
    const log = Array.from(
      { length: MAX_REVOCATIONS },
      (_, i) => ({ ...left, agentId: "f".repeat(64), serial: i.toString(16) }) as LogEntry,
    );
    const stage = new Stage({ certificates, log });
    new SignalingPeer(stage, ALICE).subscribe();
    const issuer = new SignalingPeer(stage, ALICE, keyHolder(ALICE.genesis.issuerKey));
    expect(revoke(issuer, ALICE, "1f").outcome).toBe("capacity");
    expect(revoke(new SignalingPeer(stage, stage.server), ALICE, "1f").outcome).toBe("ok 200");
  });

  test("is taken from the issuer of the agent's Genesis and from the operator", () => {
    for (const speaker of ["issuer", "operator"] as const) {
      const alice = issued();
      const up = scene(alice);
      const peer =
        speaker === "issuer"
          ? new SignalingPeer(up.stage, BOB, keyHolder(ALICE.genesis.issuerKey))
          : new SignalingPeer(up.stage, up.stage.server);
      expect(revoke(peer, ALICE, alice.serial).outcome).toBe("ok 200");
      expect(up.bobInbox.event("session-ended")).toMatchObject({ reason: "certificate-revoked" });
    }
  });

  test("is taken from the operator however many there are, from issuers of agents up to the cap", () => {
    const alice = issued();
    const kept = { kind: "revocation", agentId: ALICE.genesis.agentId, issuerKeyId: undefined } as const;
    const log = Array.from({ length: MAX_REVOCATIONS }, (_, index) => ({
      ...kept,
      ...{ serial: (index + 1).toString(16), reason: "superseded", effectiveAt: CALL_TIME },
    }));
    const stage = new Stage({ certificates, log });
    const subscribed = () => new SignalingPeer(stage, ALICE, alice.shown).subscribe().outcome;
    expect(subscribed()).toBe("ok 200");
    const issuer = new SignalingPeer(stage, BOB, keyHolder(ALICE.genesis.issuerKey));
    expect(revoke(issuer, ALICE, alice.serial).outcome).toBe("capacity");
    expect(revoke(new SignalingPeer(stage, stage.server), ALICE, alice.serial).outcome).toBe("ok 200");
    expect(subscribed()).toBe("agent-certificate-refused");
  });

  test("is taken from nobody else, and attempts are logged", () => {
    const alice = issued();
    const up = scene(alice);
    const { stage } = up;
    const stranger = new CertifiedAgents();
    for (const peer of [
      up.bob,
      new SignalingPeer(stage, ALICE, alice.shown),
      new SignalingPeer(stage, BOB, stranger.authority),
      new SignalingPeer(stage, BOB, keyHolder(seedSigner(77).publicKey)),
      new SignalingPeer(stage, BOB),
    ])
      expect(revoke(peer, ALICE, alice.serial).last).toMatchObject({
        status: 403,
        error: { code: "revocation-forbidden" },
      });
    expect(stage.logs.filter(({ event }) => event === "revocation-refused")).toHaveLength(5);
    expect(up.alice.query(up.sessionId).outcome).toBe("ok 200");
  });

  test.each([
    ["another event", { event_type: "certificate_issued" }],
    ["no serial number", { certificate_serial: "xyz" }],
    ["a time that is none", { effective_at: "tomorrow" }],
    ["a time long from now", { effective_at: "2030-01-01T00:00:00Z" }],
    ["nobody's agent", { agent_id: "alice" }],
  ])("that says %s is refused", (_, content) => {
    const stage = new Stage({ certificates });
    const authority = new SignalingPeer(stage, BOB, certified.authority);
    expect(revoke(authority, ALICE, "1a", content).last.status).toBe(422);
  });
});
