import { describe, expect, test } from "vitest";
import type { JsonObject } from "../../codecs/canonical-json.ts";
import { overTls, SignalingPeer } from "../../test/scenario/signaling-peer.ts";
import { Stage, type StageOptions } from "../../test/scenario/signaling-stage.ts";
import { ALICE, BOB, testAgent } from "../../test/signed-call.ts";
import { jwsDigest } from "../jws.ts";
import { DEFAULT_LIMITS } from "./config.ts";
import { CLOSING_WINDOW } from "./endings.ts";
import { RETURN_GRACE, RING_TIME, STILL_RINGING } from "./ringing.ts";

/** Alice and Bob connected, Bob at his inbox. */
function scene(options: StageOptions = {}) {
  const stage = new Stage(options);
  const alice = new SignalingPeer(stage, ALICE);
  const bob = new SignalingPeer(stage, BOB);
  return { stage, alice, bob, inbox: bob.subscribe() };
}

describe("ringing", () => {
  test("a provisional call is told that it rings, then the answer, in one series", () => {
    const { alice, bob, inbox } = scene();
    const call = alice.call(BOB, { more: { provisional: true } });
    expect(call.last).toMatchObject({ status: 202, final: false, result: { state: "ringing" } });
    expect(call.last.result).not.toHaveProperty("session_id");
    bob.accept(inbox.event("offer"));
    expect(call.all.map((message) => message.status)).toEqual([202, 200]);
    expect(call.isOver).toBe(true);
  });

  test("others get one final message", () => {
    const { alice, bob, inbox } = scene();
    const call = alice.call(BOB);
    expect(call.raw).toHaveLength(0);
    bob.accept(inbox.event("offer"));
    expect(call.all.map((message) => message.status)).toEqual([200]);
  });

  test("the callee declines, is busy, or has no codec in common", () => {
    const { alice, bob, inbox } = scene();
    const reject = (more: JsonObject) => {
      const call = alice.call(BOB);
      expect(bob.reject(inbox.event("offer"), more).outcome).toBe("ok 200");
      return call;
    };
    expect(reject({ reason: "declined" }).outcome).toBe("declined");
    expect(reject({ reason: "busy" }).last).toMatchObject({ status: 503, error: { code: "callee-busy" } });
    const counter = { codecs: [{ name: "pcma", clock_rate: 8000, channels: 1, frame_ms: [20] }] };
    expect(reject({ reason: "proposal-rejected", counter_proposal: counter }).last).toMatchObject({
      status: 463,
      error: { reason: "composition-impossible", details: { counter_proposal: counter } },
    });
  });

  test("nobody answers: 408 after 45 s, and the callee learns that it is over", () => {
    const { stage, alice, bob, inbox } = scene();
    const call = alice.call(BOB);
    stage.advance(RING_TIME - 1);
    expect(call.isOver).toBe(false);
    stage.advance(1);
    expect(call.last).toMatchObject({ status: 408, error: { code: "no-answer" } });
    expect(inbox.event("offer-cancelled")).toMatchObject({ reason: "no-answer" });
    expect(bob.accept(inbox.event("offer")).outcome).toBe("offer-dead");
  });

  test("the caller takes the offer back, from any connection", () => {
    const { stage, alice, bob, inbox } = scene();
    const id = alice.newUuid();
    const call = alice.call(BOB, { changes: { offer_id: id } });
    const elsewhere = new SignalingPeer(stage, ALICE);
    elsewhere.subscribe();
    expect(elsewhere.ask("TERMINATE", `/offers/${id}`).outcome).toBe("ok 200");
    expect(call.outcome).toBe("cancelled");
    expect(inbox.event("offer-cancelled")).toMatchObject({ offer_id: id, reason: "cancelled" });
    expect(bob.accept(inbox.event("offer")).outcome).toBe("offer-dead");
    expect(elsewhere.ask("TERMINATE", `/offers/${id}`).outcome, "again").toBe("ok 200");
    expect(bob.ask("TERMINATE", `/offers/${id}`, {}, { proof: false }).outcome).toBe("offer-not-found");
  });

  test("an answered offer cannot be taken back", () => {
    const { alice, bob, inbox } = scene();
    const id = alice.newUuid();
    alice.call(BOB, { changes: { offer_id: id } });
    bob.accept(inbox.event("offer"));
    expect(alice.ask("TERMINATE", `/offers/${id}`, {}, { proof: false }).outcome).toBe("offer-dead");
  });

  test("no inbox, no such agent, oneself", () => {
    const stage = new Stage();
    const alice = new SignalingPeer(stage, ALICE);
    expect(alice.call(BOB).outcome).toBe("agent-not-found");
    const bob = new SignalingPeer(stage, BOB);
    const inbox = bob.subscribe();
    stage.handle({ kind: "abandoned", connection: bob.connection, exchange: inbox.exchange });
    expect(alice.call(BOB).last).toMatchObject({ status: 503, error: { code: "callee-unreachable" } });
    expect(alice.call(ALICE).outcome).toBe("field-invalid");
  });

  test("a callee that goes away while it rings has 5 s to come back", () => {
    const { stage, alice, bob } = scene();
    const call = alice.call(BOB);
    bob.drop();
    stage.advance(RETURN_GRACE - 1);
    const again = new SignalingPeer(stage, BOB);
    const inbox = again.subscribe();
    stage.advance(RETURN_GRACE);
    expect(call.isOver).toBe(false);
    again.accept(inbox.event("offer"));
    expect(call.outcome).toBe("ok 200");

    const second = alice.call(BOB);
    again.drop();
    stage.advance(RETURN_GRACE);
    expect(second.outcome).toBe("callee-unreachable");
  });

  test("a caller over TLS that wants to hear of it is told over and over that it rings, and is not called for when nobody takes that", () => {
    const { stage, inbox } = scene();
    const [told, untold] = [overTls(stage, ALICE), overTls(stage, ALICE)];
    const offer = told.offer(BOB);
    const call = told.call(BOB, { offer, more: { provisional: true } });
    const other = untold.call(BOB, { offer });
    stage.advance(3 * STILL_RINGING);
    expect(call.all.map(({ status }) => status)).toEqual([202, 202, 202, 202]);
    expect(new Set(call.all.map(({ result }) => result.state))).toEqual(new Set(["ringing"]));
    expect(other.all).toEqual([]);
    stage.handle({ kind: "abandoned", connection: untold.connection, exchange: other.exchange });
    told.drop();
    stage.advance(RETURN_GRACE);
    expect(inbox.event("offer-cancelled")).toMatchObject({ reason: "caller-gone" });
    expect(call.all).toHaveLength(4);
    stage.checkChain();
  });

  test("a caller that goes away while it rings has 5 s to ask again, from a new connection", () => {
    const { stage, alice, bob, inbox } = scene();
    const offer = alice.offer(BOB);
    alice.call(BOB, { offer });
    alice.drop();
    stage.advance(RETURN_GRACE - 1);
    const again = new SignalingPeer(stage, ALICE);
    const call = again.call(BOB, { offer });
    stage.advance(RETURN_GRACE);
    bob.accept(inbox.event("offer"));
    expect(call.outcome).toBe("ok 200");
    expect(inbox.events).toEqual(["subscribed", "offer"]);

    again.call(BOB);
    again.drop();
    stage.advance(RETURN_GRACE);
    expect(inbox.event("offer-cancelled")).toMatchObject({ reason: "caller-gone" });
  });

  test("an answer while the caller is away is refused", () => {
    const { alice, bob, inbox } = scene();
    alice.call(BOB);
    alice.drop();
    expect(bob.accept(inbox.event("offer")).outcome).toBe("offer-dead");
  });
});

describe("idempotency by offer id and digest", () => {
  test("the same offer again rings once and both requests get the same session", () => {
    const { alice, bob, inbox } = scene();
    const offer = alice.offer(BOB);
    const first = alice.call(BOB, { offer });
    const second = alice.call(BOB, { offer });
    expect(inbox.events).toEqual(["subscribed", "offer"]);
    bob.accept(inbox.event("offer"));
    const third = alice.call(BOB, { offer });
    const { result } = first.last;
    expect(second.last.result).toEqual(result);
    expect(third.last.result).toEqual(result);
  });

  test("the same id with another offer is a conflict, ringing or over", () => {
    const { alice, bob, inbox } = scene();
    const id = alice.newUuid();
    const other = { offer_id: id, session: { model: "bounded", ttl: 30 } } as const;
    alice.call(BOB, { changes: { offer_id: id } });
    expect(alice.call(BOB, { changes: other }).last).toMatchObject({
      status: 409,
      error: { code: "idempotency-conflict" },
    });
    bob.reject(inbox.event("offer"), { reason: "declined" });
    expect(alice.call(BOB, { changes: other }).outcome).toBe("idempotency-conflict");
  });

  test("a refused offer gets the same refusal", () => {
    const { alice, bob, inbox } = scene();
    const offer = alice.offer(BOB);
    alice.call(BOB, { offer });
    bob.reject(inbox.event("offer"), { reason: "busy" });
    expect(alice.call(BOB, { offer }).outcome).toBe("callee-busy");
    expect(inbox.events).toEqual(["subscribed", "offer"]);
  });

  test("after establishment, another connection is told where the media is", () => {
    const { stage, alice, bob, inbox } = scene();
    const offer = alice.offer(BOB);
    alice.call(BOB, { offer });
    bob.accept(inbox.event("offer"));
    expect(new SignalingPeer(stage, ALICE).call(BOB, { offer }).outcome).toBe("session-state-conflict");
  });

  test("after the call it finds the session terminated, closing or closed", () => {
    const { stage, alice, bob, inbox } = scene();
    const offer = alice.offer(BOB);
    alice.call(BOB, { offer });
    bob.accept(inbox.event("offer"));
    bob.hangUp(String(inbox.event("offer").session_id));
    expect(alice.call(BOB, { offer }).outcome).toBe("session-terminated");
    stage.advance(CLOSING_WINDOW);
    expect(alice.call(BOB, { offer }).outcome).toBe("session-terminated");
  });

  test("the same CONFIRM again gets the same answer, another one finds the offer dead", () => {
    const { stage, alice, bob, inbox } = scene();
    alice.call(BOB);
    const event = inbox.event("offer");
    const answer = bob.answerTo(event);
    const first = bob.accept(event, { answer });
    expect(bob.accept(event, { answer }).last.result).toEqual(first.last.result);
    stage.advance(1000);
    expect(bob.accept(event).outcome).toBe("offer-dead");
    expect(alice.accept(event, { answer }).outcome).toBe("session-identity-mismatch");
  });

  test("the Idempotency-Key is the offer id", () => {
    const { alice } = scene();
    const outcome = alice.call(BOB, { headers: [["Idempotency-Key", alice.newUuid()]] });
    expect(outcome.last.error).toMatchObject({
      code: "field-invalid",
      details: { at: "header Idempotency-Key" },
    });
  });
});

describe("glare", () => {
  /** Both call each other; returns what each got, by whose offer has the lower digest. */
  function collide(firstIsLower: boolean) {
    const { stage, alice, bob, inbox } = scene();
    const aliceInbox = alice.subscribe();
    // Offers differ by their lifetime until the digests stand as wanted.
    for (let ttl = 30; ; ttl++) {
      const fromAlice = alice.offer(BOB, { session: { model: "bounded", ttl } });
      const fromBob = bob.offer(ALICE);
      if (jwsDigest(fromAlice) < jwsDigest(fromBob) !== firstIsLower) continue;
      const first = alice.call(BOB, { offer: fromAlice });
      const second = bob.call(ALICE, { offer: fromBob });
      return { stage, alice, bob, aliceInbox, bobInbox: inbox, first, second };
    }
  }

  test("the later offer has the higher digest: it is refused and names the one to answer", () => {
    const { bob, bobInbox, first, second } = collide(true);
    const surviving = bobInbox.event("offer");
    expect(second.last).toMatchObject({ status: 409, error: { code: "glare" } });
    bob.accept(surviving);
    expect(first.outcome).toBe("ok 200");
  });

  test("the later offer has the lower digest: it takes the earlier one's place", () => {
    const { alice, aliceInbox, bobInbox, first, second } = collide(false);
    expect(first.outcome).toBe("glare");
    expect(bobInbox.event("offer-cancelled")).toMatchObject({ reason: "glare" });
    alice.accept(aliceInbox.event("offer"));
    expect(second.outcome).toBe("ok 200");
  });
});

describe("room", () => {
  const limited = (limits: Partial<typeof DEFAULT_LIMITS>) =>
    scene({ config: { limits: { ...DEFAULT_LIMITS, ...limits } } });

  test("a caller may have so many offers ringing", () => {
    const { alice } = limited({ ringingPerCaller: 1 });
    alice.call(BOB);
    expect(alice.call(BOB).last).toMatchObject({
      status: 429,
      error: { code: "rate-limited", details: { retry_after_ms: 5_000 } },
    });
  });

  test("a full server says so, a full callee is busy", () => {
    const full = limited({ sessions: 1 });
    full.alice.call(BOB);
    expect(full.alice.call(BOB).last).toMatchObject({ status: 503, error: { code: "capacity" } });
    const busy = limited({ sessionsPerAgent: 1 });
    busy.alice.call(BOB);
    busy.bob.accept(busy.inbox.event("offer"));
    const carol = new SignalingPeer(busy.stage, testAgent("carol", 5));
    expect(carol.call(BOB).outcome).toBe("callee-busy");
  });
});
