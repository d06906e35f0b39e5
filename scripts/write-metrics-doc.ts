/** Writes docs/metrics.md from the table of metrics. `npm run docs:metrics`; a test fails while the page is stale. */
import { writeFileSync } from "node:fs";
import { METRICS, type MetricDefinition } from "../src/metrics/definitions.ts";
import { ServerMetrics } from "../src/metrics/server-metrics.ts";

/** The page that belongs to the present table. */
export async function metricsPage(): Promise<string> {
  const own = Object.entries<MetricDefinition>(METRICS).map(
    ([name, { type, labels = [], help }]) =>
      `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(", ")} | ${help} |`,
  );
  const bounds = Object.entries<MetricDefinition>(METRICS).flatMap(([name, { buckets }]) =>
    buckets === undefined ? [] : [`| \`${name}\` | ${buckets.join(", ")} |`],
  );
  const all = await new ServerMetrics({
    overview: () => undefined,
    refused: () => ({}),
    tlsPort: () => undefined,
    webrtc: () => undefined,
    webrtcLegs: () => ({}),
    webhooks: () => [],
  }).list();
  const others = all
    .filter(({ name }) => !(name in METRICS))
    .map(({ name, type, help }) => `| \`${name}\` | ${type} | ${help} |`)
    .sort();
  return `${INTRODUCTION}
| metric | type | labels | what it says |
|---|---|---|---|
${own.join("\n")}

Upper bounds of the histograms' buckets, in seconds:

| histogram | bounds |
|---|---|
${bounds.join("\n")}

## The process and Node

From prom-client; the delay of the event loop is \`nodejs_eventloop_lag_seconds\` and its percentiles.

| metric | type | what it says |
|---|---|---|
${others.join("\n")}
`;
}

const INTRODUCTION = `# Metrics

\`GET /metrics\` on the loopback HTTP side (127.0.0.1:8480, see \`--http-port\` in [cli.md](cli.md)) answers in Prometheus' text
format. \`/healthz\` answers 200 while the process serves; \`/readyz\` answers 503 with the reason while the server starts or
stops and after its record log failed.

All three answer requests whose host is \`127.0.0.1\` or \`localhost\`, and nobody else's: a proxy that shows this side under a public
name does not show them. Scrape on the machine itself (\`http://127.0.0.1:8480/metrics\`), or through a tunnel
(\`ssh -L 8480:127.0.0.1:8480 HOST\`). Nor do they answer a request that says a proxy handed it on (\`Via\`, \`Forwarded\`, \`X-Forwarded-For\`, \`-Host\` or
\`-Proto\`, \`X-Real-IP\`). \`--watching everywhere\` makes them answer those too, and under every name of the server. A proxy in front of the page
that says nothing of itself keeps these paths to itself, or they are as public as the page.

Counters of frames are plain numbers that the relay counts anyway and that are read when somebody asks. Per frame only the
two histograms cost something; [performance.md](performance.md) says how much. No label holds what a stranger may
choose freely: methods outside the catalog are \`OTHER\`.

This page is generated from \`src/metrics/definitions.ts\` by \`npm run docs:metrics\`.

## Parley's own
`;

if (import.meta.main) writeFileSync(new URL("../docs/metrics.md", import.meta.url), await metricsPage());
