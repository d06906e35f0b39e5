import { expect, test } from "vitest";
import { cpuSecondsOf } from "./bench-process.ts";
import { Latencies } from "./latency.ts";
import { delaysOf } from "./mouth-to-ear.ts";
import { costPerFrame, type RelayPoint, rowsAt } from "./relay-cost.ts";

test("CPU time is read from /proc/<pid>/stat whatever the program is called", () => {
  const stat = "1234 (node (a) b) S 1 1 1 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 11 0 100 1 1 1";
  expect(cpuSecondsOf(stat)).toBe(3);
  expect(() => cpuSecondsOf("1 (x) S")).toThrow("no CPU time");
});

test("percentiles keep microseconds, and nothing recorded is no number", () => {
  const latencies = new Latencies();
  expect(latencies.percentile(0.5)).toBeNaN();
  for (let ms = 1; ms <= 100; ms += 1) latencies.record(ms / 100);
  latencies.record(-1);
  expect(latencies.count).toBe(101);
  expect(latencies.percentile(0.5)).toBeCloseTo(0.5, 2);
  expect(latencies.percentile(1)).toBeCloseTo(1, 2);
});

test("a marker heard counts for the marker spoken before it, and none for one that was lost", () => {
  expect(delaysOf([0, 250, 500], [40, 545])).toEqual([40, 45]);
  expect(delaysOf([100], [90, 400])).toEqual([]);
});

test("what a frame costs beyond the bare relay is judged against the target", () => {
  const point = (kind: RelayPoint["kind"], cpuSeconds: number, p99: number): RelayPoint => {
    const latency = { count: 10_000, p50: 1, p99, max: p99 };
    const lateness = { count: 10_000, p50: 0.5, p99: 2, max: 3 };
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
  const points = { udp: point("udp", 0.1, 1), bare: point("bare", 0.6, 2), parley: point("parley", 1.1, 3) };
  expect(costPerFrame(points.parley)).toBeCloseTo(110);
  const rows = rowsAt(points, "50 calls");
  const value = (metric: string) => rows.find((row) => row.metric === metric)?.value;
  expect(value("frame beyond bare")).toBeCloseTo(50);
  expect(value("latency p99 over bare")).toBeCloseTo(1.5);
  expect(value("bare server CPU")).toBeCloseTo(6);
});
