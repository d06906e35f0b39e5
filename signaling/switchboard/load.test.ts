import { describe, expect, test } from "vitest";
import { SignalingPeer } from "../../test/scenario/signaling-peer.ts";
import { Stage } from "../../test/scenario/signaling-stage.ts";
import { ALICE, BOB, OFFER, testAgent } from "../../test/signed-call.ts";
import { DEFAULT_LIMITS } from "./config.ts";
import { FULL_RETRY_MS, loadOfOffer } from "./load.ts";

const ONE = loadOfOffer(OFFER);

/** A server with room for `calls` of Alice's offers, by the limit named. */
function roomFor(calls: number, limit: "sessions" | "streams" | "kilobits") {
  const most = { sessions: calls, streams: calls * ONE.streams, kilobits: calls * ONE.kilobits }[limit];
  const stage = new Stage({ config: { limits: { ...DEFAULT_LIMITS, [limit]: most } } });
  const bob = new SignalingPeer(stage, BOB);
  return { stage, bob, inbox: bob.subscribe(), alice: new SignalingPeer(stage, ALICE) };
}

describe.each(["sessions", "streams", "kilobits"] as const)("a server whose %s are limited", (limit) => {
  test("refuses the call that would be too much, says by which limit, and when to come again", () => {
    const { alice, stage, inbox } = roomFor(2, limit);
    const calls = [alice.call(BOB), alice.call(BOB)];
    expect(
      calls.map(({ raw }) => raw),
      "they ring",
    ).toEqual([[], []]);
    const offers = inbox.events.length;
    expect(alice.call(BOB).last).toMatchObject({
      status: 503,
      error: { code: "capacity", details: { limit, retry_after_ms: FULL_RETRY_MS } },
    });
    expect(inbox.events, "the callee never hears of it").toHaveLength(offers);
    expect(stage.log.filter(({ kind }) => kind === "artifact")).toEqual([]);
  });

  test("counts calls while they ring and while they are up, and no longer", () => {
    const { alice, bob, inbox } = roomFor(1, limit);
    const first = alice.call(BOB);
    const event = inbox.event("offer");
    expect(alice.call(BOB).outcome, "it rings").toBe("capacity");
    bob.accept(event);
    expect(first.outcome).toBe("ok 200");
    expect(alice.call(BOB).outcome, "it is up").toBe("capacity");
    alice.hangUp(String(event.session_id));
    alice.stage.advance(60_000);
    const second = alice.call(BOB);
    expect(second.raw, "it is over").toEqual([]);
    bob.reject(inbox.event("offer"));
    expect(second.outcome).toBe("declined");
    expect(alice.call(BOB).raw, "one that was declined is over at once").toEqual([]);
  });

  test("lets calls that are up alone: what is full refuses newcomers", () => {
    const { alice, bob, inbox, stage } = roomFor(1, limit);
    alice.call(BOB);
    const event = inbox.event("offer");
    bob.accept(event);
    const carol = new SignalingPeer(stage, testAgent("carol", 5));
    for (let index = 0; index < 20; index += 1) expect(carol.call(BOB).outcome).toBe("capacity");
    expect(alice.query(String(event.session_id)).last.result.state).toBe("active");
  });
});

test("an offer counts as the most that it may come to, and a call as what was agreed", () => {
  const [stream] = OFFER.payload.streams;
  if (stream?.modality !== "audio") throw new Error("no audio");
  const offered = (change: Partial<typeof stream>) =>
    loadOfOffer({ payload: { ...OFFER.payload, streams: [{ ...stream, ...change }] } });
  const lasting = (...lengths: number[]) =>
    offered({ codecs: stream.codecs.map((codec) => ({ ...codec, frame_ms: lengths })) });
  expect(lasting(20, 5, 10)).toEqual(lasting(5));
  expect(lasting(5).kilobits).toBeGreaterThan(3 * lasting(20).kilobits);
  expect(offered({ direction: "sendonly" })).toEqual({ streams: 1, kilobits: ONE.kilobits / 2 });
  // Frames of 10 ms were on offer, those of 20 ms were agreed: half as much.
  const { alice, bob, inbox } = roomFor(1.6, "kilobits");
  alice.call(BOB);
  expect(alice.call(BOB).outcome).toBe("capacity");
  bob.accept(inbox.event("offer"));
  expect(alice.call(BOB).raw, "it rings").toEqual([]);
});
