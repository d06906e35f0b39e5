import { describe, expect, it } from "vitest";
import { HeldPackets } from "./held-packets.ts";
import type { HopDrop, HopPacket, PacketKind } from "./hop-packet.ts";

describe("packets that wait", () => {
  it("come out audio first, then data, then video, each kind in its order", () => {
    const held = new HeldPackets();
    for (const [kind, sequence] of [
      ["video", 1],
      ["data", 2],
      ["audio", 3],
      ["audio", 4],
    ] as const)
      held.push(packet(kind, sequence));
    expect(held.isBehind("audio")).toBe(true);
    expect(all(held)).toEqual([3, 4, 2, 1]);
    expect([held.length, held.bytes]).toEqual([0, 0]);
  });

  it("let those overtake that go before them, and nobody else", () => {
    const held = new HeldPackets();
    held.push(packet("data", 1));
    expect((["audio", "data", "video"] as const).map((kind) => held.isBehind(kind))).toEqual([
      false,
      true,
      true,
    ]);
  });

  it("are dropped when their deadline came, with word of each", () => {
    const told: [number, HopDrop][] = [];
    const held = new HeldPackets(({ sequence }, reason) => told.push([sequence, reason]));
    held.push(packet("audio", 1, 100));
    held.push(packet("audio", 2, 200));
    held.push(packet("video", 3, 50));
    expect(held.nextDeadline()).toBe(50);
    expect(held.first(100)?.sequence).toBe(2);
    expect(held.first(250)).toBeUndefined();
    expect(told).toEqual([
      [1, "stale"],
      [2, "stale"],
      [3, "stale"],
    ]);
    expect(held.drops.stale).toBe(3);
  });

  it.each([
    ["audio", 128],
    ["data", 256],
    ["video", 512],
  ] as const)("of kind %s are %d at most: the oldest goes", (kind, most) => {
    const held = new HeldPackets();
    for (let sequence = 0; sequence < most + 3; sequence += 1) held.push(packet(kind, sequence));
    expect(held.length).toBe(most);
    expect(held.drops["queue-full"]).toBe(3);
    expect(held.peek()?.sequence).toBe(3);
    expect(held.bytes).toBe(100 * most);
  });
});

function packet(kind: PacketKind, sequence: number, deadline = 1_000): HopPacket {
  return { ssrc: 1, sequence, bytes: new Uint8Array(100), kind, deadline };
}

function all(held: HeldPackets): number[] {
  const sequences: number[] = [];
  for (let next = held.first(0); next !== undefined; next = held.first(0)) {
    held.take(next);
    sequences.push(next.sequence);
  }
  return sequences;
}
