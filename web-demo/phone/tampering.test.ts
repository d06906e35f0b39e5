import { expect, it } from "vitest";
import { Tampering } from "./tampering.ts";

const packet = (sequence: number) => Uint8Array.of(0x90, 0x60, sequence >> 8, sequence & 0xff, 7);

it("flips the last bit of one packet when it is asked to, and of no other", () => {
  const tampering = new Tampering();
  const packets = [1, 2, 3].map(packet);
  expect(tampering.alter(packets[0] as Uint8Array)).toBe(false);
  tampering.ask();
  expect(packets.slice(1).map((one) => tampering.alter(one))).toEqual([true, false]);
  expect(packets).toEqual([packet(1), packet(2).with(4, 6), packet(3)]);
});

it("takes the next one where the altered one never left, and leaves it at that where it did", () => {
  const tampering = new Tampering();
  const frame = 2 ** 40 + 0x1234;
  tampering.ask();
  expect(tampering.alter(packet(0x1234))).toBe(true);
  tampering.sent({ sequence: frame - 1, fate: "unsent" });
  expect(tampering.alter(packet(0x1235))).toBe(false);
  tampering.sent({ sequence: frame, fate: "unsent" });
  expect(tampering.alter(packet(0x1236))).toBe(true);
  tampering.sent({ sequence: frame + 2, fate: "sent" });
  expect(tampering.alter(packet(0x1237))).toBe(false);
});
