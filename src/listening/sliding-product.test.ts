import { expect, it } from "vitest";
import { SeededRandom } from "../emulation/seeded-random.ts";
import { slidingProducts } from "./sliding-product.ts";

it.each([
  [1, 1],
  [7, 1],
  [1, 9],
  [100, 28],
  [1_000, 2_161],
])("is of %i samples at %i places what their products add up to", (length, places) => {
  const random = new SeededRandom(length);
  const signal = (count: number) =>
    Float64Array.from({ length: count }, () => Math.round(65_535 * random.next() - 32_768));
  const [sought, there] = [signal(length), signal(length + places - 1)];
  const expected = Array.from({ length: places }, (_, place) =>
    sought.reduce((sum, sample, at) => sum + sample * (there[place + at] as number), 0),
  );
  const found = slidingProducts(sought, there, places);
  expect(found).toHaveLength(places);
  // Against the largest that these products could be.
  for (const [place, sum] of expected.entries())
    expect(Math.abs((found[place] as number) - sum) / (length * 2 ** 30)).toBeLessThan(1e-12);
});
