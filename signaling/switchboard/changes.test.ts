import { describe, expect, it } from "vitest";
import { encodeHex } from "../../codecs/hex.ts";
import { receiptDigest } from "../../codecs/receipt.ts";
import { CHANGE_ID, Changing } from "../../test/scenario/changing-call.ts";
import { ALICE, BOB, ZERO_DIGEST } from "../../test/signed-call.ts";
import { makeNarrowing } from "../narrowing.ts";
import { termsChangeDigest } from "../terms-change.ts";
import { LAST_WORDS_ROOM, StatementRoom } from "./statement-room.ts";

const ID = `${CHANGE_ID}1`;

describe("a change of the terms", () => {
  it("is in force with the acceptance, once, with both objects kept and named by one record", () => {
    const scene = new Changing();
    const change = scene.change(0);
    const asked = scene.adjust(0, change);
    expect(scene.bobInbox.event("change-asked")).toMatchObject({ change, change_id: ID, leg: 0, number: 2 });
    const accepted = scene.accept(1, ID, scene.acceptance(1, change));
    scene.stage.advance(1_000);
    expect([asked.outcome, accepted.outcome]).toEqual(["ok 200", "ok 200"]);
    expect(scene.terms).toMatchObject({ number: 2, settings: [{ leg: 0, bitrate_bps: 16_000 }] });
    for (const inbox of [scene.aliceInbox, scene.bobInbox])
      expect(inbox.event("terms-changed")).toMatchObject({ number: 2, leg: 0, change: { change } });
    const [record, more] = scene.recorded("terms-changed");
    expect([record?.extra?.terms_change, more]).toEqual([termsChangeDigest(change), undefined]);
    expect(scene.recorded("change-accepted")[0]?.extra?.accepted_change).toBe(termsChangeDigest(change));
    const kinds = scene.stage.artifacts(scene.sessionId).map(({ artifact, leg }) => `${artifact} ${leg}`);
    expect(kinds.filter((kind) => kind.startsWith("terms-"))).toEqual([
      "terms-change 0",
      "terms-acceptance 1",
    ]);
    scene.stage.checkChain();
  });

  it("sent again waits with the first, or is answered as it was; replayed later it is outdated", () => {
    const scene = new Changing();
    const change = scene.change(0);
    const [first, again] = [scene.adjust(0, change), scene.adjust(0, change)];
    const acceptance = scene.acceptance(1, change);
    scene.accept(1, ID, acceptance);
    scene.stage.advance(1_000);
    expect([first.outcome, again.outcome]).toEqual(["ok 200", "ok 200"]);
    expect([scene.adjust(0, change).outcome, scene.accept(1, ID, acceptance).outcome]).toEqual([
      "ok 200",
      "ok 200",
    ]);
    const next = scene.change(1, { number: 3 });
    scene.adjust(1, next);
    scene.accept(0, `${CHANGE_ID}2`, scene.acceptance(0, next));
    scene.stage.advance(1_000);
    expect(scene.adjust(0, change).outcome).toBe("terms-outdated");
    expect(scene.accept(1, ID, acceptance).outcome).toBe("target-not-found");
    expect(scene.terms).toMatchObject({ number: 3 });
    expect(scene.recorded("terms-changed")).toHaveLength(2);
  });

  it.each<[string, (scene: Changing) => string, string]>([
    ["signed by the other end", (scene) => scene.change(0, {}, BOB), "signature-invalid"],
    ["in the other end's name", (scene) => scene.change(1, {}, ALICE), "field-invalid"],
    ["for another session", (scene) => scene.change(0, { session_digest: ZERO_DIGEST }), "field-invalid"],
    ["of terms to come", (scene) => scene.change(0, { number: 4 }), "terms-outdated"],
    ["of long ago", (scene) => scene.change(0, { iat: scene.stage.now / 1000 - 41 }), "change-unanswered"],
    ["altered", (scene) => `${scene.change(0).slice(0, -4)}AAAA`, "signature-invalid"],
  ])("%s is refused, and the other end is not asked", (_name, make, code) => {
    const scene = new Changing();
    expect(scene.adjust(0, make(scene)).outcome).toBe(code);
    expect(scene.bobInbox.events).not.toContain("change-asked");
  });

  it.each<[string, 0 | 1, (scene: Changing, change: string) => string, string]>([
    ["by who asked", 0, (scene, change) => scene.acceptance(0, change), "target-not-found"],
    [
      "by who asked in the other's name",
      0,
      (scene, change) => scene.acceptance(1, change, {}, ALICE),
      "target-not-found",
    ],
    [
      "signed by who asked",
      1,
      (scene, change) => scene.acceptance(1, change, {}, ALICE),
      "signature-invalid",
    ],
    ["of another change", 1, (scene) => scene.acceptance(1, scene.change(0)), "field-invalid"],
    [
      "when it is off",
      1,
      (scene, change) => scene.acceptance(1, change, { iat: scene.stage.now / 1000 + 41 }),
      "change-unanswered",
    ],
    [
      "of another session",
      1,
      (scene, change) => scene.acceptance(1, change, { session_digest: ZERO_DIGEST }),
      "field-invalid",
    ],
  ])("is not accepted %s", (_name, leg, make, code) => {
    const scene = new Changing();
    const change = scene.change(0);
    scene.adjust(0, change);
    expect(scene.accept(leg, ID, make(scene, change)).outcome).toBe(code);
    expect(scene.terms).toMatchObject({ number: 1 });
    expect(scene.recorded("terms-changed")).toEqual([]);
    scene.stage.checkChain();
  });

  it("is off when it is rejected, not answered in 5 s, overtaken by other terms, or the session ends", () => {
    const scene = new Changing();
    const rejected = scene.adjust(0, scene.change(0));
    expect(scene.confirm(1, ID, { status: "rejected", explanation: "no" }).outcome).toBe("ok 200");
    expect(rejected.last.error).toMatchObject({ code: "change-rejected", reason: "no" });
    const unanswered = scene.adjust(0, scene.change(0));
    expect(scene.adjust(0, scene.change(0)).outcome).toBe("change-pending");
    scene.stage.advance(5_000);
    expect(unanswered.outcome).toBe("change-unanswered");
    const late = scene.change(0);
    expect(scene.accept(1, `${CHANGE_ID}2`, scene.acceptance(1, late)).outcome).toBe("target-not-found");
    const overtaken = scene.adjust(0, late);
    const narrowing = makeNarrowing(
      {
        v: 1,
        session_id: scene.sessionId,
        session_digest: encodeHex(scene.core.digest),
        leg: 1,
        number: 2,
        scope: [],
        last_audit_id: ZERO_DIGEST,
        iat: Math.floor(scene.stage.now / 1000),
      },
      BOB.identity,
    );
    scene.bob.ask("ADJUST", `/sessions/${scene.sessionId}`, { narrowing });
    expect(overtaken.last.error).toMatchObject({ code: "terms-outdated", details: { number: 2 } });
    const cut = scene.adjust(0, scene.change(0, { number: 3 }));
    scene.bob.hangUp(scene.sessionId);
    expect(cut.outcome).toBe("session-terminated");
    scene.stage.checkChain();
  });

  it("is asked for anew with 5 s of its own, whatever became of the one before", () => {
    const scene = new Changing();
    scene.adjust(0, scene.change(0));
    scene.stage.advance(3_000);
    scene.confirm(1, ID, { status: "rejected" });
    const change = scene.change(0);
    const asked = scene.adjust(0, change);
    scene.stage.advance(3_000);
    scene.accept(1, `${CHANGE_ID}2`, scene.acceptance(1, change));
    scene.stage.advance(1_000);
    expect(asked.outcome).toBe("ok 200");
  });

  it("is charged to who asked, with its acceptance, and refused where that end has no room for both", () => {
    const scene = new Changing();
    const { stage } = scene;
    const flow = Number(scene.stream(0, "receive").receipt_flow);
    const room = new StatementRoom(1, 0, stage.now);
    const left = () => room.left(stage.now) - LAST_WORDS_ROOM;
    let previous: Uint8Array = new Uint8Array(32);
    let index = 0;
    const receipt = (count: number) => {
      const ranges = Array.from({ length: count }, (_, at) => ({ first: 2 * at, last: 2 * at }));
      return scene.receipt(0, { index, previous, received: ranges, heard: ranges });
    };
    const send = (bytes: Uint8Array) => {
      stage.handle({ kind: "item", connection: scene.alice.connection, flow, bytes });
      previous = receiptDigest(bytes);
      room.take(bytes.length);
      index += 1;
      stage.now += 60;
    };
    const empty = receipt(0).length;
    const each = receipt(1).length - empty;
    while (left() > 12_000 && index < 4_000) send(receipt(256));
    // One that leaves room for either of the two, and not for both.
    for (let few = 0; left() > 1_300 && few < 4; few += 1)
      send(receipt(Math.max(0, Math.min(256, Math.floor((left() - empty - 700) / each)))));
    const theirs = scene.change(1);
    expect(theirs.length).toBeLessThan(left());
    scene.adjust(1, theirs);
    const taken = scene.acceptance(0, theirs);
    expect(theirs.length + taken.length).toBeGreaterThan(left());
    expect(scene.accept(0, ID, taken).outcome).toBe("ok 200");
    const own = scene.change(0, { number: 3 });
    const acceptance = scene.acceptance(1, own);
    expect(own.length).toBeLessThan(left());
    expect(own.length + acceptance.length).toBeGreaterThan(left());
    scene.adjust(0, own);
    expect(scene.accept(1, `${CHANGE_ID}2`, acceptance).outcome).toBe("capacity");
  });

  it("asked for by an end that is gone by then comes about all the same, and is on record", () => {
    const scene = new Changing();
    const change = scene.change(0);
    scene.adjust(0, change);
    const acceptance = scene.acceptance(1, change);
    const accepted = scene.accept(1, ID, acceptance);
    scene.alice.drop();
    scene.stage.advance(1_000);
    expect(accepted.outcome).toBe("ok 200");
    expect(scene.recorded("terms-changed")[0]?.extra?.terms_change).toBe(termsChangeDigest(change));
    scene.stage.checkChain();
  });
});
