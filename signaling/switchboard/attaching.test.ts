import { describe, expect, test } from "vitest";
import type { JsonObject } from "../../codecs/canonical-json.ts";
import { encodeHex } from "../../codecs/hex.ts";
import { receiptDigest } from "../../codecs/receipt.ts";
import { CallScene, type SceneOptions } from "../../test/scenario/signaling-call.ts";
import { overTls, SignalingPeer } from "../../test/scenario/signaling-peer.ts";
import { ALICE, BOB, must, testAgent } from "../../test/signed-call.ts";
import type { AdmissionMessage } from "../admission.ts";
import { readRecord } from "../attribution.ts";
import { ATTACH_GRACE } from "./detaching.ts";
import { IDLE_LIMIT } from "./endings.ts";

const CAROL = testAgent("carol", 21);
const tlsScene = (options: SceneOptions = {}) => new CallScene({ ...options, bobOverTls: true });
const bobAgain = (scene: CallScene) => overTls(scene.stage, BOB);
const streamsOf = (result: JsonObject) => result.streams as JsonObject[];
const moves = (scene: CallScene) =>
  scene.stage.admissions.filter(
    (message): message is Extract<AdmissionMessage, { kind: "move" }> => message.kind === "move",
  );
/** The row in force of a leg's stream. */
const rowOf = (scene: CallScene, leg: number) => {
  const rows = scene.stage.admissions.flatMap((message) => ("row" in message ? [message.row] : []));
  return rows.findLast((row) => row.leg === leg);
};
const sends = (result: JsonObject) =>
  streamsOf(result).find((stream) => stream.direction === "send") as JsonObject;
const receives = (result: JsonObject) =>
  streamsOf(result).find((stream) => stream.direction === "receive") as JsonObject;

describe("OPEN of a session's media", () => {
  test("over TLS: the flows of that end are on that connection, the relay sends it what it hears there", () => {
    const scene = tlsScene();
    expect(rowOf(scene, 0)?.egress, "nobody hears the caller yet").toEqual([]);
    const media = bobAgain(scene);
    const { status, result } = media.openMedia(scene.sessionId).last;
    expect({ status, ...result }).toMatchObject({
      ...{ status: 200, session_id: scene.sessionId, state: "active", leg: 1, attach_seq: 1 },
    });
    expect(scene.stage.mediaConnections).toEqual([media.connection]);
    const { connection } = media;
    expect(rowOf(scene, 1)).toMatchObject({ connection, flow: sends(result).flow });
    expect(rowOf(scene, 0)).toMatchObject({
      connection: scene.alice.connection,
      egress: [{ connection, flow: receives(result).flow }],
    });
    expect(scene.alice.query(scene.sessionId).last.result).toMatchObject({
      participants: [{ attached: true }, { attached: true }],
    });
  });

  test("its record in the session's chain says leg, number, carrier and channel binding", () => {
    const scene = tlsScene();
    const media = bobAgain(scene);
    media.openMedia(scene.sessionId);
    const records = scene.stage.sessionRecords(scene.sessionId).map((jws) => must(readRecord(jws)));
    const attached = records.find(({ event }) => event === "media-attached");
    expect(attached).toMatchObject({
      session_id: scene.sessionId,
      extra: {
        ...{ leg: 1, attach_seq: 1, carrier: "tls" },
        channel_binding: encodeHex(media.channelBinding ?? new Uint8Array(0)),
      },
    });
    scene.stage.checkChain();
  });

  test("statements go on where they stood: the chain continues on the new flows, and nothing is taken twice", () => {
    const scene = new CallScene();
    const first = scene.receipt(1);
    const { connection } = scene.bob;
    const old = Number(scene.stream(1, "receive").receipt_flow);
    scene.stage.handle({ kind: "item", connection, flow: old, bytes: first });
    expect(scene.stage.items).toHaveLength(1);
    const media = bobAgain(scene);
    const { result } = media.openMedia(scene.sessionId).last;
    scene.stage.handle({ kind: "item", connection, flow: old, bytes: scene.receipt(1) });
    expect(scene.stage.items, "on the old flow").toHaveLength(1);
    const flow = Number(receives(result).receipt_flow);
    const next = scene.secondReceipt(1, first);
    scene.stage.handle({ kind: "item", connection: media.connection, flow, bytes: next });
    expect(scene.stage.items.at(-1)).toMatchObject({
      connection: scene.alice.connection,
      flow: scene.stream(0, "send").receipt_flow,
      bytes: next,
    });
  });

  describe("statements under way when it moves", () => {
    const wanted = (result: JsonObject, kind: string) =>
      (result.statements as JsonObject[]).find((each) => each.kind === kind) as JsonObject;

    function moved() {
      const scene = tlsScene();
      const older = bobAgain(scene);
      const before = older.openMedia(scene.sessionId, 1).last.result;
      const send = (peer: SignalingPeer, opened: JsonObject, bytes: Uint8Array) => {
        const flow = Number(receives(opened).receipt_flow);
        scene.stage.handle({ kind: "item", connection: peer.connection, flow, bytes });
      };
      const zero = scene.receipt(1);
      send(older, before, zero);
      const newer = bobAgain(scene);
      const after = newer.openMedia(scene.sessionId, 2).last.result;
      const one = scene.secondReceipt(1, zero);
      const two = scene.receipt(1, { index: 2, previous: receiptDigest(one) });
      const dropped = () => scene.stage.logs.filter(({ event }) => event === "statement-dropped");
      return { scene, older, before, newer, after, send, zero, one, two, dropped };
    }

    test("the answer says what is wanted next of each chain that this end signs", () => {
      const { before, after, zero } = moved();
      const start = { next_index: 0, previous: "0".repeat(64), state: "open" };
      expect(before.statements).toEqual([
        { kind: "receipt", stream: 0, leg: 0, ...start },
        { kind: "checkpoint", stream: 0, leg: 1, ...start },
      ]);
      expect(wanted(after, "receipt")).toMatchObject({
        next_index: 1,
        previous: encodeHex(receiptDigest(zero)),
      });
      expect(wanted(after, "checkpoint")).toMatchObject(start);
    });

    test("count when they arrive on the older connection after all", () => {
      const { scene, older, before, newer, after, send, one, two, dropped } = moved();
      send(older, before, one);
      send(newer, after, two);
      expect(scene.stage.items.map(({ bytes }) => bytes)).toHaveLength(3);
      expect(scene.stage.items.at(-1)).toMatchObject({ connection: scene.alice.connection, bytes: two });
      expect(dropped()).toEqual([]);
    });

    test("may be sent again, and break nothing where they come twice or too late", () => {
      const { scene, older, before, newer, after, send, zero, one, two, dropped } = moved();
      send(newer, after, zero);
      send(newer, after, one);
      send(older, before, one);
      send(newer, after, two);
      expect(scene.stage.items).toHaveLength(3);
      expect(dropped()).toEqual([]);
      send(older, before, scene.receipt(1, { index: 7, previous: receiptDigest(one) }));
      const last = scene.receipt(1, { index: 3, previous: receiptDigest(two), final: true });
      send(newer, after, last);
      send(newer, after, last);
      expect(scene.stage.items).toHaveLength(4);
      expect(dropped(), "what follows nothing").toHaveLength(1);
    });

    test("of two moves ago are nobody's, and nothing is left of any after the session", () => {
      const { scene, older, before, newer, send, one, dropped } = moved();
      const third = bobAgain(scene);
      third.openMedia(scene.sessionId, 3);
      send(older, before, one);
      expect(dropped()).toMatchObject([{ fields: { code: "unknown-flow" } }]);
      newer.drop();
      scene.alice.hangUp(scene.sessionId);
      scene.stage.advance(20_000);
      expect(scene.stage.sizes.sessions).toMatchObject({ routes: 0, flows: 0 });
    });
  });

  test("what is said to that end goes to its new flows", () => {
    const scene = tlsScene();
    const media = bobAgain(scene);
    const { result } = media.openMedia(scene.sessionId).last;
    const flow = Number(scene.stream(0, "send").checkpoint_flow);
    const bytes = scene.finalCheckpoint(0);
    scene.stage.handle({ kind: "item", connection: scene.alice.connection, flow, bytes });
    expect(scene.stage.items.at(-1)).toMatchObject({
      connection: media.connection,
      flow: receives(result).checkpoint_flow,
    });
  });

  test("any carrier may use it: a leg moves from one connection to another", () => {
    const scene = new CallScene();
    const other = new SignalingPeer(scene.stage, ALICE);
    expect(other.openMedia(scene.sessionId).outcome).toBe("ok 200");
    expect(rowOf(scene, 0)).toMatchObject({ connection: other.connection });
    expect(scene.stage.closes, "the older one has other uses").toEqual([]);
    const { connection } = scene.alice;
    expect(scene.stage.finishes, "and none of this one's streams stays open on it").toEqual([
      { kind: "finish", connection, flow: scene.stream(0, "send").receipt_flow },
      { kind: "finish", connection, flow: scene.stream(0, "receive").checkpoint_flow },
    ]);
    scene.alice.drop();
    expect(scene.bobInbox.events).not.toContain("session-ended");
    other.drop(true);
    expect(scene.bobInbox.event("session-ended")).toMatchObject({ reason: "transport-closed" });
  });

  test("attach_seq must rise: the highest wins and closes the older connection", () => {
    const scene = tlsScene();
    const [first, second, third] = [bobAgain(scene), bobAgain(scene), bobAgain(scene)];
    expect(first.openMedia(scene.sessionId, 3).outcome).toBe("ok 200");
    for (const lower of [3, 2, 1]) {
      expect(third.openMedia(scene.sessionId, lower).last).toMatchObject({
        status: 409,
        error: { code: "attach-outdated", details: { attach_seq: 3 } },
      });
    }
    expect(scene.stage.closes).toEqual([]);
    expect(second.openMedia(scene.sessionId, 4).outcome).toBe("ok 200");
    expect(scene.stage.closes).toMatchObject([{ connection: first.connection, code: 5, reason: "replaced" }]);
    first.drop();
    scene.stage.advance(ATTACH_GRACE);
    expect(scene.aliceInbox.events, "the older one is not missed").not.toContain("session-ended");
  });

  test.each([0, -1, 1.5, "1", undefined])("attach_seq %j is refused by name", (attach_seq) => {
    const scene = tlsScene();
    const parameters = (attach_seq === undefined ? {} : { attach_seq }) as JsonObject;
    const asked = bobAgain(scene).ask("OPEN", `/sessions/${scene.sessionId}/media`, parameters);
    expect(asked.last).toMatchObject({ status: 422, error: { details: { at: "parameters.attach_seq" } } });
    expect(moves(scene)).toEqual([]);
  });
});

describe("OPEN is refused", () => {
  test("without a proof, or with one for another connection", () => {
    const scene = tlsScene();
    const media = bobAgain(scene);
    expect(media.openMedia(scene.sessionId, 1, { proof: false }).outcome).toBe("proof-required");
    const elsewhere = bobAgain(scene);
    const path = `/sessions/${scene.sessionId}/media`;
    const rawProof = elsewhere.proof("OPEN", path, { attach_seq: 1 });
    expect(media.openMedia(scene.sessionId, 1, { rawProof, documents: false }).last).toMatchObject({
      error: { code: "proof-invalid", details: { at: "proof.cb" } },
    });
  });

  test("to who takes no part, and on a connection that speaks for another agent", () => {
    const scene = tlsScene();
    const carol = overTls(scene.stage, CAROL);
    expect(carol.openMedia(scene.sessionId).last).toMatchObject({
      status: 401,
      error: { code: "session-identity-mismatch" },
    });
    const bobThere = new SignalingPeer(scene.stage, BOB, carol);
    expect(bobThere.openMedia(scene.sessionId).outcome).toBe("agent-mismatch");
    expect(moves(scene)).toEqual([]);
    expect(scene.stage.mediaConnections).toEqual([]);
  });

  test("for a session that is unknown, ending, or over", () => {
    const scene = tlsScene();
    expect(bobAgain(scene).openMedia("sess-unknown").outcome).toBe("session-not-found");
    scene.alice.hangUp(scene.sessionId, scene.closing(0));
    expect(bobAgain(scene).openMedia(scene.sessionId).outcome, "its last words are awaited").toBe(
      "session-terminated",
    );
    scene.stage.advance(60_000);
    expect(bobAgain(scene).openMedia(scene.sessionId).outcome).toBe("session-terminated");
    expect(moves(scene)).toEqual([]);
  });
});

describe("an end over TLS", () => {
  test("that opens a connection for each request, and none for media, is there while it asks", () => {
    const scene = tlsScene();
    scene.bobConfirming.drop(true);
    for (let asked = 0; asked < 3; asked += 1) {
      scene.stage.advance(IDLE_LIMIT - 1_000);
      expect(scene.aliceInbox.events).not.toContain("session-ended");
      const one = bobAgain(scene);
      expect(one.ask("QUERY", `/sessions/${scene.sessionId}`, {}, { proof: true }).last.result).toMatchObject(
        {
          state: "active",
          participants: [{ attached: true }, { attached: false }],
        },
      );
      one.drop(true);
    }
    const last = bobAgain(scene);
    const parameters = { reason: "hangup", closing: last.closing(scene.sessionId, scene.core.digest, 1) };
    const over = last.ask("TERMINATE", `/sessions/${scene.sessionId}`, parameters, { proof: true });
    expect(over.last.result, "nobody waits for statements of media it never had").toMatchObject({
      state: "terminated",
      reason: "hangup",
    });
    expect(scene.aliceInbox.event("session-ended")).toMatchObject({ by: BOB.genesis.agentId });
  });

  test("that never opens media and asks nothing for 60 s is gone", () => {
    const scene = tlsScene();
    scene.bobConfirming.drop(true);
    // Its peer is there all the time.
    for (let second = 0; second < 59; second += 1) {
      scene.stage.advance(1_000);
      scene.alice.query(scene.sessionId);
    }
    expect(scene.aliceInbox.events).not.toContain("session-ended");
    scene.stage.advance(1_000);
    expect(scene.aliceInbox.event("session-ended")).toMatchObject({
      reason: "transport-closed",
      by: "server",
    });
  });

  test("whose media connection is lost has 10 s to open another", () => {
    const scene = tlsScene();
    const first = bobAgain(scene);
    first.openMedia(scene.sessionId, 1);
    first.drop();
    expect(rowOf(scene, 0)?.egress, "meanwhile it hears nothing").toEqual([]);
    expect(scene.alice.query(scene.sessionId).last.result).toMatchObject({
      state: "active",
      participants: [{ attached: true }, { attached: false }],
    });
    scene.stage.advance(ATTACH_GRACE - 1);
    const second = bobAgain(scene);
    const { result } = second.openMedia(scene.sessionId, 2).last;
    expect(rowOf(scene, 0)?.egress).toEqual([{ connection: second.connection, flow: receives(result).flow }]);
    scene.stage.advance(ATTACH_GRACE);
    expect(scene.aliceInbox.events).not.toContain("session-ended");
    second.drop();
    bobAgain(scene).ask("QUERY", `/sessions/${scene.sessionId}`, {}, { proof: true });
    scene.stage.advance(ATTACH_GRACE - 1);
    expect(scene.aliceInbox.events).not.toContain("session-ended");
    scene.stage.advance(1);
    expect(scene.aliceInbox.event("session-ended")).toMatchObject({ reason: "transport-closed" });
    expect(bobAgain(scene).openMedia(scene.sessionId, 3).outcome).toBe("session-terminated");
  });

  test.each([30_000, -3_600_000])("has its 10 s though the wall clock is set by %i ms meanwhile", (by) => {
    const scene = tlsScene();
    const media = bobAgain(scene);
    media.openMedia(scene.sessionId, 1);
    media.drop();
    scene.stage.now += by;
    scene.stage.handle({ kind: "stepped", by });
    scene.stage.advance(ATTACH_GRACE - 1);
    expect(scene.aliceInbox.events).not.toContain("session-ended");
    scene.stage.advance(1);
    expect(scene.aliceInbox.event("session-ended")).toMatchObject({ reason: "transport-closed" });
  });

  test("an interrupt while the speaker is away holds when it is back", () => {
    const scene = tlsScene();
    const first = bobAgain(scene);
    first.openMedia(scene.sessionId, 1);
    first.drop();
    scene.interrupt(0, 1);
    bobAgain(scene).openMedia(scene.sessionId, 2);
    expect(moves(scene).findLast(({ row }) => row.leg === 1)).toMatchObject({ epoch: 1 });
  });

  test("its connection for media is closed when the session is over", () => {
    const scene = tlsScene();
    const media = bobAgain(scene);
    media.openMedia(scene.sessionId);
    scene.alice.hangUp(scene.sessionId);
    expect(scene.stage.closes).toEqual([]);
    scene.stage.advance(10_000);
    expect(scene.finalRecord()).toMatchObject({ extra: { reason: "hangup" } });
    expect(scene.stage.closes).toMatchObject([
      { connection: media.connection, code: 0, reason: "session-over" },
    ]);
  });

  test("asks again for the session it established, on another connection", () => {
    const scene = tlsScene();
    const event = scene.bobInbox.event("offer");
    const answer = scene.bobAnswer;
    expect(bobAgain(scene).accept(event, { answer }).last.result).toMatchObject({
      session_id: scene.sessionId,
    });
    bobAgain(scene).openMedia(scene.sessionId);
    expect(bobAgain(scene).accept(event, { answer }).outcome, "its media is elsewhere").toBe("offer-dead");
  });
});

describe("a persistent session", () => {
  const persistent = { offer: { session: { model: "persistent", ttl: 600 } } } as const;

  test("is held when media is lost, and goes on when both ends have media again", () => {
    const scene = new CallScene(persistent);
    scene.bob.drop();
    scene.alice.drop();
    const alice = new SignalingPeer(scene.stage, ALICE);
    expect(alice.openMedia(scene.sessionId).last.result).toMatchObject({ state: "detached" });
    const states = () =>
      scene.stage.admissions.flatMap((message) => (message.kind === "state" ? [message.state] : []));
    expect(states()).toEqual(["held"]);
    const bob = new SignalingPeer(scene.stage, BOB);
    expect(bob.openMedia(scene.sessionId).last.result).toMatchObject({ state: "active" });
    expect(states()).toEqual(["held", "active"]);
    expect(rowOf(scene, 0)).toMatchObject({
      connection: alice.connection,
      egress: [{ connection: bob.connection }],
    });
  });
});
