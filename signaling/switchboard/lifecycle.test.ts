import { describe, expect, test } from "vitest";
import type { JsonObject } from "../../codecs/canonical-json.ts";
import { seedSigner } from "../../test/keys.ts";
import { askByKey as change } from "../../test/scenario/lifecycle-asking.ts";
import { CallScene } from "../../test/scenario/signaling-call.ts";
import { SignalingPeer } from "../../test/scenario/signaling-peer.ts";
import { Stage } from "../../test/scenario/signaling-stage.ts";
import { ALICE, BOB, must, testAgent } from "../../test/signed-call.ts";
import { readRecord } from "../attribution.ts";
import type { AgentStatus } from "../identity-document.ts";

const ISSUER = seedSigner(77);
const CAROL = testAgent("carol", 21, { issuer: ISSUER });

function registered(): { readonly stage: Stage; readonly carol: SignalingPeer } {
  const stage = new Stage();
  const carol = new SignalingPeer(stage, CAROL);
  carol.subscribe();
  return { stage, carol };
}

describe("who may change an agent's status", () => {
  test("nobody without a certificate: 401; nobody with another's: 403; both are in the log", () => {
    const { stage, carol } = registered();
    expect(change(stage, "REVOKE", carol.id)).toMatchObject({
      status: 401,
      code: "genesis-issuer-cert-required",
    });
    const other = seedSigner(5).publicKey;
    expect(change(stage, "REVOKE", carol.id, other)).toMatchObject({ status: 403, code: "issuer-mismatch" });
    expect(change(stage, "REVOKE", carol.id, CAROL.identity.publicKey).status).toBe(403);
    const refusals = stage.logs.filter(({ event }) => event === "lifecycle-refused");
    expect(refusals.map(({ fields }) => fields.code)).toEqual([
      "genesis-issuer-cert-required",
      "issuer-mismatch",
      "issuer-mismatch",
    ]);
    expect(carol.ask("QUERY", "/sessions/sess-none").outcome).toBe("session-not-found");
    expect(change(stage, "REVOKE", "0".repeat(64), ISSUER.publicKey)).toMatchObject({ status: 404 });
  });
});

describe("an agent's life", () => {
  const key = ISSUER.publicKey;

  test("suspended answers 503 until it is reinstated; discovery stays open to it", () => {
    const { stage, carol } = registered();
    expect(change(stage, "DEACTIVATE", carol.id, key, { reason: "audit" })).toMatchObject({
      status: 200,
      result: { agent_id: carol.id, status: "suspended", previous_status: "active" },
    });
    expect(carol.subscribe().last).toMatchObject({ status: 503, error: { code: "agent-suspended" } });
    expect(carol.query("sess-none").last.status).toBe(503);
    expect(carol.ask("DISCOVER", `/agents/${carol.id}`).last.result.status).toMatchObject({
      status: "suspended",
    });
    expect(change(stage, "REINSTATE", carol.id, key).result).toMatchObject({ status: "active" });
    expect(carol.subscribe().outcome).toBe("ok 200");
  });

  test("the same state again is a noop and leaves no event", () => {
    const { stage, carol } = registered();
    const again = change(stage, "ACTIVATE", carol.id, key);
    expect(again).toMatchObject({ status: 200, result: { noop: true, status: "active" } });
    expect(must(readRecord(again.headers.get("Attribution-Record") ?? "")).event).toBeUndefined();
    expect(stage.log.filter((entry) => entry.kind === "lifecycle")).toEqual([]);
  });

  test("retired answers 410 for ever: neither reinstated nor activated, 422", () => {
    const { stage, carol } = registered();
    change(stage, "REVOKE", carol.id, key);
    expect(carol.subscribe().last).toMatchObject({ status: 410, error: { code: "agent-retired" } });
    for (const method of ["REINSTATE", "ACTIVATE", "DEACTIVATE", "DEPRECATE"]) {
      expect(change(stage, method, carol.id, key)).toMatchObject({ status: 422, code: "lifecycle-conflict" });
    }
    expect(change(stage, "REVOKE", carol.id, key).result).toMatchObject({ noop: true });
  });

  test("deprecated is served, and flagged where it is described", () => {
    const { stage, carol } = registered();
    expect(change(stage, "DEPRECATE", carol.id, key).status).toBe(200);
    expect(carol.subscribe().outcome).toBe("ok 200");
    expect(carol.ask("DISCOVER", `/agents/${carol.id}`).last.result).toMatchObject({ deprecated: true });
    const { agents } = carol.ask("DISCOVER", "/agents").last.result;
    expect(agents).toMatchObject([{ agent_id: carol.id, status: "deprecated" }]);
  });

  test("REVOKE that names a session is refused: TERMINATE ends sessions", () => {
    const { stage, carol } = registered();
    expect(change(stage, "REVOKE", carol.id, key, { session_id: "sess-x" }).status).toBe(422);
    expect(carol.subscribe().outcome).toBe("ok 200");
  });

  test("outlives the server, and its changes are read with INSPECT, newest first", () => {
    const { stage, carol } = registered();
    change(stage, "DEACTIVATE", carol.id, key);
    change(stage, "REINSTATE", carol.id, key);
    change(stage, "DEACTIVATE", carol.id, key);
    const later = new Stage({ log: stage.log });
    const alice = new SignalingPeer(later, ALICE);
    alice.subscribe();
    expect(new SignalingPeer(later, CAROL).subscribe().outcome).toBe("agent-suspended");
    const { result } = alice.ask("INSPECT", "/", { target: "lifecycle", agent_id: carol.id, limit: 2 }).last;
    const entries = result.entries as readonly { readonly entry: string; readonly format: string }[];
    expect(result.status).toBe("suspended");
    expect(entries.map(({ entry }) => must(readRecord(entry)).event)).toEqual([
      "agent-suspended",
      "agent-activated",
    ]);
    later.checkChain();
  });
});

describe("what an agent is in when it is stopped", () => {
  test.each([
    ["DEACTIVATE", "agent-deactivated", 503],
    ["REVOKE", "identity-revoked", 410],
  ] as const)(
    "%s ends its sessions (%s) before its next request (%d), and the other end is told",
    (method, reason, status) => {
      const scene = new CallScene();
      const issuer = BOB.identity.publicKey;
      expect(change(scene.stage, method, scene.bob.id, issuer).status).toBe(200);
      expect(scene.aliceInbox.event("session-ended")).toMatchObject({ reason, by: "server" });
      expect(scene.bob.query(scene.sessionId).last.status).toBe(status);
      expect(scene.alice.query(scene.sessionId).last.result).toMatchObject({ state: "terminated", reason });
      expect(scene.bobInbox.isOver).toBe(true);
      scene.stage.advance(10_000);
      expect(scene.finalRecord()?.extra).toMatchObject({ reason });
      scene.stage.checkChain();
    },
  );

  test("whatever rings from it or at it stops", () => {
    const stage = new Stage();
    const alice = new SignalingPeer(stage, ALICE);
    const bob = new SignalingPeer(stage, BOB);
    alice.subscribe();
    const inbox = bob.subscribe();
    const call = alice.call(BOB);
    change(stage, "DEACTIVATE", bob.id, BOB.identity.publicKey);
    expect(call.outcome).toBe("agent-suspended");
    expect(inbox.events).toContain("offer-cancelled");
    expect(alice.call(BOB).outcome).toBe("agent-suspended");
  });
});

describe("an identity document beside what the issuer said here", () => {
  const key = ISSUER.publicKey;
  const updated = (at: number, status: AgentStatus) =>
    testAgent("carol", 21, { issuer: ISSUER, document: { status, issuedAt: at, updatedAt: at } });
  const statusOf = (peer: SignalingPeer, id: string) =>
    (peer.ask("DISCOVER", `/agents/${id}`).last.result.status as JsonObject | undefined)?.status;

  test("suspends when it is later than a REINSTATE, and a REINSTATE after it lifts it", () => {
    const { stage, carol } = registered();
    change(stage, "DEACTIVATE", carol.id, key);
    change(stage, "REINSTATE", carol.id, key);
    const held = new SignalingPeer(stage, updated(stage.now - 60_000, "suspended"));
    expect(held.subscribe().outcome, "from before, held back").toBe("ok 200");
    stage.advance(10_000);
    expect(new SignalingPeer(stage, updated(stage.now - 1_000, "suspended")).subscribe().outcome).toBe(
      "agent-suspended",
    );
    expect(change(stage, "REINSTATE", carol.id, key).result).toMatchObject({ previous_status: "suspended" });
    expect(carol.subscribe(undefined, { documents: false }).outcome).toBe("ok 200");
    expect(statusOf(new SignalingPeer(new Stage({ log: stage.log }), ALICE), carol.id)).toBe("active");
  });

  test("counts as from before what was said over it, though its issuer's clock be ahead", () => {
    const { stage } = registered();
    const ahead = new SignalingPeer(stage, updated(stage.now + 60_000, "suspended"));
    expect(ahead.subscribe().outcome).toBe("agent-suspended");
    expect(change(stage, "REINSTATE", ahead.id, key).result).toMatchObject({ status: "active" });
    expect(statusOf(new SignalingPeer(new Stage({ log: stage.log }), ALICE), ahead.id)).toBe("active");
  });

  test("does not lift what was said here, whenever it was updated", () => {
    const { stage, carol } = registered();
    change(stage, "DEACTIVATE", carol.id, key);
    stage.advance(10_000);
    const renewed = new SignalingPeer(stage, updated(stage.now - 1_000, "active"));
    expect(renewed.subscribe().outcome).toBe("agent-suspended");
    expect(statusOf(carol, carol.id)).toBe("suspended");
  });

  test("retires for ever: no document of after it is taken any more, over a restart too", () => {
    const { stage } = registered();
    expect(new SignalingPeer(stage, updated(stage.now - 60_000, "retired")).subscribe().outcome).toBe(
      "agent-retired",
    );
    const revived = updated(stage.now - 1_000, "active");
    expect(new SignalingPeer(stage, revived).subscribe().outcome).toBe("agent-retired");
    const later = new Stage({ log: stage.log });
    expect(new SignalingPeer(later, revived).subscribe().outcome).toBe("agent-retired");
    expect(statusOf(new SignalingPeer(later, ALICE), revived.genesis.agentId)).toBe("retired");
  });

  test("retires for ever, though a later one was seen first", () => {
    const { stage } = registered();
    new SignalingPeer(stage, updated(stage.now - 1_000, "active")).subscribe();
    expect(new SignalingPeer(stage, updated(stage.now - 60_000, "retired")).subscribe().outcome).toBe(
      "agent-retired",
    );
  });

  test("retires for ever, though it be from before a change", () => {
    const { stage, carol } = registered();
    change(stage, "DEPRECATE", carol.id, key);
    const retired = new SignalingPeer(stage, updated(stage.now - 60_000, "retired"));
    expect(retired.subscribe().outcome).toBe("agent-retired");
    expect(change(stage, "REINSTATE", carol.id, key).code).toBe("lifecycle-conflict");
    expect(statusOf(new SignalingPeer(new Stage({ log: stage.log }), ALICE), carol.id)).toBe("retired");
  });
});
