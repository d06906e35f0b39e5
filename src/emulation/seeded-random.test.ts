import { expect, test } from "vitest";
import { SeededRandom } from "./seeded-random.ts";

test("gives the reference sequence of xoshiro128** for the state 1, 2, 3, 4", () => {
  const random = SeededRandom.fromState([1, 2, 3, 4]);
  const reference = [
    11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597, 4258142804,
  ];
  expect(reference.map(() => random.u32())).toEqual(reference);
});

test("the same seed repeats, another differs, a fork does not disturb", () => {
  const draw = (random: SeededRandom): number[] => Array.from({ length: 8 }, () => random.u32());
  expect(draw(new SeededRandom(5))).toEqual(draw(new SeededRandom(5)));
  expect(draw(new SeededRandom(5))).not.toEqual(draw(new SeededRandom(6)));
  const one = new SeededRandom(9);
  const two = new SeededRandom(9);
  draw(one.fork());
  two.fork();
  expect(draw(one)).toEqual(draw(two));
});

test("is uniform enough over [0, 1) and over integers", () => {
  const random = new SeededRandom(1);
  const counts = new Array<number>(10).fill(0);
  let sum = 0;
  for (let i = 0; i < 20_000; i++) {
    const drawn = random.next();
    expect(drawn >= 0 && drawn < 1).toBe(true);
    sum += drawn;
    const index = random.integer(10);
    counts[index] = (counts[index] ?? 0) + 1;
  }
  expect(sum / 20_000).toBeCloseTo(0.5, 1);
  for (const count of counts) expect(Math.abs(count - 2000)).toBeLessThan(200);
});
