import { expect, it } from "vitest";
import { LONGEST_TURN_MS, TurnMemory } from "./turn-memory.ts";

const FORMAT = { clockRate: 8_000, channels: 1 };
const frame = (value: number) => new Int16Array(160).fill(value);

it("keeps the moment before a turn, and all of the turn but its quiet end", () => {
  const memory = new TurnMemory(FORMAT);
  for (let at = 0; at < 100; at += 1) memory.push(frame(1), false);
  for (let at = 0; at < 50; at += 1) memory.push(frame(2), true);
  for (let at = 0; at < 35; at += 1) memory.push(frame(0), true);
  const turn = memory.take(700);
  expect([turn.filter((value) => value === 1).length, turn.filter((value) => value === 2).length]).toEqual([
    12 * 160,
    50 * 160,
  ]);
  expect(turn).toHaveLength(62 * 160);
  expect(memory.take(0)).toHaveLength(0);
});

it("forgets the beginning of a turn that is too long, and counts it", () => {
  const memory = new TurnMemory(FORMAT);
  for (let at = 0; at < 2_000; at += 1) memory.push(frame(at), true);
  expect(memory.dropped).toBe(40_000 - LONGEST_TURN_MS);
  const turn = memory.take(0);
  expect(turn).toHaveLength(LONGEST_TURN_MS * 8);
  expect(turn.at(-1)).toBe(1_999);
});
