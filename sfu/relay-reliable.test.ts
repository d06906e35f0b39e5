import { describe, expect, it } from "vitest";
import { MAX_DATA_MESSAGE_BYTES } from "../codecs/data-message.ts";
import { RELIABLE_FRESHNESS_MS } from "../signaling/admission.ts";
import {
  datagram,
  FIRST_SEQUENCE,
  type FrameOptions,
  packet,
  relayWith,
  row,
  SPEAKER_CONNECTION,
  SPEAKER_FLOW,
  WALL,
} from "../test/relay-scene.ts";

function scene(reliable: boolean) {
  const relay = relayWith(row({ reliable }));
  const item = (options: FrameOptions = {}, now = 0) =>
    relay.admitItem(SPEAKER_CONNECTION, SPEAKER_FLOW, packet(options), now, WALL + now).outcome;
  return { relay, item };
}

describe("a reliable stream", () => {
  it("takes frames in order, gaps and all, and none that comes after a later one", () => {
    const { item } = scene(true);
    expect(item({ sequence: FIRST_SEQUENCE })).toBe("admitted");
    expect(item({ sequence: FIRST_SEQUENCE + 2 })).toBe("admitted");
    expect(item({ sequence: FIRST_SEQUENCE + 1 })).toBe("window");
    expect(item({ sequence: FIRST_SEQUENCE })).toBe("replayed");
    expect(item({ sequence: FIRST_SEQUENCE + 3 })).toBe("admitted");
  });

  it("has no media epochs, so no frame waits for one", () => {
    const { relay, item } = scene(true);
    expect(item({ epoch: 1 })).toBe("epoch");
    expect(relay.nextTimeout()).toBe(0);
    expect(relay.release(0, WALL)).toBeUndefined();
    expect(item()).toBe("admitted");
  });

  it("takes messages of 16 KiB and none that is longer", () => {
    const { item } = scene(true);
    expect(item({ payload: new Uint8Array(MAX_DATA_MESSAGE_BYTES) })).toBe("admitted");
    const payload = new Uint8Array(MAX_DATA_MESSAGE_BYTES + 1);
    expect(item({ sequence: FIRST_SEQUENCE + 1, payload })).toBe("too-large");
  });

  it("is not carried by datagrams", () => {
    const { relay } = scene(true);
    expect(relay.admit(SPEAKER_CONNECTION, datagram(packet()), 0, WALL).outcome).toBe("terms");
  });

  it.each([
    [-RELIABLE_FRESHNESS_MS, "admitted"],
    [-RELIABLE_FRESHNESS_MS - 10, "stale"],
    [2_000, "admitted"],
    [2_010, "early"],
  ])("takes a frame captured %i ms from now: %s", (age, outcome) => {
    expect(scene(true).item({ captured: WALL + age })).toBe(outcome);
  });

  it("stays as fresh as it was while nobody read it, and for as long again as it may be old", () => {
    const { relay, item } = scene(true);
    const { sessionId, leg, stream } = row();
    const standstill = (since: number, now: number) =>
      relay.apply({ kind: "stood-still", sessionId, leg, stream, since }, now);
    const at = (sequence: number, captured: number, now: number) =>
      item({ sequence: FIRST_SEQUENCE + sequence, captured: WALL + captured }, now);
    standstill(100_000, 300_000);
    expect(at(0, 100_000 - RELIABLE_FRESHNESS_MS - 10, 300_000)).toBe("stale");
    expect(at(0, 100_000 - RELIABLE_FRESHNESS_MS, 300_000)).toBe("admitted");
    // One right after it is the same.
    standstill(320_000, 400_000);
    expect(at(1, 100_000, 400_000 + RELIABLE_FRESHNESS_MS)).toBe("admitted");
    expect(at(2, 100_000, 400_010 + RELIABLE_FRESHNESS_MS)).toBe("stale");
    standstill(500_000, 600_000);
    expect(at(2, 400_000, 600_000)).toBe("stale");
  });
});

it("live media on a stream may overtake itself and is fresh or refused", () => {
  const { item } = scene(false);
  expect(item({ sequence: FIRST_SEQUENCE + 1 })).toBe("admitted");
  expect(item({ sequence: FIRST_SEQUENCE })).toBe("admitted");
  expect(item({ sequence: FIRST_SEQUENCE + 2, captured: WALL - 2_010 })).toBe("stale");
});
