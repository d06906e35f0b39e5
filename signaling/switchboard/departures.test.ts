import { describe, expect, test } from "vitest";
import type { JsonObject } from "../../codecs/canonical-json.ts";
import { SignalingPeer } from "../../test/scenario/signaling-peer.ts";
import { Stage, type StageOptions } from "../../test/scenario/signaling-stage.ts";
import { ALICE, BOB } from "../../test/signed-call.ts";
import { RETURN_GRACE } from "./ringing.ts";

function scene(options: StageOptions = {}) {
  const stage = new Stage(options);
  const alice = new SignalingPeer(stage, ALICE);
  const bob = new SignalingPeer(stage, BOB);
  return { stage, alice, bob, inbox: bob.subscribe() };
}

describe("a connection its client closed", () => {
  test("of the callee: the caller is answered at once", () => {
    const { alice, bob, inbox } = scene();
    const call = alice.call(BOB);
    expect(inbox.events).toContain("offer");
    bob.drop(true);
    expect(call.outcome).toBe("callee-unreachable");
  });

  test("of the caller: the callee learns at once that it is over", () => {
    const { alice, inbox } = scene();
    alice.call(BOB);
    alice.drop(true);
    expect(inbox.event("offer-cancelled")).toMatchObject({ reason: "caller-gone" });
  });

  test("a lost one is waited for", () => {
    const { stage, alice, bob } = scene();
    const call = alice.call(BOB);
    bob.drop();
    stage.advance(RETURN_GRACE - 1);
    expect(call.raw).toEqual([]);
  });
});

test("a counter-proposal is taken in one form and up to a size", () => {
  const { alice, bob, inbox } = scene();
  const call = alice.call(BOB);
  const codec = { name: "opus", clock_rate: 48_000, channels: 1, frame_ms: [20] };
  const propose = (counter_proposal: JsonObject) =>
    bob.reject(inbox.event("offer"), { reason: "proposal-rejected", counter_proposal }).outcome;
  expect(propose({ codecs: [codec], more: "y".repeat(900_000) })).toBe("field-invalid");
  expect(propose({ codecs: [{ ...codec, name: "y".repeat(33) }] })).toBe("field-invalid");
  const many = Array.from({ length: 16 }, () => 12.25);
  expect(propose({ codecs: Array.from({ length: 32 }, () => ({ ...codec, frame_ms: many })) })).toBe(
    "field-invalid",
  );
  expect(call.raw).toEqual([]);
  expect(propose({ codecs: [codec] })).toBe("ok 200");
  expect(call.last).toMatchObject({ error: { details: { counter_proposal: { codecs: [codec] } } } });
});
