import { describe, expect, test } from "vitest";
import { encodeCheckpoint } from "../../codecs/checkpoint.ts";
import { receiptDigest } from "../../codecs/receipt.ts";
import { CallScene } from "../../test/scenario/signaling-call.ts";
import { ALICE, must } from "../../test/signed-call.ts";
import type { FlowCounters } from "../admission.ts";
import { readRecord } from "../attribution.ts";
import { CLOSING_WINDOW } from "./endings.ts";
import { LAST_WORDS_ROOM } from "./statement-room.ts";

function counters(admitted: number): FlowCounters {
  const flow = {
    leg: 0,
    stream: 0,
    received: admitted,
    bytes: 0,
    forwarded: admitted,
    refused: {},
    dropped: {},
  };
  return { ...flow, admitted, firstSequence: undefined, lastSequence: undefined };
}

describe("what the session tells on the way", () => {
  test("QUERY gives state, terms, participants and the relay's counters", () => {
    const scene = new CallScene();
    scene.stage.counters.set(scene.sessionId, [counters(12)]);
    expect(scene.bob.query(scene.sessionId).last.result).toMatchObject({
      state: "active",
      terms: { number: 1, profile: "frame" },
      participants: [{ leg: 0, attached: true }, { leg: 1 }],
      counters: [{ admitted: 12 }],
    });
  });

  test("refused frames: told to sender and listener with their own flows, ten a second, the rest added up", () => {
    const scene = new CallScene();
    const { stage, alice } = scene;
    const flow = Number(scene.stream(0, "send").flow);
    const report = (sequence: number) =>
      stage.handle({
        kind: "refused",
        sessionId: scene.sessionId,
        connection: alice.connection,
        flow,
        first: sequence,
        last: sequence,
        reason: "stale",
        count: 1,
      });
    for (let sequence = 1; sequence <= 30; sequence++) report(sequence);
    const seen = scene.bobInbox.all.filter((message) => message.result.event === "frames_refused");
    expect(seen).toHaveLength(10);
    stage.advance(100);
    expect(scene.bobInbox.last.result).toMatchObject({
      event: "frames_refused",
      flow: scene.stream(1, "receive").flow,
      first: 11,
      last: 30,
      count: 20,
      reason: "stale",
    });
    expect(scene.aliceInbox.event("frames_refused")).toMatchObject({ flow, count: 20 });
  });

  test("checkpoints and receipts that do not hold are neither kept nor handed on", () => {
    const flowOf = (scene: CallScene) => Number(scene.stream(0, "send").checkpoint_flow);
    const send = (scene: CallScene, bytes: Uint8Array, flow = flowOf(scene)) => {
      scene.stage.handle({ kind: "item", connection: scene.alice.connection, flow, bytes });
      return scene.stage.logs.at(-1)?.fields.code;
    };
    const good = new CallScene().finalCheckpoint(0);
    const flipped = good.slice();
    flipped[flipped.length - 1] = (flipped.at(-1) as number) ^ 1;
    expect(send(new CallScene(), flipped)).toBe("signature-invalid");
    expect(send(new CallScene(), new Uint8Array(10))).toBe("checkpoint-malformed");
    expect(send(new CallScene(), good, 4242)).toBe("unknown-flow");
    expect(send(new CallScene(), new CallScene().finalCheckpoint(1))).toBe("field-invalid");
    const scene = new CallScene();
    const second = encodeCheckpoint(
      {
        sessionDigest: scene.core.digest,
        leg: 0,
        stream: 0,
        keyGeneration: 0,
        final: true,
        index: 1,
        previous: new Uint8Array(32).fill(1),
        firstSequence: 1,
        digests: [],
        firstCapture: { seconds: 0, fraction: 0 },
        lastCapture: { seconds: 0, fraction: 0 },
        epoch: 0,
        totalFrames: 0,
      },
      ALICE.media,
    );
    expect(send(scene, second)).toBe("field-invalid");
    expect(send(scene, scene.finalCheckpoint(0)), "nothing can follow a gap").toBe("field-invalid");
    expect(scene.stage.items).toEqual([]);
    expect(scene.stage.artifacts(scene.sessionId).some((entry) => entry.artifact === "checkpoint")).toBe(
      false,
    );
  });

  test("a stream ends with its last statement, and with the session at the latest", () => {
    const scene = new CallScene();
    scene.sendFinals(0);
    const ended = () => scene.stage.finishes.map(({ connection, flow }) => `${flow} at ${connection}`);
    const from = (leg: 0 | 1) => {
      const { connection } = leg === 0 ? scene.alice : scene.bob;
      const checkpoints = scene.stream(leg, "receive").checkpoint_flow;
      return [
        `${checkpoints} at ${connection}`,
        `${scene.stream(leg, "send").receipt_flow} at ${connection}`,
      ];
    };
    expect(ended()).toEqual(from(1));
    scene.alice.hangUp(scene.sessionId, scene.closing(0));
    scene.stage.advance(CLOSING_WINDOW);
    expect(ended().toSorted()).toEqual([...from(1), ...from(0)].toSorted());
  });

  test("a session is ended by name before statements are refused; the last ones are kept, refusals counted in the final record", () => {
    const scene = new CallScene();
    const { stage } = scene;
    const flow = Number(scene.stream(0, "receive").receipt_flow);
    const ranges = Array.from({ length: 256 }, (_, at) => ({ first: 2 * at, last: 2 * at }));
    const ended = () => scene.bobInbox.all.some(({ result }) => result.event === "session-ended");
    const kept = () =>
      stage.artifacts(scene.sessionId).filter(({ artifact }) => artifact === "receipt").length;
    let previous: Uint8Array = new Uint8Array(32);
    let sent = 0;
    const send = () => {
      const bytes = scene.receipt(0, { index: sent, previous, received: ranges, heard: ranges });
      stage.handle({ kind: "item", connection: scene.alice.connection, flow, bytes });
      previous = receiptDigest(bytes);
      sent += 1;
      stage.now += 60;
      return bytes.length;
    };
    while (!ended() && sent < 4_000) send();
    expect(scene.bobInbox.event("session-ended")).toMatchObject({
      reason: "statements-exceeded",
      by: "server",
    });
    expect(kept()).toBe(sent);
    const before = sent;
    const more = Math.ceil(LAST_WORDS_ROOM / send()) + 3;
    while (sent < before + more) send();
    expect(kept()).toBeGreaterThan(before + more - 6);
    stage.advance(CLOSING_WINDOW);
    expect(scene.finalRecord()?.extra).toMatchObject({
      reason: "statements-exceeded",
      statements_dropped: { capacity: 1 },
    });
  });

  test("the server's own word on how media comes to an end is said whatever notices that end spent", () => {
    const scene = new CallScene();
    const { stage, bob, sessionId } = scene;
    for (let notice = 0; notice < 8; notice += 1)
      bob.ask("NOTIFY", `/sessions/${sessionId}`, { content: { event: "quality_restored", reason: "loss" } });
    const refused = bob.ask("NOTIFY", `/sessions/${sessionId}`, {
      content: { event: "quality_restored", reason: "loss" },
    });
    expect(refused.outcome).toBe("rate-limited");
    const about = { kind: "quality", sessionId, connection: bob.connection } as const;
    stage.handle({ ...about, reason: "slow-receiver" });
    stage.handle({ ...about, reason: undefined });
    const records = stage.sessionRecords(sessionId).map((jws) => must(readRecord(jws)));
    const own = records.filter(({ extra }) => extra?.by === "server").map(({ event }) => event);
    expect(own).toEqual(["quality-degraded", "quality-restored"]);
  });

  test.each([
    ["backwards", 9, 3, /content.last_sequence/],
    ["where each frame proves itself", 3, 9, /content.event/],
  ] as const)("nothing is said unattributed %s", (_name, first, last, at) => {
    const scene = new CallScene();
    const asked = scene.bob.ask("NOTIFY", `/sessions/${scene.sessionId}`, {
      content: { event: "unattributed", stream: 0, first_sequence: first, last_sequence: last },
    });
    expect(asked.outcome).toBe("field-invalid");
    expect(JSON.stringify(asked.last.error)).toMatch(at);
  });
});
