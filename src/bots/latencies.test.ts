import { expect, test } from "vitest";
import { Latencies } from "./latencies.ts";

test("percentiles keep microseconds, and nothing recorded is no number", () => {
  const latencies = new Latencies();
  expect(latencies.percentile(0.5)).toBeNaN();
  for (let ms = 1; ms <= 100; ms += 1) latencies.record(ms / 100);
  latencies.record(-1);
  expect(latencies.count).toBe(101);
  expect(latencies.percentile(0.5)).toBeCloseTo(0.5, 2);
  expect(latencies.percentile(1)).toBeCloseTo(1, 2);
});

test("what two processes recorded adds up", () => {
  const [one, other, both] = [new Latencies(), new Latencies(), new Latencies()];
  for (let ms = 1; ms <= 50; ms += 1) one.record(ms);
  for (let ms = 51; ms <= 100; ms += 1) other.record(ms);
  both.add(one.encode());
  both.add(other.encode());
  const { count, p50, p95, max } = both.summary();
  expect(count).toBe(100);
  expect(p50).toBeCloseTo(50, 0);
  expect(p95).toBeCloseTo(95, 0);
  expect(max).toBeCloseTo(100, 0);
});
