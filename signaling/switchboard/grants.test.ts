import { describe, expect, test } from "vitest";
import { ok, type Result, refuse } from "../../codecs/result.ts";
import { CallScene } from "../../test/scenario/signaling-call.ts";
import { overTls, SignalingPeer } from "../../test/scenario/signaling-peer.ts";
import { Stage } from "../../test/scenario/signaling-stage.ts";
import { ALICE, BOB, CALL_TIME, scopes, type TestAgent } from "../../test/signed-call.ts";
import { tokenExpired, tokenInvalid } from "../access-token.ts";
import type { AccessGrant } from "../authority.ts";

const SPEAKING = "communication:audio:capture, communication:audio:transmit";

function grant(agent: TestAgent, changes: Partial<AccessGrant> = {}): Result<AccessGrant> {
  return ok({
    issuer: "https://login.example",
    tokenId: "1",
    agentId: agent.genesis.agentId,
    scope: scopes("communication:audio:*"),
    expiresAt: CALL_TIME + 600_000,
    ...changes,
  });
}

/** Alice, who brings a token with every request, and Bob at his inbox. */
function scene(token: Result<AccessGrant> | undefined, config = {}) {
  const stage = new Stage({ config });
  const [alice, bob] = [new SignalingPeer(stage, ALICE), new SignalingPeer(stage, BOB)];
  alice.token = token;
  const bobInbox = bob.subscribe();
  return { stage, alice, bob, bobInbox };
}

describe("an access token", () => {
  test("narrows what its agent may offer, and never widens it", () => {
    const silent = scene(grant(ALICE, { scope: scopes("communication:data:*") }));
    expect(silent.alice.call(BOB).last).toMatchObject({ error: { code: "scope-violation" } });
    const wide = scene(grant(ALICE, { scope: scopes("communication:*") }));
    const claim = [["Authority-Scope", "communication:video:capture"]] as const;
    expect(wide.alice.call(BOB, { headers: claim }).outcome, "the documents lack it").toBe(
      "scope-claim-invalid",
    );
    wide.alice.call(BOB);
    expect(wide.bobInbox.events).toContain("offer");
  });

  test("brings its limits into what is agreed", () => {
    const { alice, bob, bobInbox } = scene(
      grant(ALICE, { scope: scopes(`${SPEAKING}, communication:limit:duration-s:60`) }),
    );
    const call = alice.call(BOB);
    bob.accept(bobInbox.event("offer"));
    expect(JSON.stringify(call.last)).toContain("communication:limit:duration-s:60");
  });

  test("counts on its connection from the request that brought it", () => {
    const { stage, alice } = scene(undefined);
    expect(
      alice.subscribe(undefined, { token: grant(ALICE, { scope: scopes("communication:data:*") }) }).outcome,
    ).toBe("ok 200");
    expect(alice.call(BOB).outcome).toBe("scope-violation");
    const elsewhere = new SignalingPeer(stage, ALICE);
    expect(elsewhere.call(BOB).raw, "another connection showed none: it rings").toEqual([]);
  });

  test("of another agent is refused, and widens nobody", () => {
    const { alice } = scene(grant(BOB));
    expect(alice.call(BOB).last).toMatchObject({
      status: 401,
      error: { code: "token-invalid", details: { claim: "sub" } },
    });
    expect(alice.call(BOB, { token: grant(ALICE) }).raw).toEqual([]);
  });

  test("that does not hold refuses whatever it came with", () => {
    const { alice } = scene(tokenInvalid("aud", "The token is for another server."));
    expect(alice.subscribe().last).toMatchObject({
      status: 401,
      error: { code: "token-invalid", details: { claim: "aud", at: "token.aud" } },
    });
    expect(alice.query("sess-none").outcome).toBe("token-invalid");
  });

  test("in a parameter where nobody could read it is refused, not passed over", () => {
    const { alice } = scene(undefined);
    expect(alice.ask("QUERY", "/clock", { t0: 1, access_token: "x" }, { proof: false }).outcome).toBe(
      "token-invalid",
    );
  });

  test("of nobody's request is nobody's", () => {
    const stage = new Stage();
    const alice = new SignalingPeer(stage, ALICE);
    expect(alice.ask("DISCOVER", "/", {}, { proof: false, token: grant(BOB) }).outcome).toBe("ok 200");
    alice.call(BOB);
    expect(stage.logs.filter(({ level }) => level === "error")).toEqual([]);
  });
});

describe("an access token that has run out", () => {
  const short = grant(ALICE, { expiresAt: CALL_TIME + 10_000 });

  test("is no good for a call, an answer, media or going on; a fresh one is", () => {
    const { stage, alice, bob } = scene(short);
    const aliceInbox = alice.subscribe();
    bob.call(ALICE);
    const event = aliceInbox.event("offer");
    stage.advance(10_000);
    alice.token = undefined;
    expect(alice.call(BOB).last).toMatchObject({ status: 401, error: { code: "token-expired" } });
    expect(alice.accept(event).outcome).toBe("token-expired");
    expect(alice.openMedia("sess-none").outcome).toBe("token-expired");
    expect(alice.ask("RESUME", "/sessions/sess-none").outcome).toBe("token-expired");
    expect(alice.accept(event, { token: tokenExpired() }).outcome, "as it came").toBe("token-expired");
    const fresh = grant(ALICE, { tokenId: "2", expiresAt: CALL_TIME + 600_000 });
    expect(alice.accept(event, { token: fresh }).outcome).toBe("ok 200");
  });

  test("keeps nobody from asking, subscribing or hanging up", () => {
    const { stage, alice } = scene(short);
    alice.subscribe();
    stage.advance(10_000);
    alice.token = tokenExpired();
    expect(alice.subscribe().outcome).toBe("ok 200");
    expect(alice.query("sess-none").outcome).toBe("session-not-found");
    expect(alice.ask("TERMINATE", "/sessions/sess-none", {}, { proof: false }).outcome).toBe(
      "session-not-found",
    );
  });

  test("ends the call that its agent came into with it, unless a fresh one was shown in time", () => {
    const until = CALL_TIME + 60_000;
    const run = (fresh: Result<AccessGrant> | undefined) => {
      const { stage, alice, bob, bobInbox } = scene(grant(ALICE, { expiresAt: until }));
      alice.call(BOB);
      const event = bobInbox.event("offer");
      bob.accept(event);
      stage.advance(30_000);
      alice.token = fresh;
      const sessionId = String(event.session_id);
      alice.query(sessionId);
      stage.advance(40_000);
      return bob.query(sessionId).last.result.state;
    };
    expect(run(undefined)).not.toBe("active");
    expect(run(grant(ALICE, { tokenId: "2" }))).toBe("active");
  });

  test("counts for a call from the connection of its media, and from the one that takes that over", () => {
    const call = new CallScene({ offer: { session: { model: "persistent", ttl: 3_600 } } });
    const path = `/sessions/${call.sessionId}`;
    call.alice.ask("QUERY", path, {}, { proof: false, token: short });
    const next = new SignalingPeer(call.stage, ALICE);
    next.token = grant(ALICE, { tokenId: "2", expiresAt: CALL_TIME + 30_000 });
    expect(next.ask("QUERY", path, {}, { proof: true }).outcome).toBe("ok 200");
    expect(next.openMedia(call.sessionId, 1).outcome).toBe("ok 200");
    call.stage.advance(10_001);
    expect(call.bob.query(call.sessionId).last.result.state).toBe("active");
    call.stage.advance(20_000);
    expect(call.bobInbox.event("session-ended")).toMatchObject({ reason: "token-expired" });
  });

  test.each([
    ["ends sooner", { expiresAt: CALL_TIME + 10_000 }],
    ["lets less be done", { scope: scopes("booking:*") }],
  ])("of another process that only asks, and %s, leaves a call as it is", (_, changes) => {
    for (const isTls of [false, true]) {
      const call = new CallScene();
      const monitor = isTls ? overTls(call.stage, ALICE) : new SignalingPeer(call.stage, ALICE);
      monitor.token = grant(ALICE, { expiresAt: CALL_TIME + 20_000, ...changes });
      expect(monitor.ask("QUERY", `/sessions/${call.sessionId}`, {}, { proof: true }).outcome).toBe("ok 200");
      monitor.drop(true);
      call.stage.advance(30_000);
      expect(call.alice.query(call.sessionId).last.result.state).toBe("active");
      expect(call.aliceInbox.events).not.toContain("authority-narrowed");
    }
  });
});

describe("a server that demands tokens", () => {
  const required = { tokens: "required" } as const;

  test("takes no call without one, and tells so", () => {
    const { alice } = scene(undefined, required);
    expect(alice.call(BOB).last).toMatchObject({
      status: 401,
      error: { code: "token-required", details: { at: "header Authorization" } },
    });
    expect(alice.subscribe().outcome, "an inbox takes none").toBe("ok 200");
    expect(alice.call(BOB, { token: grant(ALICE) }).raw).toEqual([]);
  });

  test("takes no agent's own word", () => {
    const own = grant(ALICE, { issuer: ALICE.genesis.agentId });
    const { alice, bob, bobInbox } = scene(own, required);
    expect(alice.call(BOB).last).toMatchObject({
      error: { code: "token-invalid", details: { claim: "iss" } },
    });
    // Nor does it make a call outlast what the issuer said.
    alice.token = grant(ALICE);
    alice.call(BOB);
    const event = bobInbox.event("offer");
    bob.accept(event, { token: grant(BOB) });
    expect(alice.ask("QUERY", `/sessions/${event.session_id}`, {}, { proof: true, token: own }).outcome).toBe(
      "token-invalid",
    );
  });

  test("takes no answer without one either", () => {
    const { alice, bob, bobInbox } = scene(grant(ALICE), required);
    alice.call(BOB);
    expect(bob.accept(bobInbox.event("offer")).outcome).toBe("token-required");
    expect(bob.accept(bobInbox.event("offer"), { token: grant(BOB) }).outcome).toBe("ok 200");
  });
});

describe("registration by token", () => {
  const registration = { registration: "token" } as const;
  const first = (token: Result<AccessGrant> | undefined) => {
    const peer = new SignalingPeer(new Stage({ config: registration }), ALICE);
    peer.token = token;
    return peer.subscribe().outcome;
  };

  test("takes an agent that a trusted issuer names, for good", () => {
    const stage = new Stage({ config: registration });
    const alice = new SignalingPeer(stage, ALICE);
    expect(alice.subscribe(undefined, { token: grant(ALICE) }).outcome).toBe("ok 200");
    expect(new SignalingPeer(stage, ALICE).subscribe().outcome, "it is known now").toBe("ok 200");
  });

  test.each<readonly [string, Result<AccessGrant> | undefined, string]>([
    ["without a token", undefined, "agent-unknown"],
    ["with another agent's", grant(BOB), "agent-unknown"],
    ["with its own word", grant(ALICE, { issuer: ALICE.genesis.agentId }), "agent-unknown"],
    ["with one that does not hold", tokenInvalid("iss", "It is not trusted."), "token-invalid"],
    ["with one that has expired", tokenExpired(), "token-expired"],
  ])("refuses one that comes %s", (_, token, outcome) => {
    expect(first(token)).toBe(outcome);
  });
});

test("a token that cannot be judged now takes nothing from hanging up", () => {
  const unavailable = refuse("token-issuer-unavailable", "Its keys are not there.");
  const { alice } = scene(unavailable);
  expect(alice.call(BOB).last).toMatchObject({ status: 503, error: { code: "token-issuer-unavailable" } });
  expect(alice.subscribe().outcome).toBe("ok 200");
});
