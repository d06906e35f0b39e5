/** What is told of how media comes while nobody reads it: the newest of each thing waits. */
import { expect, it } from "vitest";
import type { JsonObject } from "../../codecs/canonical-json.ts";
import { SignalingPeer } from "../../test/scenario/signaling-peer.ts";
import { Streaming, voice } from "../../test/scenario/streaming-call.ts";
import { BOB } from "../../test/signed-call.ts";

const ABOUT_MEDIA = /^(?:bandwidth|quality|heard|pause|resume|keyframe|stream-|rendition)/;

/** A call of two voices; what Alice and the relay tell while Bob is away, and what Bob finds when it is back. */
function told(tell: (scene: Streaming, notify: (content: JsonObject) => void) => void): JsonObject[] {
  const scene = new Streaming();
  scene.open(2, voice(1));
  const { bob, stage, sessionId } = scene;
  bob.drop();
  tell(scene, (content) => {
    expect(scene.alice.ask("NOTIFY", `/sessions/${sessionId}`, { content }).outcome).toBe("ok 200");
    stage.advance(1_000);
  });
  return new SignalingPeer(stage, BOB).subscribe().all.flatMap(({ result }) => {
    const { event, stream, muted, held, reason, leg, bits_per_second } = result;
    if (!ABOUT_MEDIA.test(String(event))) return [];
    const said = { event, stream, muted, held, reason, leg, bits_per_second };
    return [Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined))];
  }) as JsonObject[];
}

it.each([
  ["pause", [{}, {}], "resume"],
  ["heard-position", [{}, {}], "heard-position"],
  ["keyframe_request", [{}, {}], "keyframe_request"],
  ["stream-muted", [{ muted: true }, { muted: false }], "stream-muted"],
  ["stream-held", [{ held: true }, { held: false }], "stream-held"],
] as const)("of %s the newest about each stream waits", (event, [first, second], newer) => {
  const found = told((_, notify) => {
    notify({ event, stream: 0, ...first });
    notify({ event, stream: 1, ...first });
    notify({ event: newer, stream: 0, ...second });
  });
  expect(found).toEqual([
    { event, stream: 1, ...first, leg: 0 },
    { event: newer, stream: 0, ...second, leg: 0 },
  ]);
});

it("of what is said of all that comes the newest of each who says it, and of each end, waits", () => {
  const found = told(({ stage, sessionId, alice }, notify) => {
    const relay = { kind: "quality", sessionId, connection: alice.connection } as const;
    notify({ event: "quality_degraded", reason: "loss" });
    stage.handle({ ...relay, reason: "delay" });
    notify({ event: "bandwidth_estimate", bits_per_second: 90_000 });
    notify({ event: "quality_restored", reason: "loss" });
    notify({ event: "bandwidth_estimate", bits_per_second: 80_000 });
  });
  expect(found).toEqual([
    { event: "quality_degraded", reason: "delay", leg: 0 },
    { event: "quality_restored", reason: "loss", leg: 0 },
    { event: "bandwidth_estimate", bits_per_second: 80_000, leg: 0 },
  ]);
});
