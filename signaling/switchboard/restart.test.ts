/** Persistent sessions over a restart of the server, at the switchboard: what goes on, and as what. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { JsonObject } from "../../codecs/canonical-json.ts";
import { checkpointDigest, encodeCheckpoint } from "../../codecs/checkpoint.ts";
import { encodeHex } from "../../codecs/hex.ts";
import { openLmdbLog } from "../../store/lmdb-log.ts";
import { seedSigner, strictVerifier } from "../../test/keys.ts";
import { restarted } from "../../test/scenario/restarted.ts";
import { CallScene, type SceneOptions } from "../../test/scenario/signaling-call.ts";
import { type Answers, SignalingPeer } from "../../test/scenario/signaling-peer.ts";
import type { Stage } from "../../test/scenario/signaling-stage.ts";
import { ALICE, BOB, mediaKey, must, testAgent } from "../../test/signed-call.ts";
import { readRecord } from "../attribution.ts";
import { makeNarrowing } from "../narrowing.ts";
import { readOffer } from "../offer.ts";
import { verifySessionChain } from "../record-chain.ts";
import type { LogEntry } from "../record-log.ts";
import { DEFAULT_LIMITS } from "./config.ts";
import { CLOSING_WINDOW } from "./endings.ts";

const DETACHED = DEFAULT_LIMITS.detachedSeconds * 1000;
const persistent: SceneOptions = { offer: { session: { model: "persistent", ttl: 3_600 } } };

/** A call that was up when the server was killed, and the server that follows. */
async function afterRestart(scene: CallScene, options: Parameters<typeof restarted>[1] = {}) {
  const stage = await restarted(scene.stage, { downtime: 1_000, ...options });
  return { stage, ...ends(stage) };
}

function ends(stage: Stage) {
  const [alice, bob] = [new SignalingPeer(stage, ALICE), new SignalingPeer(stage, BOB)];
  return { alice, bob, aliceInbox: alice.subscribe(), bobInbox: bob.subscribe() };
}

function recordsOf(stage: Stage, sessionId: string) {
  const { publicKey } = stage.server.identity;
  const jws = stage.sessionRecords(sessionId);
  must(verifySessionChain(jws, { publicKey, sessionId }, strictVerifier));
  stage.checkChain();
  return jws.map((each) => must(readRecord(each)));
}

function lastOf(stage: Stage, sessionId: string) {
  const { event, extra } = recordsOf(stage, sessionId).at(-1) ?? {};
  return { event, extra };
}

/** OPEN of a session's media, with more than the number of the attachment. */
function open(peer: SignalingPeer, scene: CallScene, parameters: JsonObject): Answers {
  return peer.ask("OPEN", `/sessions/${scene.sessionId}/media`, parameters);
}

function greeted(inbox: Answers): JsonObject[] {
  return inbox.event("subscribed").sessions as JsonObject[];
}

/** The caller's checkpoint of nothing: the first of its voice unless told otherwise. */
function checkpoint(
  scene: CallScene,
  changes: { index?: number; previous?: Uint8Array; first?: number } = {},
) {
  const { index = 0, previous = new Uint8Array(32), first = 500 } = changes;
  return encodeCheckpoint(
    {
      ...{
        sessionDigest: scene.core.digest,
        leg: 0,
        stream: 0,
        keyGeneration: 0,
        final: false,
        index,
        previous,
      },
      ...{ firstSequence: first, digests: [new Uint8Array(16), new Uint8Array(16)], epoch: 0 },
      ...{ firstCapture: { seconds: 1, fraction: 0 }, lastCapture: { seconds: 2, fraction: 0 } },
      totalFrames: 2 * (index + 1),
    },
    ALICE.media,
  );
}

function sendCheckpoint(scene: CallScene, bytes: Uint8Array): void {
  const flow = Number(scene.stream(0, "send").checkpoint_flow);
  scene.stage.handle({ kind: "item", connection: scene.alice.connection, flow, bytes });
}

describe("a persistent call over a restart", () => {
  test("stands still until both ends are back, and then goes on", async () => {
    const scene = new CallScene(persistent);
    const { sessionId } = scene;
    const { stage, alice, bob, aliceInbox, bobInbox } = await afterRestart(scene);
    expect(lastOf(stage, sessionId)).toEqual({
      event: "session-restored",
      extra: { reason: "server-restarted", state: "detached" },
    });
    for (const inbox of [aliceInbox, bobInbox]) {
      expect(greeted(inbox)).toMatchObject([{ session_id: sessionId, state: "detached", attached: false }]);
      expect(inbox.event("peer-detached")).toMatchObject({ reason: "server-restarted", state: "detached" });
    }
    expect(alice.openMedia(sessionId).last.result).toMatchObject({ state: "detached", attach_seq: 1 });
    const opened = bob.openMedia(sessionId).last.result;
    expect(opened).toMatchObject({ state: "active", attach_seq: 1 });
    expect(aliceInbox.event("peer-attached")).toMatchObject({ state: "active" });
    expect(stage.admissions.findLast(({ kind }) => kind === "state")).toMatchObject({ state: "active" });
    scene.stage.now = stage.now;
    const bye = bob.hangUp(sessionId, scene.closing(1));
    alice.lastWord(sessionId, scene.closing(0));
    stage.advance(CLOSING_WINDOW);
    expect(bye.outcome).toBe("ok 200");
    expect(lastOf(stage, sessionId)).toMatchObject({
      event: "session-terminated",
      extra: { reason: "hangup" },
    });
  });

  test("lets no frame in that may have been let in before: the relay is told when this process began", async () => {
    const scene = new CallScene(persistent);
    const { stage } = await afterRestart(scene);
    const rows = stage.admissions.flatMap((message) => (message.kind === "install" ? [message.row] : []));
    expect(rows).toHaveLength(2);
    for (const row of rows) expect(row).toMatchObject({ resumedAt: stage.now, egress: [] });
    expect(stage.admissions.findLast(({ kind }) => kind === "state")).toMatchObject({ state: "held" });
  });

  test("goes on with the chains of statements, and with sequence numbers behind those that they speak of", async () => {
    const scene = new CallScene(persistent);
    const first = checkpoint(scene);
    const second = checkpoint(scene, { index: 1, previous: checkpointDigest(first), first: 502 });
    sendCheckpoint(scene, first);
    sendCheckpoint(scene, second);
    const { stage, alice, bob } = await afterRestart(scene);
    const { result } = alice.openMedia(scene.sessionId).last;
    const said = { next_index: 2, previous: encodeHex(checkpointDigest(second)), state: "open" };
    expect(result.statements).toContainEqual({ kind: "checkpoint", stream: 0, leg: 0, ...said });
    const sent = (result.streams as JsonObject[]).find(({ direction }) => direction === "send");
    expect(sent).toMatchObject({ next_sequence: 504, epoch: 0 });
    // What was on its way when the server died comes again, and what comes next follows it.
    bob.openMedia(scene.sessionId);
    const flow = Number(sent?.checkpoint_flow);
    const third = checkpoint(scene, { index: 2, previous: checkpointDigest(second), first: 504 });
    for (const bytes of [second, third]) {
      stage.handle({ kind: "item", connection: alice.connection, flow, bytes });
    }
    const kept = stage.artifacts(scene.sessionId).filter(({ artifact }) => artifact === "checkpoint");
    expect(kept.map(({ bytes }) => encodeHex(checkpointDigest(bytes)))).toEqual(
      [first, second, third].map((bytes) => encodeHex(checkpointDigest(bytes))),
    );
    expect(kept.map(({ index }) => index)).toEqual([...new Set(kept.map(({ index }) => index))]);
  });

  test("keeps what was interrupted and given up, and the numbers of attachments", async () => {
    const scene = new CallScene(persistent);
    scene.interrupt(1, 1);
    scene.interrupt(1, 2);
    const scope = ["communication:audio:capture"];
    const narrowing = makeNarrowing(
      {
        ...{
          v: 1,
          session_id: scene.sessionId,
          session_digest: encodeHex(scene.core.digest),
          leg: 1,
          number: 2,
        },
        ...{ scope, last_audit_id: "0".repeat(64), iat: Math.floor(scene.stage.now / 1000) },
      },
      BOB.identity,
    );
    const path = `/sessions/${scene.sessionId}`;
    expect(scene.bob.ask("ADJUST", path, { narrowing }, { proof: false }).outcome).toBe("ok 200");
    const moved = new SignalingPeer(scene.stage, ALICE);
    moved.openMedia(scene.sessionId, 7);
    const { stage, alice, bob } = await afterRestart(scene);
    expect(alice.openMedia(scene.sessionId, 7).last.error).toMatchObject({ details: { attach_seq: 7 } });
    const { result } = open(alice, scene, { attach_seq: 8, take_up: true }).last;
    expect(result.streams).toContainEqual(expect.objectContaining({ leg: 0, epoch: 2 }));
    expect(result.agreement).toMatchObject({ narrowings: [narrowing], terms: { number: 2 } });
    bob.openMedia(scene.sessionId);
    const row = stage.admissions.findLast((message) => message.kind === "move" && message.row.leg === 1);
    expect(row).toMatchObject({ row: { transmitAllowed: false, termsNumber: 2 } });
    const refused = bob.ask("ADJUST", path, { narrowing }, { proof: false });
    expect(refused.last.error).toMatchObject({ code: "terms-outdated" });
  });

  test("holds frames and statements to the media key that was changed last", async () => {
    const scene = new CallScene(persistent);
    const next = seedSigner(0x51);
    const offerId = must(readOffer(String(scene.bobInbox.event("offer").offer))).offer_id;
    const key = mediaKey(ALICE, { offerId, ed25519: next.publicKey, generation: 1 });
    const other = new SignalingPeer(scene.stage, ALICE);
    expect(open(other, scene, { attach_seq: 1, media_key: key }).outcome).toBe("ok 200");
    const { stage, alice } = await afterRestart(scene);
    const { result } = open(alice, scene, { attach_seq: 2, take_up: true }).last;
    expect(result).toMatchObject({
      generation: 1,
      agreement: { media_keys: { "0": [expect.anything(), key] } },
    });
    const least = 65_536;
    expect(result.streams).toContainEqual(
      expect.objectContaining({ direction: "send", next_sequence: least }),
    );
    const row = stage.admissions.findLast((message) => message.kind === "move" && message.row.leg === 0);
    expect(row).toMatchObject({ row: { leastSequence: least } });
    expect(row?.kind === "move" ? [...row.row.keys.keys()] : []).toEqual([0, 1]);
  });

  test("lets a new key begin behind everything, though nobody stated anything before", async () => {
    const scene = new CallScene(persistent);
    const { alice } = await afterRestart(scene);
    const offerId = must(readOffer(String(scene.bobInbox.event("offer").offer))).offer_id;
    const key = mediaKey(ALICE, { offerId, ed25519: seedSigner(0x51).publicKey, generation: 1 });
    const { result } = open(alice, scene, { attach_seq: 1, media_key: key }).last;
    const sent = (result.streams as JsonObject[]).find(({ direction }) => direction === "send");
    expect(sent).toMatchObject({ next_sequence: 2 ** 32 + 65_536 });
  });

  test("may be taken over by restart after restart", async () => {
    const scene = new CallScene(persistent);
    sendCheckpoint(scene, checkpoint(scene));
    let stage = scene.stage;
    for (let round = 0; round < 3; round += 1) stage = await restarted(stage, { downtime: 10_000 });
    const { alice, bob } = ends(stage);
    expect(alice.openMedia(scene.sessionId).last.result.statements).toContainEqual(
      expect.objectContaining({ kind: "checkpoint", leg: 0, next_index: 1 }),
    );
    expect(bob.openMedia(scene.sessionId).last.result).toMatchObject({ state: "active" });
    const events = recordsOf(stage, scene.sessionId).map(({ event }) => event);
    expect(events.filter((event) => event === "session-restored")).toHaveLength(3);
  });

  test("is not offered anew when the caller did not hear the answer", async () => {
    const scene = new CallScene(persistent);
    const { alice, bobInbox } = await afterRestart(scene);
    const again = alice.call(BOB, { offer: String(scene.bobInbox.event("offer").offer) });
    expect(again.outcome).toBe("session-state-conflict");
    expect(bobInbox.events).not.toContain("offer");
  });
});

test("what a log on disk gives back is what one in memory does", async () => {
  const folder = mkdtempSync(join(tmpdir(), "parley-restart-"));
  try {
    const scene = new CallScene(persistent);
    const first = checkpoint(scene);
    sendCheckpoint(scene, first);
    sendCheckpoint(scene, checkpoint(scene, { index: 1, previous: checkpointDigest(first), first: 502 }));
    scene.interrupt(1, 1);
    scene.alice.ask("SUSPEND", `/sessions/${scene.sessionId}`, { checkpoint: [1] }, { proof: false });
    const log = await openLmdbLog(folder);
    const [onDisk, inMemory] = [await restarted(scene.stage, { through: log }), await restarted(scene.stage)];
    await log.close();
    expect(onDisk.sizes.sessions).toMatchObject({ live: 1, routes: 4 });
    expect(onDisk.admissions).toEqual(inMemory.admissions);
    const kept = (stage: Stage) =>
      stage.log.slice(scene.stage.log.length).filter(({ kind }) => kind !== "record");
    expect(kept(onDisk)).toEqual(kept(inMemory));
  } finally {
    rmSync(folder, { recursive: true });
  }
});

describe("nobody waits for ever after a restart", () => {
  test("an end that does not come back in time ends the session, counted from the restart", async () => {
    const scene = new CallScene(persistent);
    const { stage, alice } = await afterRestart(scene, { downtime: DETACHED / 2 });
    alice.openMedia(scene.sessionId);
    stage.advance(DETACHED - 1);
    expect(alice.query(scene.sessionId).last.result).toMatchObject({ state: "detached" });
    stage.advance(CLOSING_WINDOW + 1);
    expect(lastOf(stage, scene.sessionId)).toMatchObject({ extra: { reason: "detach-expired" } });
    expect(stage.sizes).toMatchObject({ sessions: { live: 0, routes: 0, flows: 0 } });
  });

  test("a lifetime that ran out meanwhile ran out", async () => {
    const scene = new CallScene(persistent);
    const { stage } = await afterRestart(scene, { downtime: 3_700_000 });
    stage.advance(CLOSING_WINDOW);
    expect(lastOf(stage, scene.sessionId)).toMatchObject({
      event: "session-expired",
      extra: { reason: "ttl-expired" },
    });
  });

  test("nor on an agent that was stopped meanwhile", async () => {
    const scene = new CallScene(persistent);
    const change: LogEntry = {
      ...{ kind: "agent", agentId: BOB.genesis.agentId, genesis: BOB.genesis.bytes },
      identityDocument: testAgent("bob", 2, { document: { status: "retired", updatedAt: scene.stage.now } })
        .document.bytes,
    };
    scene.stage.log.push(change);
    const stage = await restarted(scene.stage);
    stage.advance(CLOSING_WINDOW);
    expect(lastOf(stage, scene.sessionId)).toMatchObject({ extra: { reason: "identity-revoked" } });
  });

  test("a bounded call ends, and one of which too little is left too, with a reason", async () => {
    const bounded = new CallScene();
    const { stage } = await afterRestart(bounded);
    expect(lastOf(stage, bounded.sessionId)).toMatchObject({ extra: { reason: "server-restarted" } });
    const damages: ((entry: LogEntry) => LogEntry | undefined)[] = [
      (entry) => (entry.kind === "session-state" ? undefined : entry),
      (entry) => (entry.kind === "session-state" ? { ...entry, bytes: new Uint8Array(3) } : entry),
      (entry) =>
        entry.kind === "artifact" && entry.artifact === "answer"
          ? { ...entry, bytes: new Uint8Array(9) }
          : entry,
      (entry) => (entry.kind === "artifact" && entry.artifact === "offer" ? { ...entry, leg: 1 } : entry),
      ({ ...entry }) => {
        if (entry.kind === "artifact") Reflect.deleteProperty(entry, "landmark");
        return entry;
      },
    ];
    for (const [at, damage] of damages.entries()) {
      const scene = new CallScene(persistent);
      scene.stage.log.splice(
        0,
        Number.POSITIVE_INFINITY,
        ...scene.stage.log.flatMap((entry) => damage(entry) ?? []),
      );
      const after = await restarted(scene.stage);
      expect(lastOf(after, scene.sessionId), `damage ${at}`).toMatchObject({
        event: "session-terminated",
        extra: { reason: "server-restarted" },
      });
      expect(after.sizes.sessions.live).toBe(0);
    }
  });

  test("a server with another key does not go on with the sessions of the one before", async () => {
    const scene = new CallScene(persistent);
    const stage = await restarted(scene.stage, { server: 9 });
    expect(stage.log.findLast((entry) => entry.kind === "record")).toMatchObject({ closesSession: true });
    expect(stage.sizes.sessions.live).toBe(0);
  });

  test("an offer that rang leaves nothing behind", async () => {
    const scene = new CallScene(persistent);
    scene.alice.hangUp(scene.sessionId);
    scene.stage.advance(CLOSING_WINDOW);
    scene.alice.call(BOB);
    const { stage, aliceInbox, bobInbox } = await afterRestart(scene);
    expect(greeted(aliceInbox)).toEqual([]);
    expect(bobInbox.events).not.toContain("offer");
    expect(stage.sizes).toMatchObject({ sessions: { live: 0 }, offers: { ringing: 0 } });
  });
});

describe("a restart in the middle of", () => {
  const suspend = (peer: SignalingPeer, scene: CallScene, parameters: JsonObject = {}) =>
    peer.ask("SUSPEND", `/sessions/${scene.sessionId}`, parameters, { proof: false });
  const resume = (peer: SignalingPeer, scene: CallScene, nonce: string) =>
    peer.ask("RESUME", `/sessions/${scene.sessionId}`, { resumption_nonce: nonce });
  const nonceOf = (answers: Answers) => String(answers.last.result.resumption_nonce);

  test("a suspension leaves it suspended: the nonce opens it once, and is on no record", async () => {
    const scene = new CallScene(persistent);
    const nonce = nonceOf(suspend(scene.alice, scene, { checkpoint: { page: 7 }, ttl_seconds: 900 }));
    const { stage, alice, bob } = await afterRestart(scene);
    expect(lastOf(stage, scene.sessionId).extra).toMatchObject({ state: "suspended" });
    for (const entry of stage.log) {
      const kept = entry.kind === "record" ? JSON.stringify(must(readRecord(entry.jws))) : "";
      const bytes = "bytes" in entry ? entry.bytes : [];
      expect([kept.includes(nonce), Buffer.from(bytes).includes(nonce)]).toEqual([false, false]);
    }
    expect(alice.openMedia(scene.sessionId).last.result).toMatchObject({ state: "suspended" });
    expect(resume(bob, scene, "A".repeat(22)).outcome).toBe("nonce-invalid");
    expect(resume(bob, scene, nonce).last.result).toMatchObject({
      status: "resumed",
      checkpoint: { page: 7 },
    });
    expect(resume(bob, scene, nonce).outcome).toBe("nonce-invalid");
    const next = await restarted(stage);
    expect(resume(new SignalingPeer(next, ALICE), scene, nonce).outcome).toBe("nonce-invalid");
  });

  test("a suspension whose answer was lost gives its end another nonce, and the lost one opens nothing", async () => {
    const scene = new CallScene(persistent);
    const lost = nonceOf(suspend(scene.alice, scene, { suspension_id: "mine" }));
    const { alice, bob } = await afterRestart(scene);
    const nonce = nonceOf(suspend(alice, scene, { suspension_id: "mine" }));
    expect(nonce).not.toBe(lost);
    expect(nonceOf(suspend(alice, scene, { suspension_id: "mine" }))).toBe(nonce);
    expect(resume(bob, scene, lost).outcome).toBe("nonce-invalid");
    expect(resume(bob, scene, nonce).outcome).toBe("ok 200");
  });

  test("a suspension that nobody resumes in time expires, also when that was meanwhile", async () => {
    for (const downtime of [1_000, 700_000]) {
      const scene = new CallScene(persistent);
      suspend(scene.alice, scene, { ttl_seconds: 600 });
      const { stage } = await afterRestart(scene, { downtime });
      stage.advance(600_000 + CLOSING_WINDOW);
      expect(lastOf(stage, scene.sessionId)).toMatchObject({ extra: { reason: "resume-expired" } });
    }
  });

  test("hanging up ends it as the ends said, and takes their last words", async () => {
    const scene = new CallScene(persistent);
    scene.alice.hangUp(scene.sessionId, scene.closing(0), "enough");
    const { stage, alice, bob, bobInbox } = await afterRestart(scene);
    expect(greeted(bobInbox)).toEqual([]);
    expect(bob.openMedia(scene.sessionId).outcome).toBe("session-terminated");
    bob.lastWord(scene.sessionId, scene.closing(1));
    alice.hangUp(scene.sessionId, scene.closing(0));
    stage.advance(CLOSING_WINDOW);
    expect(lastOf(stage, scene.sessionId)).toMatchObject({
      event: "session-terminated",
      extra: { reason: "enough", by: scene.alice.id },
    });
    const closings = stage.artifacts(scene.sessionId).filter(({ artifact }) => artifact === "closing");
    expect(closings.map(({ leg }) => leg)).toEqual([0, 1]);
    expect(bob.hangUp(scene.sessionId).outcome).toBe("session-terminated");
  });

  test("both ends hanging up keeps the first one's reason, though neither comes back", async () => {
    const scene = new CallScene(persistent);
    scene.alice.hangUp(scene.sessionId, scene.closing(0), "enough");
    scene.bob.hangUp(scene.sessionId, scene.closing(1), "bye");
    const stage = await restarted(scene.stage);
    stage.advance(CLOSING_WINDOW);
    expect(lastOf(stage, scene.sessionId)).toMatchObject({ extra: { reason: "enough", by: scene.alice.id } });
  });
});
