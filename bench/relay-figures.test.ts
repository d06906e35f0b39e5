import { expect, test } from "vitest";
import { delaysOf } from "./mouth-to-ear.ts";
import { costPerFrame, type RelayPoint, rowsAt } from "./relay-cost.ts";

test("a marker heard counts for the marker spoken before it, and none for one that was lost", () => {
  expect(delaysOf([0, 250, 500], [40, 545])).toEqual([40, 45]);
  expect(delaysOf([100], [90, 400])).toEqual([]);
});

test("what a frame costs beyond the bare relay is judged against the target", () => {
  const point = (kind: RelayPoint["kind"], cpuSeconds: number, p99: number): RelayPoint => {
    const latency = { count: 10_000, p50: 1, p95: p99, p99, max: p99 };
    const lateness = { count: 10_000, p50: 0.5, p95: 2, p99: 2, max: 3 };
    const report = {
      sent: 10_000,
      received: 10_000,
      duplicates: 0,
      verified: 100,
      badSignatures: 0,
      refused: {},
    };
    return { kind, calls: 50, cpuSeconds, report: { ...report, latency, lateness } };
  };
  const points = {
    ...{ udp: point("udp", 0.1, 1), bare: point("bare", 0.6, 2) },
    ...{ parley: point("parley", 1.1, 3), "parley-chain": point("parley-chain", 0.75, 3) },
  };
  expect(costPerFrame(points.parley)).toBeCloseTo(110);
  const rows = rowsAt(points, "50 calls");
  const value = (metric: string) => rows.find((row) => row.metric === metric)?.value;
  expect(value("frame beyond bare")).toBeCloseTo(50);
  expect(value("latency p99 over bare")).toBeCloseTo(1.5);
  expect(value("chain frame over bare")).toBeCloseTo(1.25);
  expect(value("bare server CPU")).toBeCloseTo(6);
});
