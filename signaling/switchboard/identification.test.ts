import { describe, expect, test } from "vitest";
import { type Result, refuse } from "../../codecs/result.ts";
import { strictVerifier } from "../../test/keys.ts";
import { SignalingPeer } from "../../test/scenario/signaling-peer.ts";
import { CERTIFICATE, Stage } from "../../test/scenario/signaling-stage.ts";
import { ALICE, BOB, scopes, testAgent } from "../../test/signed-call.ts";
import { createIdentityDocument } from "../identity-document.ts";
import { MemoryState } from "../shared-state.ts";

const INBOX = `/agents/${ALICE.genesis.agentId}/inbox`;
const DOCUMENTS = {
  genesis: new TextDecoder().decode(ALICE.genesis.bytes),
  identity_document: new TextDecoder().decode(ALICE.document.bytes),
};

describe("possession proofs", () => {
  test("without one: 401 with the nonce to use", () => {
    const alice = new SignalingPeer(new Stage(), ALICE);
    const answer = alice.subscribe(undefined, { proof: false });
    expect(answer.last).toMatchObject({
      status: 401,
      error: { code: "proof-required", details: { nonce: alice.nonce } },
    });
  });

  test.each([
    ["another method", { method: "ESTABLISH" }, "proof.method"],
    ["another path", { path: "/sessions" }, "proof.path"],
    ["another origin", { audience: "https://evil.example:4480" }, "proof.aud"],
    ["another certificate", { certificateHash: new Uint8Array(32) }, "proof.cert"],
    ["another nonce", { nonce: "A".repeat(22) }, "proof.nonce"],
    ["another body", { parameters: { after: 5 } }, "proof.body_sha256"],
    ["a time long past", { now: 1_000_000_000_000 }, "proof.iat"],
  ])("for %s: refused by name", (_, changes, at) => {
    const alice = new SignalingPeer(new Stage(), ALICE);
    expect(alice.subscribe(undefined, { proof: changes }).last).toMatchObject({
      status: 401,
      error: { code: "proof-invalid", details: { at } },
    });
  });

  test("for an origin that is dialled elsewhere at this server: refused where nobody dials it", () => {
    const stage = new Stage();
    const audience = "http://127.0.0.1:8480";
    stage.origins = ["https://media.example"];
    expect(new SignalingPeer(stage, ALICE).subscribe(undefined, { proof: { audience } }).last).toMatchObject({
      error: { code: "proof-invalid", details: { at: "proof.aud" } },
    });
    stage.origins = [audience];
    expect(new SignalingPeer(stage, ALICE).subscribe(undefined, { proof: { audience } }).outcome).toBe(
      "ok 200",
    );
  });

  test("over the pinned certificate: taken while that certificate is in use", () => {
    const alice = new SignalingPeer(new Stage(), ALICE);
    expect(alice.subscribe(undefined, { proof: { certificateHash: CERTIFICATE } }).events).toEqual([
      "subscribed",
    ]);
  });

  test("used again on the same connection: refused as replayed", () => {
    const alice = new SignalingPeer(new Stage(), ALICE);
    const rawProof = alice.proof("SUBSCRIBE", INBOX, DOCUMENTS);
    expect(alice.subscribe(undefined, { rawProof, documents: true }).outcome).toBe("ok 200");
    expect(alice.subscribe(undefined, { rawProof, documents: true }).last).toMatchObject({
      status: 401,
      error: { code: "proof-replayed" },
    });
  });

  test("used again for as long as clocks may differ, while others use theirs: refused as replayed, then as too old", () => {
    const stage = new Stage();
    const [alice, bob] = [new SignalingPeer(stage, ALICE), new SignalingPeer(stage, BOB)];
    const rawProof = alice.proof("SUBSCRIBE", INBOX, DOCUMENTS);
    const again = () => alice.subscribe(undefined, { rawProof, documents: true }).outcome;
    expect(again()).toBe("ok 200");
    const outcomes: string[] = [];
    while (outcomes.length < 120) {
      stage.advance(1_000);
      expect(bob.subscribe().outcome).toBe("ok 200");
      outcomes.push(again());
    }
    expect([...new Set(outcomes)]).toEqual(["proof-replayed", "proof-invalid"]);
  });

  test("used again after a restart, or at another server that shares what it remembers: refused as replayed", () => {
    const shared = new MemoryState();
    // Two lives that draw the same random bytes, so that the nonce alone would let the proof in.
    const first = new SignalingPeer(new Stage({ shared }), ALICE);
    const rawProof = first.proof("SUBSCRIBE", INBOX, DOCUMENTS);
    expect(first.subscribe(undefined, { rawProof, documents: true }).outcome).toBe("ok 200");
    const again = (stage: Stage) =>
      new SignalingPeer(stage, ALICE).subscribe(undefined, { rawProof, documents: true }).outcome;
    expect(again(new Stage({ shared }))).toBe("proof-replayed");
    expect(again(new Stage()), "what is not shared is not known").toBe("ok 200");
  });

  test("while nobody can look up which were used: refused, and answered when to come again", () => {
    const fails = (): Result<void> =>
      refuse("shared-state-unavailable", "It fails.", undefined, { retry_after_ms: 1_000 });
    const shared = { proofs: { take: fails }, rates: { take: fails, size: 0 } };
    expect(new SignalingPeer(new Stage({ shared }), ALICE).subscribe().last).toMatchObject({
      status: 503,
      error: { code: "shared-state-unavailable", details: { retry_after_ms: 1_000 } },
    });
  });

  test("used on another connection or another server: refused by the nonce", () => {
    const stage = new Stage();
    const rawProof = new SignalingPeer(stage, ALICE).proof("SUBSCRIBE", INBOX, DOCUMENTS);
    const thief = new SignalingPeer(stage, ALICE);
    const elsewhere = new SignalingPeer(new Stage({ server: 4 }), ALICE);
    for (const peer of [thief, elsewhere]) {
      expect(peer.subscribe(undefined, { rawProof, documents: true }).last.error).toMatchObject({
        code: "proof-invalid",
        details: { at: "proof.nonce" },
      });
    }
  });

  test("by another key: nobody is registered or bound", () => {
    const stage = new Stage();
    const mallory = new SignalingPeer(stage, { ...ALICE, identity: BOB.identity });
    expect(mallory.subscribe().last.error?.code).toBe("proof-invalid");
    expect(stage.log.some((entry) => entry.kind === "agent")).toBe(false);
    expect(mallory.ask("NOTIFY", INBOX, {}, { proof: false }).outcome).toBe("proof-required");
  });
});

describe("channel bindings", () => {
  const tls = (seed: number) => ({ carrier: "tls", channelBinding: new Uint8Array(32).fill(seed) });

  test("a client proves itself in its first request on a fresh connection", () => {
    const stage = new Stage();
    const alice = new SignalingPeer(stage, ALICE, tls(1));
    expect(alice.subscribe().outcome).toBe("ok 200");
    expect(alice.ask("QUERY", "/clock", { t0: 1 }).outcome, "and is known from then on").toBe("ok 200");
  });

  test("a proof made for one connection: refused on every other, with a binding of its own or without", () => {
    const stage = new Stage();
    const rawProof = new SignalingPeer(stage, ALICE, tls(1)).proof("SUBSCRIBE", INBOX, DOCUMENTS);
    for (const facts of [tls(2), undefined]) {
      const thief = new SignalingPeer(stage, ALICE, facts);
      expect(thief.subscribe(undefined, { rawProof, documents: true }).last).toMatchObject({
        status: 401,
        error: { code: "proof-invalid", details: { at: "proof.cb" } },
      });
      expect(thief.ask("NOTIFY", INBOX, {}, { proof: false }).outcome, "nobody is bound").toBe(
        "proof-required",
      );
    }
    expect(stage.log.some((entry) => entry.kind === "agent")).toBe(false);
  });

  test("a proof that names neither: refused", () => {
    const alice = new SignalingPeer(new Stage(), ALICE, tls(1));
    expect(alice.subscribe(undefined, { proof: { channelBinding: undefined } }).last).toMatchObject({
      error: { code: "proof-invalid", details: { at: "proof.nonce" } },
    });
  });

  test("used again on its own connection: refused as replayed", () => {
    const alice = new SignalingPeer(new Stage(), ALICE, tls(1));
    const rawProof = alice.proof("SUBSCRIBE", INBOX, DOCUMENTS);
    expect(alice.subscribe(undefined, { rawProof, documents: true }).outcome).toBe("ok 200");
    expect(alice.subscribe(undefined, { rawProof, documents: true }).outcome).toBe("proof-replayed");
  });

  test("the nonce still holds where the client does not read its exporter", () => {
    const alice = new SignalingPeer(new Stage(), ALICE, tls(1));
    const { result } = alice.ask("DISCOVER", "/", {}, { proof: false }).last;
    const { nonce } = result.connection as { readonly nonce: string };
    expect(alice.subscribe(undefined, { proof: { channelBinding: undefined, nonce } }).outcome).toBe(
      "ok 200",
    );
  });
});

describe("binding", () => {
  test("a connection speaks for one agent", () => {
    const stage = new Stage();
    const alice = new SignalingPeer(stage, ALICE);
    alice.subscribe();
    const bobHere = new SignalingPeer(stage, BOB, alice);
    expect(bobHere.connection).toBe(alice.connection);
    expect(bobHere.subscribe().last).toMatchObject({ status: 401, error: { code: "agent-mismatch" } });
    expect(bobHere.ask("QUERY", "/clock", { t0: 1 }).outcome).toBe("agent-mismatch");
    expect(alice.ask("QUERY", "/clock", { t0: 1 }).outcome).toBe("ok 200");
  });

  test("a stolen inbox: another agent's is refused, and so is one's own name without the key", () => {
    const stage = new Stage();
    const alice = new SignalingPeer(stage, ALICE);
    const mine = alice.subscribe();
    const bob = new SignalingPeer(stage, BOB);
    expect(bob.ask("SUBSCRIBE", INBOX).last).toMatchObject({
      status: 401,
      error: { code: "agent-mismatch" },
    });
    expect(
      bob.ask("NOTIFY", INBOX, { content: { event: "ack", inbox_seq: 1 } }, { proof: false }).outcome,
    ).toBe("agent-mismatch");
    expect(mine.isOver).toBe(false);
  });
});

describe("registration", () => {
  test("open: an agent registers itself with its documents on its first proof, once", () => {
    const stage = new Stage();
    expect(stage.logs.some((entry) => entry.event === "registration-open" && entry.level === "warn")).toBe(
      true,
    );
    const alice = new SignalingPeer(stage, ALICE);
    alice.subscribe();
    alice.subscribe();
    expect(stage.log.filter((entry) => entry.kind === "agent")).toEqual([
      {
        kind: "agent",
        agentId: alice.id,
        genesis: ALICE.genesis.bytes,
        identityDocument: ALICE.document.bytes,
        selfRegisteredAt: stage.now,
      },
    ]);
  });

  test("open, without documents: unknown, naming what is missing", () => {
    const alice = new SignalingPeer(new Stage(), ALICE);
    expect(alice.subscribe(undefined, { documents: false }).last).toMatchObject({
      status: 401,
      error: { code: "agent-unknown", details: { at: "parameters.genesis" } },
    });
  });

  test("open, with another agent's Genesis: refused", () => {
    const impostor = { ...ALICE, genesis: { ...ALICE.genesis, bytes: BOB.genesis.bytes } };
    expect(new SignalingPeer(new Stage(), impostor).subscribe().outcome).toBe("genesis-invalid");
  });

  test("closed: only whom the log knows", () => {
    const earlier = new Stage();
    new SignalingPeer(earlier, ALICE).subscribe();
    const stage = new Stage({ config: { registration: "closed" }, log: earlier.log });
    expect(new SignalingPeer(stage, ALICE).subscribe(undefined, { documents: false }).outcome).toBe("ok 200");
    expect(new SignalingPeer(stage, BOB).subscribe().last).toMatchObject({
      status: 401,
      error: { code: "agent-unknown" },
    });
    stage.checkChain();
  });

  test("a newer identity document of the same issuer replaces the older, not the other way round", () => {
    const stage = new Stage();
    const alice = new SignalingPeer(stage, ALICE);
    alice.subscribe();
    const renew = (updatedAt: number, status: "active" | "suspended") => ({
      ...ALICE,
      document: createIdentityDocument(
        {
          name: "alice",
          description: "Again.",
          principal: "Example",
          status,
          methods: [],
          capabilities: [],
          scope: scopes("communication:audio:capture"),
          trustScore: 0.5,
          issuedAt: updatedAt,
          updatedAt,
        },
        ALICE.genesis,
        ALICE.identity,
        strictVerifier,
      ),
    });
    new SignalingPeer(stage, renew(stage.now - 1_000, "suspended")).subscribe();
    const entries = stage.log.filter((entry) => entry.kind === "agent");
    expect(entries).toHaveLength(2);
    expect(alice.subscribe(undefined, { documents: false }).last).toMatchObject({
      status: 503,
      error: { code: "agent-suspended" },
    });
    expect(alice.subscribe().outcome, "the old document does not lift it").toBe("agent-suspended");
  });

  test("deprecated agents are served: they have an inbox, call and are called, and their status is told", () => {
    const older = testAgent("older", 5, { document: { status: "deprecated" } });
    const stage = new Stage();
    const bob = new SignalingPeer(stage, BOB);
    const peer = new SignalingPeer(stage, older);
    const inboxes = { bob: bob.subscribe(), older: peer.subscribe() };
    const calling = peer.call(BOB);
    expect(inboxes.bob.event("offer").caller).toMatchObject({ status: { status: "deprecated" } });
    bob.accept(inboxes.bob.event("offer"));
    expect(calling.outcome).toBe("ok 200");
    const called = bob.call(older);
    expect(peer.accept(inboxes.older.event("offer")).outcome).toBe("ok 200");
    expect(called.last.result.peer).toMatchObject({ status: { status: "deprecated" } });
    const found = bob.ask("DISCOVER", `/agents/${older.genesis.agentId}`, {}, { proof: false });
    expect(found.last.result.status).toMatchObject({ status: "deprecated" });
  });

  test("retired agents and tiers below the floor may not call or be called", () => {
    const retired = testAgent("old", 6, { document: { status: "retired" } });
    const lowly = testAgent("lowly", 7, { genesis: { trustTier: 3 } });
    const stage = new Stage({ config: { trustFloor: "org-asserted" } });
    expect(new SignalingPeer(stage, retired).subscribe().last).toMatchObject({
      status: 410,
      error: { code: "agent-retired" },
    });
    expect(new SignalingPeer(stage, lowly).call(BOB).last).toMatchObject({
      status: 455,
      error: { code: "scope-violation", details: { trust_tier: 3 } },
    });
  });
});

describe("rate", () => {
  test("an anonymous connection is limited, then closed; a bound one may do more", () => {
    const stage = new Stage();
    const alice = new SignalingPeer(stage, ALICE);
    const outcomes = Array.from({ length: 40 }, () => alice.ask("QUERY", "/clock", { t0: 1 }).outcome);
    expect(outcomes.filter((outcome) => outcome === "rate-limited")).toHaveLength(11);
    stage.advance(1_000);
    expect(alice.subscribe().outcome).toBe("ok 200");
    expect(Array.from({ length: 100 }, () => alice.ask("QUERY", "/clock", { t0: 1 }).outcome)).not.toContain(
      "rate-limited",
    );
    const flood = new SignalingPeer(stage, BOB);
    for (let i = 0; i < 90; i++) {
      stage.handle({
        kind: "malformed",
        connection: flood.connection,
        exchange: stage.newExchange(),
        fault: { code: "message-malformed", message: "Not a request." },
        dialect: "base",
      });
    }
    expect(stage.closes).toEqual([
      { kind: "close", connection: flood.connection, code: 7, reason: "rate-limited" },
    ]);
  });
});
