/** What bounds a persistent session bounds it after a restart of the server too. */
import { describe, expect, test } from "vitest";
import { canonicalBytes, type JsonObject, parseCanonical } from "../../codecs/canonical-json.ts";
import { ok } from "../../codecs/result.ts";
import { seedSigner } from "../../test/keys.ts";
import { restarted } from "../../test/scenario/restarted.ts";
import { CallScene, type SceneOptions } from "../../test/scenario/signaling-call.ts";
import { SignalingPeer } from "../../test/scenario/signaling-peer.ts";
import { Stage } from "../../test/scenario/signaling-stage.ts";
import { ALICE, BOB, mediaKey, must, scopes } from "../../test/signed-call.ts";
import { readRecord } from "../attribution.ts";
import { readOffer } from "../offer.ts";
import { GENERATION_GAP } from "./attaching.ts";
import { CLOSING_WINDOW, COUNTERS_WAIT } from "./endings.ts";

const persistent: SceneOptions = { offer: { session: { model: "persistent", ttl: 3_600 } } };
const pathOf = ({ sessionId }: CallScene) => `/sessions/${sessionId}`;
const openTaking = (peer: SignalingPeer, scene: CallScene, more: JsonObject = {}) =>
  peer.ask("OPEN", `${pathOf(scene)}/media`, { attach_seq: 1, take_up: true, ...more });

function finalRecord(stage: Stage, sessionId: string) {
  stage.advance(CLOSING_WINDOW + COUNTERS_WAIT);
  return must(readRecord(stage.sessionRecords(sessionId).at(-1) as string));
}

test("the access token that an end came with", async () => {
  const stage = new Stage();
  const [alice, bob] = [new SignalingPeer(stage, ALICE), new SignalingPeer(stage, BOB)];
  const inbox = bob.subscribe();
  alice.subscribe();
  const scope = scopes("communication:*");
  const expiresAt = stage.now + 60_000;
  alice.token = ok({ issuer: "https://login.example", tokenId: "1", agentId: alice.id, scope, expiresAt });
  alice.call(BOB, { changes: { session: { model: "persistent", ttl: 3_600 } } });
  const event = inbox.event("offer");
  bob.accept(event);
  const next = await restarted(stage, { downtime: 1_000 });
  next.advance(58_000);
  const sessionId = String(event.session_id);
  expect(must(readRecord(next.sessionRecords(sessionId).at(-1) as string)).event).toBe("session-restored");
  next.advance(2_000);
  expect(finalRecord(next, sessionId)).toMatchObject({ extra: { reason: "token-expired", by: "server" } });
});

test("what a newcomer must show: who has too little trust by now does not come back", async () => {
  const scene = new CallScene(persistent);
  const stage = await restarted(scene.stage, { config: { trustFloor: "verified" } });
  const alice = new SignalingPeer(stage, ALICE);
  expect(openTaking(alice, scene).last.error).toMatchObject({
    code: "scope-violation",
    details: { at: "trust_tier", trust_floor: "verified" },
  });
  expect(stage.admissions.some((message) => message.kind === "move" && message.row.egress.length > 0)).toBe(
    false,
  );
});

describe("a suspension", () => {
  test("keeps the nonce of the end that asked for it, whatever the other one takes up", async () => {
    const scene = new CallScene(persistent);
    const suspended = scene.alice.ask("SUSPEND", pathOf(scene), {}, { proof: false });
    const nonce = String(suspended.last.result.resumption_nonce);
    const stage = await restarted(scene.stage);
    const bob = new SignalingPeer(stage, BOB);
    const { agreement } = openTaking(bob, scene).last.result as { agreement: JsonObject };
    expect(agreement.suspension).not.toHaveProperty("resumption_nonce");
    const alice = new SignalingPeer(stage, ALICE);
    expect(alice.ask("RESUME", pathOf(scene), { resumption_nonce: nonce }).outcome).toBe("ok 200");
  });

  test("counts wrong nonces on", async () => {
    const scene = new CallScene(persistent);
    scene.alice.ask("SUSPEND", pathOf(scene), {}, { proof: false });
    const guess = (stage: Stage) =>
      new SignalingPeer(stage, BOB).ask("RESUME", pathOf(scene), { resumption_nonce: "A".repeat(22) });
    expect(guess(scene.stage).outcome).toBe("nonce-invalid");
    // Kept with whatever changes next.
    openTaking(new SignalingPeer(scene.stage, BOB), scene);
    const stage = await restarted(scene.stage);
    expect(guess(stage).outcome).toBe("nonce-invalid");
    const alice = new SignalingPeer(stage, ALICE);
    alice.subscribe();
    alice.hangUp(scene.sessionId);
    expect(finalRecord(stage, scene.sessionId)).toMatchObject({ extra: { resume_nonces_refused: 2 } });
  });
});

test("sequence numbers that a listener signed for, though the speaker had not stated them yet", async () => {
  const scene = new CallScene(persistent);
  const bytes = scene.receipt(1, {
    totals: { received: 10, heard: 0, concealed: 0, late: 0, refused: 0 },
    received: [{ first: 1_000, last: 1_009 }],
  });
  const flow = Number(scene.stream(1, "receive").receipt_flow);
  scene.stage.handle({ kind: "item", connection: scene.bob.connection, flow, bytes });
  const stage = await restarted(scene.stage);
  const { offer_id: offerId } = must(readOffer(String(scene.bobInbox.event("offer").offer)));
  const key = mediaKey(ALICE, { offerId, ed25519: seedSigner(0x51).publicKey, generation: 1 });
  const { result } = openTaking(new SignalingPeer(stage, ALICE), scene, { media_key: key }).last;
  const sent = (result.streams as JsonObject[]).find(({ direction }) => direction === "send");
  expect(sent).toMatchObject({ next_sequence: 1_010 + GENERATION_GAP });
});

test("the clocks of its ends, by the media time of the process that goes on", async () => {
  const scene = new CallScene(persistent);
  const { agreement } = openTaking(new SignalingPeer(scene.stage, BOB), scene).last.result as {
    agreement: JsonObject;
  };
  const before = (agreement.clocks as JsonObject)["0"] as JsonObject;
  // That process' media time was 5 s ahead of the wall clock; here they are the same.
  for (const [at, entry] of scene.stage.log.entries()) {
    if (entry.kind !== "session-state") continue;
    const state = must(parseCanonical(entry.bytes)) as JsonObject;
    scene.stage.log[at] = { ...entry, bytes: canonicalBytes({ ...state, media_ahead: 5_000 }) };
  }
  const stage = await restarted(scene.stage);
  const after = openTaking(new SignalingPeer(stage, BOB), scene, { attach_seq: 2 }).last.result
    .agreement as JsonObject;
  expect((after.clocks as JsonObject)["0"]).toEqual({
    ...before,
    offset_ms: Number(before.offset_ms) - 5_000,
  });
});
