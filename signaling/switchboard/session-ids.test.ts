import { describe, expect, test } from "vitest";
import { decodeBase64url } from "../../codecs/base64url.ts";
import type { JsonObject } from "../../codecs/canonical-json.ts";
import { encodeHex } from "../../codecs/hex.ts";
import { CallScene } from "../../test/scenario/signaling-call.ts";
import { SignalingPeer } from "../../test/scenario/signaling-peer.ts";
import { Stage } from "../../test/scenario/signaling-stage.ts";
import { ALICE, BOB, must, SESSION_ID, testAgent } from "../../test/signed-call.ts";
import { readRecord } from "../attribution.ts";
import { FLOOR_METHODS } from "../methods.ts";
import { ROUTES } from "../paths.ts";

const CAROL = testAgent("carol", 5);

/** The bytes that an id spells. */
function bytesOf(sessionId: string): Uint8Array {
  expect(sessionId).toMatch(/^sess-[A-Za-z0-9_-]{43}$/);
  return must(decodeBase64url(sessionId.slice("sess-".length)));
}

describe("a session's id", () => {
  test("is 32 bytes of the random source and nothing else", () => {
    const { stage, sessionId } = new CallScene();
    const given = stage.randomGiven.map(encodeHex);
    expect(given).toContain(encodeHex(bytesOf(sessionId)));
  });

  test("is drawn anew for each session of the same two agents", () => {
    const scene = new CallScene();
    const { stage, alice, bob } = scene;
    scene.close();
    const drawn = stage.randomGiven.length;
    alice.call(BOB);
    const second = String(scene.bobInbox.event("offer").session_id);
    bob.accept(scene.bobInbox.event("offer"));
    expect(second).not.toBe(scene.sessionId);
    const since = stage.randomGiven.slice(drawn).map(encodeHex);
    expect(since).toContain(encodeHex(bytesOf(second)));
  });
});

test("the nonce that resumes a session is 16 bytes of the random source, drawn anew each time", () => {
  const { stage, alice, sessionId } = new CallScene();
  const path = `/sessions/${sessionId}`;
  const nonces = [1, 2].map(() => {
    const suspended = alice.ask("SUSPEND", path, {}, { proof: false });
    const nonce = String(suspended.last.result.resumption_nonce);
    expect(alice.ask("RESUME", path, { resumption_nonce: nonce }, { proof: true }).outcome).toBe("ok 200");
    return encodeHex(must(decodeBase64url(nonce)));
  });
  expect(new Set(nonces).size).toBe(2);
  for (const nonce of nonces) {
    expect(nonce).toHaveLength(32);
    expect(stage.randomGiven.map(encodeHex)).toContain(nonce);
  }
});

describe("a session comes into being by ESTABLISH and CONFIRM alone", () => {
  const others = ROUTES.filter((route) => !/^(?:ESTABLISH|CONFIRM) \/sessions/.test(route));
  const refused = [...FLOOR_METHODS].map((method) => `${method} /`);
  /** Members that any of them may want. */
  const parameters: JsonObject = {
    ...{ session_id: SESSION_ID, target_id: SESSION_ID, target_agent_id: BOB.genesis.agentId },
    ...{ attach_seq: 1, t0: 1, narrowing: "e30.e30.c2ln", session_model: "bounded", session_ttl: 60 },
  };
  const notices: JsonObject[] = [
    { event: "ack", inbox_seq: 1 },
    { event: "closing-statement", closing: "e30.e30.c2ln" },
    { event: "interrupt", stream: 0, epoch: 1, interrupt: "AAEC" },
  ];

  test.each([...new Set([...others, ...refused])])("not by %s", (route) => {
    const stage = new Stage();
    const bob = new SignalingPeer(stage, BOB);
    bob.subscribe();
    const alice = new SignalingPeer(stage, ALICE);
    alice.subscribe();
    const offer = alice.offer(BOB);
    const [method = "", pattern = ""] = route.split(" ");
    const path = pattern
      .replace("{agent_id}", alice.id)
      .replace("{session_id}", SESSION_ID)
      .replace("{stream}", "1")
      .replace("{peer_id}", "p1")
      .replace("{offer_id}", alice.newUuid());
    for (const content of notices) {
      const asked = alice.ask(method, path, { ...parameters, offer, content }, { proof: true });
      expect(asked.raw.length).toBeGreaterThan(0);
    }
    expect(stage.admissions).toEqual([]);
    for (const entry of stage.log) {
      expect(entry.kind === "agent" || entry.kind === "record", entry.kind).toBe(true);
      if (entry.kind === "record") expect(must(readRecord(entry.jws))).not.toHaveProperty("session_id");
    }
    expect(alice.query(SESSION_ID).outcome).toBe("session-not-found");
  });

  test("nor by CONFIRM without an offer", () => {
    const stage = new Stage();
    const alice = new SignalingPeer(stage, ALICE);
    expect(
      alice.confirm({ session_id: SESSION_ID }, { status: "accepted", answer: "e30.e30.c2ln" }).last,
    ).toMatchObject({
      status: 404,
      error: { code: "session-not-found" },
    });
    expect(stage.admissions).toEqual([]);
  });
});

test("answers to ESTABLISH are kept by agent and key together: another's key is one's own", () => {
  const stage = new Stage();
  const alice = new SignalingPeer(stage, ALICE);
  const bob = new SignalingPeer(stage, BOB);
  const inbox = bob.subscribe();
  const offerId = alice.newUuid();
  const options = { changes: { offer_id: offerId }, headers: [["Idempotency-Key", offerId]] as const };
  const first = alice.call(BOB, options);
  bob.accept(inbox.event("offer"));
  const second = new SignalingPeer(stage, CAROL).call(BOB, options);
  expect(second.isOver, "it rings").toBe(false);
  bob.accept(inbox.event("offer"));
  expect(inbox.events.filter((event) => event === "offer")).toHaveLength(2);
  expect([first.outcome, second.outcome]).toEqual(["ok 200", "ok 200"]);
  expect(second.last.result.session_id).not.toBe(first.last.result.session_id);
  expect(alice.call(BOB, options).last.result, "asked again").toEqual(first.last.result);
});
