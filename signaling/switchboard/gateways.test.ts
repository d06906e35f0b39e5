import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../codecs/canonical-json.ts";
import { ok, type Result, refuse } from "../../codecs/result.ts";
import { type Answers, SignalingPeer } from "../../test/scenario/signaling-peer.ts";
import { Stage } from "../../test/scenario/signaling-stage.ts";
import { ALICE, BOB, CALL_TIME, SERVER, scopes, type TestAgent, testAgent } from "../../test/signed-call.ts";
import { tokenExpired, tokenInvalid } from "../access-token.ts";
import type { AccessGrant } from "../authority.ts";
import type { GatewayStatement } from "../gateway.ts";

const GATEWAY = testAgent("gateway", 5, { issuer: SERVER.identity });
const EVE = testAgent("eve", 6);
const DIGEST = "ab".repeat(32);
const FINGERPRINT = "cd".repeat(32);
const ISSUER = "https://login.example";

const idOf = ({ genesis }: TestAgent) => genesis.agentId;

function granted(agent: TestAgent, changes: Partial<AccessGrant> = {}): Result<AccessGrant> {
  return ok({
    ...{ issuer: ISSUER, tokenId: "1", agentId: idOf(agent), digest: DIGEST },
    ...{ scope: scopes("communication:audio:*"), expiresAt: CALL_TIME + 600_000, ...changes },
  });
}

function stated(agent: TestAgent, evidence: Partial<GatewayStatement["evidence"]> = {}): GatewayStatement {
  return {
    ...{ subject: idOf(agent), issuer: ISSUER },
    evidence: { jti: "1", token: DIGEST, fingerprint: FINGERPRINT, ...evidence },
  };
}

/** Alice at her inbox, Bob and Eve known and away, and the server's gateway. */
function scene() {
  const stage = new Stage({ config: { gateways: [idOf(GATEWAY)] } });
  const alice = new SignalingPeer(stage, ALICE);
  const aliceInbox = alice.subscribe();
  for (const agent of [BOB, EVE]) {
    const peer = new SignalingPeer(stage, agent);
    peer.subscribe();
    peer.drop(true);
  }
  return { stage, alice, aliceInbox, gateway: new SignalingPeer(stage, GATEWAY) };
}

/** SUBSCRIBE of an inbox of `subject` by who says that it acts for that agent. */
function acting(
  peer: SignalingPeer,
  subject: TestAgent,
  token: Result<AccessGrant> | undefined = granted(subject),
  parameters: JsonObject = {},
): Answers {
  const asked = { inbox: "webrtc-1", on_behalf_of: idOf(subject), ...parameters };
  const options = token === undefined ? {} : { token };
  return peer.ask("SUBSCRIBE", `/agents/${idOf(subject)}/inbox`, asked, options);
}

describe("who says that it acts for another agent", () => {
  it("does where it is the server's gateway and brings that agent's token", () => {
    const { gateway, stage } = scene();
    expect(acting(gateway, BOB).events).toEqual(["subscribed"]);
    const registered = stage.log.filter((entry) => entry.kind === "agent").map(({ agentId }) => agentId);
    expect(registered, "the gateway is on file").toContain(idOf(GATEWAY));
  });

  it("is refused where it is any other agent, registered or not, with all that is the gateway's but its key", () => {
    const { stage } = scene();
    for (const agent of [EVE, testAgent("mallory", 7)])
      expect(acting(new SignalingPeer(stage, agent), BOB).outcome).toBe("gateway-refused");
    const forger = new SignalingPeer(stage, { ...GATEWAY, identity: EVE.identity });
    expect(acting(forger, BOB).outcome).toBe("proof-invalid");
    const { gateway, stage: none } = { stage: new Stage(), gateway: undefined };
    expect(gateway).toBeUndefined();
    expect(acting(new SignalingPeer(none, GATEWAY), BOB).outcome, "no server has one unless it says so").toBe(
      "gateway-refused",
    );
  });

  it.each([
    ["no token", undefined, "token-required"],
    ["another agent's token", granted(EVE), "token-invalid"],
    ["a token for another server", tokenInvalid("aud", "another server"), "token-invalid"],
    ["a token that has run out", tokenExpired(), "token-expired"],
    [
      "a token whose issuer cannot be asked",
      refuse("token-issuer-unavailable", "away"),
      "token-issuer-unavailable",
    ],
  ])("is refused with %s", (_, token, code) => {
    const { gateway } = scene();
    const asked = { inbox: "webrtc-1", on_behalf_of: idOf(BOB) };
    const options = token === undefined ? {} : { token };
    const answer = gateway.ask("SUBSCRIBE", `/agents/${idOf(BOB)}/inbox`, asked, options);
    expect(answer.outcome).toBe(code);
    expect(gateway.query("sess-AAAAAAAA").outcome, "nothing is bound").toBe("proof-required");
  });

  it("is refused for an agent that is not registered, suspended, a gateway, or the server", () => {
    const { gateway, stage } = scene();
    expect(acting(gateway, testAgent("nobody", 8)).outcome).toBe("agent-unknown");
    expect(acting(gateway, GATEWAY).outcome).toBe("gateway-refused");
    expect(acting(gateway, stage.server).outcome).toBe("agent-unknown");
    new SignalingPeer(stage, suspended(BOB, "bob", 2)).subscribe();
    expect(acting(gateway, BOB).outcome).toBe("agent-suspended");
    new SignalingPeer(stage, suspended(GATEWAY, "gateway", 5, SERVER)).subscribe();
    expect(acting(new SignalingPeer(stage, GATEWAY), EVE).outcome).toBe("agent-suspended");
  });

  it("acts for one agent on a connection, and one that is an agent's never turns into a gateway's", () => {
    const { gateway, stage } = scene();
    acting(gateway, BOB);
    expect(acting(gateway, EVE).outcome).toBe("agent-mismatch");
    const eve = new SignalingPeer(stage, EVE);
    eve.subscribe();
    expect(acting(eve, BOB).outcome).toBe("agent-mismatch");
    const plain = new SignalingPeer(stage, GATEWAY);
    plain.subscribe();
    expect(acting(plain, BOB).outcome).toBe("agent-mismatch");
  });

  it("has inboxes of its own, beside those of the agent", () => {
    const { gateway, stage } = scene();
    expect(acting(gateway, BOB, granted(BOB), { inbox: "main" }).outcome).toBe("gateway-refused");
    const bob = new SignalingPeer(stage, BOB);
    const desk = bob.subscribe(undefined, { inbox: "desk" });
    expect(acting(gateway, BOB, granted(BOB), { inbox: "desk" }).outcome).toBe("gateway-refused");
    acting(gateway, BOB);
    expect(desk.isOver).toBe(false);
    expect(bob.subscribe(undefined, { inbox: "webrtc-1" }).outcome, "the agent may have any").toBe("ok 200");
  });

  it("is not told what waits for the agent itself", () => {
    const { gateway, stage, alice } = scene();
    const bob = new SignalingPeer(stage, BOB);
    const own = bob.subscribe();
    alice.call(BOB);
    bob.accept(own.event("offer"));
    bob.drop();
    alice.hangUp(String(own.event("offer").session_id));
    expect(acting(gateway, BOB).events).toEqual(["subscribed"]);
    expect(new SignalingPeer(stage, BOB).subscribe().events).toContain("session-ended");
  });

  it("calls and is called, and nothing else in the agent's name", () => {
    const { gateway } = scene();
    acting(gateway, BOB);
    const notice = { recipient: idOf(ALICE), content: "hello" };
    expect(gateway.ask("NOTIFY", "/", notice, { proof: false }).outcome).toBe("gateway-refused");
    const change = gateway.ask("QUERY", "/", {}, { proof: false });
    expect(change.last.result).toMatchObject({ sessions: [] });
  });
});

describe("a gateway that only calls for its agent", () => {
  const calling = { calls: false };
  const listed = (peer: SignalingPeer) => {
    const { agents } = peer.ask("DISCOVER", "/agents", {}, { proof: false }).last.result;
    return (agents as readonly JsonObject[]).find((agent) => agent.agent_id === idOf(BOB));
  };

  it("does not make it look as if it could be called, nor can it be", () => {
    const { gateway, stage, alice } = scene();
    const inbox = acting(gateway, BOB, granted(BOB), calling);
    expect(inbox.events).toEqual(["subscribed"]);
    expect(listed(alice)).toMatchObject({ online: false });
    expect(listed(alice)).not.toHaveProperty("gateway");
    expect(stage.sizes.inboxes.online, "Alice").toBe(1);
    const refused = alice.call(BOB, { changes: { gateways: true } });
    expect(refused.last).toMatchObject({ error: { code: "callee-unreachable" } });
    expect(inbox.events).toEqual(["subscribed"]);
    acting(new SignalingPeer(stage, GATEWAY), BOB, granted(BOB), { inbox: "webrtc-2" });
    expect(listed(alice), "another one takes calls").toMatchObject({ online: true, gateway: true });
  });

  it("keeps nothing ringing that nobody takes", () => {
    const { gateway, stage, alice } = scene();
    const bob = new SignalingPeer(stage, BOB);
    bob.subscribe();
    acting(gateway, BOB, granted(BOB), calling);
    expect(listed(alice)).toMatchObject({ online: true });
    expect(listed(alice)).not.toHaveProperty("gateway");
    const call = alice.call(BOB, { changes: { gateways: true } });
    bob.drop(true);
    expect(call.outcome).toBe("callee-unreachable");
  });

  it("meets a call of whom it calls: one of both stands", () => {
    const { gateway, alice, aliceInbox } = scene();
    const inbox = acting(gateway, BOB, granted(BOB), calling);
    const theirs = gateway.call(ALICE, { changes: { gateway: stated(BOB) } });
    expect(aliceInbox.events).toContain("offer");
    const own = alice.call(BOB, { changes: { gateways: true } });
    const outcomes = [theirs, own].map((call) => (call.isOver ? call.outcome : "rings"));
    expect(outcomes.sort()).toEqual(["glare", "rings"]);
    expect(inbox.events.includes("offer")).toBe(!own.isOver);
  });
});

describe("what a gateway signs", () => {
  it.each([
    ["nothing of being one", undefined, "gateway-refused"],
    ["another agent than it acts for", stated(EVE), "gateway-refused"],
    ["another token", stated(BOB, { token: "00".repeat(32) }), "gateway-refused"],
    ["another token's name", stated(BOB, { jti: "2" }), "gateway-refused"],
    ["another issuer", { ...stated(BOB), issuer: "https://other.example" }, "gateway-refused"],
    ["what it showed", stated(BOB), "ok 202"],
  ])("is an offer that says %s", (_, statement, outcome) => {
    const { gateway } = scene();
    acting(gateway, BOB);
    const changes = statement === undefined ? {} : { gateway: statement };
    const call = gateway.call(ALICE, { changes, more: { provisional: true } });
    expect(call.outcome).toBe(outcome);
  });

  it("is of the peer that the token is bound to, where it is", () => {
    const bound = (fingerprint: string | undefined) => {
      const { gateway } = scene();
      acting(gateway, BOB, granted(BOB, { confirmation: { fingerprint } }));
      const changes = { gateway: stated(BOB) };
      return gateway.call(ALICE, { changes, more: { provisional: true } }).outcome;
    };
    expect(bound(FINGERPRINT)).toBe("ok 202");
    expect(bound("ee".repeat(32))).toBe("fingerprint-mismatch");
    expect(bound(undefined), "bound to what a gateway cannot check").toBe("fingerprint-mismatch");
  });

  it("is no agent's: an offer or an answer of one that says so is refused", () => {
    const { stage, alice, aliceInbox } = scene();
    const eve = new SignalingPeer(stage, EVE);
    eve.subscribe();
    expect(eve.call(ALICE, { changes: { gateway: stated(BOB) } }).outcome).toBe("gateway-refused");
    eve.call(ALICE, { changes: { gateways: true } });
    const answer = alice.accept(aliceInbox.event("offer"), { changes: { gateway: stated(BOB) } });
    expect(answer.outcome).toBe("field-invalid");
  });

  it("is an answer to who takes gateways, with its own key and name", () => {
    const { gateway, alice } = scene();
    const inbox = acting(gateway, BOB);
    expect(alice.call(BOB).last).toMatchObject({
      error: { code: "callee-unreachable", details: { gateway: true } },
    });
    expect(inbox.events).toEqual(["subscribed"]);
    const call = alice.call(BOB, { changes: { gateways: true } });
    const event = inbox.event("offer");
    expect(gateway.accept(event).outcome).toBe("field-invalid");
    expect(gateway.accept(event, { changes: { gateway: stated(EVE) } }).outcome).toBe("field-invalid");
    const wrong = { gateway: stated(BOB, { token: "00".repeat(32) }) };
    expect(gateway.accept(event, { changes: wrong }).outcome).toBe("gateway-refused");
    expect(gateway.accept(event, { changes: { gateway: stated(BOB) } }).outcome).toBe("ok 200");
    const presented = JSON.parse(String((call.last.result.peer as JsonObject).genesis)) as JsonObject;
    expect(presented.name, "whose documents the signatures are checked with").toBe("gateway");
  });
});

describe("a call in which a gateway acts", () => {
  /** Alice's call, which the gateway answered for Bob. */
  function up(token = granted(BOB)) {
    const { gateway, alice, ...rest } = scene();
    const inbox = acting(gateway, BOB, token);
    alice.call(BOB, { changes: { gateways: true } });
    const confirmed = gateway.accept(inbox.event("offer"), { changes: { gateway: stated(BOB) } });
    const sessionId = String(confirmed.last.result.session_id);
    return { ...rest, gateway, alice, inbox, sessionId };
  }

  it("names the agent in its records, with the gateway beside, and keeps the gateway's documents", () => {
    const { stage, sessionId } = up();
    const kept = stage.log.filter((entry) => entry.kind === "artifact" && entry.sessionId === sessionId);
    const texts = kept.flatMap((entry) =>
      entry.kind === "artifact" && entry.leg === 1 ? [new TextDecoder().decode(entry.bytes)] : [],
    );
    expect(texts[0]).toBe(new TextDecoder().decode(GATEWAY.genesis.bytes));
    const standing = texts.map((text) => (text.startsWith("{") ? (JSON.parse(text) as JsonObject) : {}));
    expect(standing).toContainEqual(
      expect.objectContaining({
        agent_id: idOf(BOB),
        gateway: expect.objectContaining({ agent_id: idOf(GATEWAY), status: "active" }),
      }),
    );
  });

  it.each([
    ["the agent is suspended", () => suspended(BOB, "bob", 2), "agent-deactivated"],
    ["the gateway is suspended", () => suspended(GATEWAY, "gateway", 5, SERVER), "agent-deactivated"],
  ])("ends when %s", (_, agent, reason) => {
    const { stage, alice, aliceInbox, gateway, sessionId } = up();
    new SignalingPeer(stage, agent()).subscribe();
    expect(aliceInbox.event("session-ended")).toMatchObject({ session_id: sessionId, reason });
    expect(alice.query(sessionId).last.result).toMatchObject({ reason });
    expect(gateway.ask("QUERY", "/", {}, { proof: false }).outcome).toBe("agent-suspended");
  });

  it("is not the business of another gateway's leg, nor of the agent's own calls", () => {
    const { stage, gateway, sessionId } = up();
    const forEve = new SignalingPeer(stage, GATEWAY);
    acting(forEve, EVE, granted(EVE));
    expect(forEve.query(sessionId).outcome).toBe("session-identity-mismatch");
    const bob = new SignalingPeer(stage, BOB);
    const inbox = bob.subscribe();
    expect(bob.query(sessionId).outcome).toBe("ok 200");
    expect(bob.openMedia(sessionId).outcome).toBe("session-identity-mismatch");
    const carol = new SignalingPeer(stage, testAgent("carol", 9));
    carol.call(BOB);
    const own = bob.accept(inbox.event("offer"));
    const ownId = String(own.last.result.session_id);
    for (const answer of [gateway.query(ownId), gateway.hangUp(ownId), gateway.openMedia(ownId)])
      expect(answer.outcome).toBe("session-identity-mismatch");
    expect(bob.hangUp(sessionId).outcome, "an agent ends what is done in its name").toBe("ok 200");
  });
});

/** The same agent, as its issuer says of it later. */
function suspended(of: TestAgent, name: string, byte: number, issuer?: TestAgent): TestAgent {
  const document = { status: "suspended", updatedAt: CALL_TIME } as const;
  const changed = testAgent(name, byte, {
    document,
    ...(issuer === undefined ? {} : { issuer: issuer.identity }),
  });
  expect(idOf(changed)).toBe(idOf(of));
  return changed;
}
