import { expect, it } from "vitest";
import { AvSync } from "./av-sync.ts";

/** A voice of 20 ms pieces captured from `from` to `to`, heard `delay` later. */
function voice(sync: AvSync, from: number, to: number, delay: number): void {
  for (let captured = from; captured < to; captured += 20) sync.heard(captured, captured + delay, 20);
}

it("shows pictures as long after their capture as the voice is heard after its own", () => {
  const sync = new AvSync();
  voice(sync, 0, 1_000, 120);
  expect(sync.playAt(1_100, 1_150)).toBe(1_220);
  expect(sync.delay(1_150)).toBe(120);
});

it("follows the voice's delay as that changes", () => {
  const sync = new AvSync();
  voice(sync, 0, 1_000, 120);
  voice(sync, 1_000, 2_000, 90);
  expect(sync.playAt(2_000, 2_000)).toBe(2_090);
});

it("shows a picture that comes late at once", () => {
  const sync = new AvSync();
  voice(sync, 0, 1_000, 60);
  expect(sync.playAt(900, 1_200)).toBe(1_200);
});

it("has a small delay of its own without a voice, by how the pictures come", () => {
  const sync = new AvSync();
  for (let index = 0; index < 100; index += 1) sync.came(index * 40, index * 40 + 50 + (index % 5) * 6);
  expect(sync.delay(4_000)).toBeGreaterThanOrEqual(74);
  expect(sync.delay(4_000)).toBeLessThan(90);
});

it("lets go of a voice that nothing was heard of for ten seconds", () => {
  const sync = new AvSync();
  voice(sync, 0, 1_000, 300);
  for (let index = 0; index < 50; index += 1) sync.came(index * 40, index * 40 + 20);
  expect(sync.delay(11_000)).toBe(300);
  expect(sync.delay(11_300)).toBeLessThan(60);
});

it("compares each picture with what is heard as it is shown", () => {
  const sync = new AvSync();
  voice(sync, 0, 1_040, 100);
  sync.shown(500, 600);
  sync.shown(500, 630);
  sync.shown(980, 1_081);
  expect(sync.skew).toEqual({ compared: 3, apart: 0, p50: 1, p95: 30, middle: -1 });
});

it("waits for what is heard later, and compares nothing with silence", () => {
  const sync = new AvSync();
  sync.shown(0, 110);
  sync.shown(40, 500);
  expect(sync.skew.compared).toBe(0);
  voice(sync, 0, 140, 100);
  expect(sync.skew).toEqual({ compared: 1, apart: 0, p50: 10, p95: 10, middle: -10 });
  voice(sync, 1_000, 1_020, 100);
  expect(sync.skew.compared).toBe(1);
});

it("leaves out pictures whose place another takes at once: they are not seen", () => {
  const sync = new AvSync();
  voice(sync, 0, 500, 100);
  sync.shown(400, 610);
  sync.shown(440, 610);
  sync.shown(480, 612);
  sync.shown(520, 640);
  sync.shown(600, 660);
  voice(sync, 500, 1_000, 100);
  expect(sync.skew).toMatchObject({ compared: 3, apart: 1, p95: 40 });
});
