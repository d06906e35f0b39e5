import { expect, it } from "vitest";
import { ServerTime, STEP_MS } from "./server-time.ts";

function stepping() {
  const machine = { now: 5_000, wall: 1_000_000 };
  const clock = { now: () => machine.now, wall: () => machine.wall, at: () => () => {} };
  return { machine, time: new ServerTime(clock) };
}

it("starts with both times at the wall clock and carries them on with the monotonic one", () => {
  const { machine, time } = stepping();
  machine.now += 250;
  machine.wall += 250;
  expect(time.follow()).toBe(0);
  expect([time.wallAt(time.now()), time.mediaAt(time.now())]).toEqual([1_000_250, 1_000_250]);
  expect(time.monotonicAt(1_000_300)).toBe(5_300);
});

it.each([60_000, -60_000, STEP_MS + 1])("follows a step of %i ms with the wall time alone", (step) => {
  const { machine, time } = stepping();
  machine.wall += step;
  expect(time.follow()).toBe(step);
  expect(time.follow(), "once").toBe(0);
  expect(time.wallAt(time.now())).toBe(1_000_000 + step);
  expect(time.mediaAt(time.now())).toBe(1_000_000);
});

it("does not follow what a disciplined clock is slewed by", () => {
  const { machine, time } = stepping();
  machine.wall += STEP_MS;
  expect(time.follow()).toBe(0);
  expect(time.wallAt(time.now())).toBe(1_000_000);
});
