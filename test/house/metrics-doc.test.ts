import { expect, it } from "vitest";
import { metricsPage } from "../../scripts/write-metrics-doc.ts";
import { METRICS, type MetricDefinition } from "../../src/metrics/definitions.ts";
import { textOf } from "./tree.ts";

it("docs/metrics.md is what `npm run docs:metrics` writes from the table of metrics", async () => {
  expect(textOf("docs/metrics.md")).toBe(await metricsPage());
});

it("names follow Prometheus' conventions", () => {
  for (const [name, { type, buckets }] of Object.entries<MetricDefinition>(METRICS)) {
    expect(name).toMatch(/^parley_[a-z_]+$/);
    expect(name.endsWith("_total"), name).toBe(type === "counter");
    expect(buckets !== undefined, name).toBe(type === "histogram");
  }
});
