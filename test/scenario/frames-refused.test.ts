/** Frames that a speaker's connection sends and that the relay must not let through. */
import { beforeEach, describe, expect, it } from "vitest";
import type { Agent } from "../../agent/agent.ts";
import type { Call } from "../../agent/call.ts";
import { readVarint, varintLength, varintSize, writeVarint } from "../../codecs/varint.ts";
import { ATTACH_GRACE } from "../../signaling/switchboard/detaching.ts";
import { bitFlips } from "../generators/media.ts";
import { Forger } from "./forger.ts";
import { connected, type Pair, say } from "./talking.ts";
import { World } from "./world.ts";

/** Bad signatures that a connection survives at once are 20. */
const FLIPS_PER_CONNECTION = 18;

let world: World;
let bob: Agent;

beforeEach(async () => {
  world = new World();
  bob = await world.agent("Bob");
});

function changed(frame: Uint8Array, offset: number, step: number): Uint8Array {
  const copy = frame.slice();
  const at = varintLength(copy[0] as number) + offset;
  copy[at] = (copy[at] as number) + step;
  return copy;
}

function onFlow(frame: Uint8Array, flow: number): Uint8Array {
  const packet = frame.subarray(varintLength(frame[0] as number));
  const copy = new Uint8Array(varintSize(flow) + packet.length);
  writeVarint(copy, 0, flow);
  copy.set(packet, varintSize(flow));
  return copy;
}

/** Third octet of the capture time's seconds: 256 s a step; the attribution element begins at 18. */
const CAPTURE_SECONDS_HIGH = 18 + 5 + 2;

describe("a signed frame", () => {
  it("with any one bit flipped is not let through, and the true one still is", async () => {
    let next = 0;
    let bits = Number.POSITIVE_INFINITY;
    const reasons: Record<string, number> = {};
    while (next < bits) {
      const forger = new Forger(world, bob);
      await forger.call();
      const frame = await forger.frame();
      const packet = frame.subarray(varintLength(frame[0] as number));
      const flow = readVarint(frame, 0);
      bits = Math.min(bits, packet.length * 8);
      const flips = [...bitFlips(packet)].slice(next, Math.min(next + FLIPS_PER_CONNECTION, bits));
      for (const { bytes } of flips) {
        const datagram = new Uint8Array(varintSize(flow) + bytes.length);
        writeVarint(datagram, 0, flow);
        datagram.set(bytes, varintSize(flow));
        forger.relay.inject(datagram);
      }
      await world.clock.advance(5);
      expect(forger.verified()).toBe(0);
      forger.relay.inject(frame);
      await world.clock.advance(5);
      expect([forger.verified(), forger.closed]).toEqual([1, []]);
      const told = await forger.reasons();
      expect(Object.values(told).reduce((sum, count) => sum + count, 0)).toBe(flips.length);
      for (const [reason, count] of Object.entries(told)) reasons[reason] = (reasons[reason] ?? 0) + count;
      next += flips.length;
      await world.during(forger.agent.close());
    }
    expect(bits).toBeGreaterThan(800);
    expect(Object.keys(reasons).sort()).toEqual([
      "early",
      "key-generation",
      "malformed",
      "signature",
      "stale",
      "terms",
    ]);
    expect(world.reported).toEqual([]);
  });
});

describe("frames that are refused by name", () => {
  let forger: Forger;
  let bystanders: Pair;

  beforeEach(async () => {
    forger = new Forger(world, bob);
    await forger.call();
    bystanders = await connected(world, await world.agent("Carol"), await world.agent("Dave"));
  });

  /** The speaker is still connected, and others hear each other as if nothing had happened. */
  async function expectOthersUntouched(): Promise<void> {
    expect(forger.closed).toEqual([]);
    await say(world, bystanders.call, 0.5);
    await world.clock.advance(100);
    expect(bystanders.answered.stats().heard).toMatchObject({ verified: 26, refused: {}, late: 0 });
    forger.holds = false;
    const before = forger.verified();
    await forger.frame();
    expect(forger.verified()).toBe(before + 1);
    expect(world.reported).toEqual([]);
  }

  it.each([
    ["with a broken signature", "signature", (frame: Uint8Array) => changed(frame, frame.length - 2, 1)],
    ["of old", "stale", (frame: Uint8Array) => changed(frame, CAPTURE_SECONDS_HIGH, -1)],
    ["of times to come", "early", (frame: Uint8Array) => changed(frame, CAPTURE_SECONDS_HIGH, 1)],
    ["of another SSRC", "terms", (frame: Uint8Array) => changed(frame, 11, 1)],
    ["of another payload type", "terms", (frame: Uint8Array) => changed(frame, 1, 1)],
    ["of another key generation", "key-generation", (frame: Uint8Array) => changed(frame, 18, 1)],
    ["that is no frame", "malformed", (frame: Uint8Array) => frame.slice(0, 40)],
  ] as const)("one %s: %s", async (_name, reason, change) => {
    const frame = await forger.frame();
    forger.relay.inject(change(frame));
    expect(await forger.reasons()).toEqual({ [reason]: 1 });
    const [report] = forger.told.speaker;
    expect(report?.flow).toBe(readVarint(frame, 0));
    expect(report?.first).toBe(report?.last);
    expect(typeof report?.first).toBe(reason === "malformed" ? "undefined" : "number");
    await expectOthersUntouched();
    expect((await forger.counters()).refused).toEqual({ [reason]: 1 });
  });

  it("of another session: terms, and signature under this one's SSRC", async () => {
    const other = new Forger(world, bob);
    await other.call();
    const [mine, foreign] = [await forger.frame(), await other.frame()];
    const moved = onFlow(foreign, readVarint(mine, 0));
    forger.relay.inject(moved);
    const disguised = moved.slice();
    const at = varintLength(mine[0] as number) + 8;
    disguised.set(mine.subarray(at, at + 4), at);
    forger.relay.inject(disguised);
    expect(await forger.reasons()).toEqual({ terms: 1, signature: 1 });
    expect(await other.reasons()).toEqual({});
    await expectOthersUntouched();
  });

  it("sent twice: replayed", async () => {
    const frame = await forger.frame();
    for (let times = 0; times < 3; times += 1) forger.relay.inject(frame);
    expect(await forger.reasons()).toEqual({ replayed: 2 });
    expect(forger.verified()).toBe(1);
    await expectOthersUntouched();
  });

  it("kept back too long: stale, though nothing in them is changed", async () => {
    const frame = await forger.frame();
    await world.clock.advance(2_500);
    forger.relay.inject(frame);
    expect(await forger.reasons()).toEqual({ stale: 1 });
    await expectOthersUntouched();
  });

  it("more than a second's worth and its credit: rate, before anything costlier is looked at", async () => {
    const frame = await forger.frame();
    for (let times = 0; times < 200; times += 1) forger.relay.inject(frame);
    const told = await forger.reasons();
    expect(told.rate).toBeGreaterThan(50);
    expect((told.rate ?? 0) + (told.replayed ?? 0)).toBe(199);
    await expectOthersUntouched();
  });

  it("on a flow that the connection does not own: counted for nobody, told to nobody", async () => {
    const frame = await forger.frame();
    forger.relay.inject(onFlow(frame, 4_000));
    forger.relay.inject(Uint8Array.of(0xff));
    expect(await forger.reasons()).toEqual({});
    expect(forger.verified()).toBe(0);
    await expectOthersUntouched();
  });

  it("for a session that has ended: session-state, in the counters alone", async () => {
    const frame = await forger.frame();
    await world.during(forger.pair.answered.end());
    forger.relay.inject(frame);
    expect(await forger.reasons()).toEqual({});
    expect(forger.closed).toEqual([]);
    expect(forger.verified()).toBe(0);
  });
});

it("repeated bad signatures close the connection that sent them, and no other", async () => {
  const forger = new Forger(world, bob);
  await forger.call();
  const bystanders = await connected(world, await world.agent("Carol"), bob);
  const bad = changed(await forger.frame(), 30, 1);
  for (let times = 0; times < 20; times += 1) forger.relay.inject(bad);
  await world.clock.advance(100);
  expect(forger.closed).toEqual([]);
  const last = world.clock.now();
  forger.relay.inject(bad);
  const ended: Promise<unknown>[] = [forger.pair.call.ended, forger.pair.answered.ended];
  expect(await world.during(Promise.all(ended))).toEqual([
    { reason: "connection-lost", by: "server" },
    { reason: "transport-closed", by: "server" },
  ]);
  expect(world.clock.now() - last, "nobody waits for who was shown out").toBeLessThan(ATTACH_GRACE / 2);
  expect(forger.closed).toEqual([{ code: 2, reason: "repeated bad signatures" }]);
  const others: readonly Call[] = [...bob.calls];
  expect(others).toEqual([bystanders.answered]);
});
