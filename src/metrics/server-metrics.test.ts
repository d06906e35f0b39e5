import { expect, it } from "vitest";
import type { ServerOverview } from "../server/overview.ts";
import { METRICS } from "./definitions.ts";
import { ServerMetrics } from "./server-metrics.ts";

const OVERVIEW: ServerOverview = {
  connections: { webtransport: 3, websocket: 1 },
  sessions: { active: 2 },
  ringing: 1,
  agents: 9,
  online: 4,
  datagramDrops: { websocket: { late: 12, full: 3 } },
  queues: {
    held_datagrams: 9,
    outgoing_items: 5,
    open_streams: 6,
    open_units: 2,
    unfinished_units: 1,
    exchanges: 7,
    inbox_events: 8,
  },
  legs: {
    legs: 4,
    degraded: 1,
    held: 9,
    feedback: { sent: 60, taken: 50, malformed: 3, tooMany: 2 },
    strayFeedback: 1,
  },
  units: { broken: { malformed: 1, reset: 2, "unit-cap": 3, slow: 4 }, keyFramesAsked: 5 },
  frames: {
    contradicted: 1,
    received: 100,
    admitted: 90,
    bytes: 9_000,
    forwarded: 89,
    refused: { signature: 7, malformed: 3 },
    dropped: { congested: 1 },
  },
  strays: { malformed: 2, unknownFlow: 4 },
};

async function scraped(fill: (metrics: ServerMetrics) => void = () => {}): Promise<readonly string[]> {
  const metrics = new ServerMetrics({
    overview: () => OVERVIEW,
    refused: () => ({ http: { origin: 2 } }),
    tlsPort: () => ({
      handshakes: 5,
      endings: { idle: 4, malformed: 3, cutShort: 2, overloaded: 1, brokenOff: 0 },
    }),
    webrtc: () => ({ running: 2, peers: 6, deaths: 1 }),
    webrtcLegs: () => ({ opening: 1, waiting: 0, up: 5 }),
    webhooks: () => [{ index: 0, delivered: 7, failed: 2, cursor: 40, behind: true }],
  });
  fill(metrics);
  const { type, text } = await metrics.text();
  expect(type).toMatch(/^text\/plain; version=0\.0\.4/);
  return text.split("\n");
}

it("says every metric of the table with its help and type, and those of the process", async () => {
  const lines = await scraped();
  for (const [name, { type, help }] of Object.entries(METRICS)) {
    expect(lines).toContain(`# HELP ${name} ${help}`);
    expect(lines).toContain(`# TYPE ${name} ${type}`);
  }
  for (const name of ["process_cpu_seconds_total", "nodejs_eventloop_lag_p99_seconds"])
    expect(lines.some((line) => line.startsWith(`${name} `))).toBe(true);
});

it("reads what the server counts, packets of no flow included", async () => {
  const lines = await scraped();
  for (const line of [
    'parley_connections{carrier="websocket"} 1',
    'parley_connections_refused_total{listener="http",reason="origin"} 2',
    "parley_tls_handshakes_open 5",
    "parley_webrtc_workers 2",
    "parley_webrtc_peers 6",
    'parley_webrtc_legs{state="up"} 5',
    "parley_webrtc_worker_deaths_total 1",
    'parley_tls_connections_ended_total{reason="idle"} 4',
    'parley_tls_connections_ended_total{reason="cut-short"} 2',
    'parley_webhook_requests_total{webhook="0",outcome="delivered"} 7',
    'parley_webhook_requests_total{webhook="0",outcome="failed"} 2',
    'parley_webhook_behind{webhook="0"} 1',
    'parley_sessions{state="active"} 2',
    "parley_agents_online 4",
    "parley_frames_received_total 106",
    'parley_frames_refused_total{reason="malformed"} 5',
    'parley_frames_refused_total{reason="unknown-flow"} 4',
    'parley_frames_refused_total{reason="signature"} 7',
    'parley_frames_dropped_total{reason="congested"} 1',
    'parley_datagrams_dropped_total{carrier="websocket",reason="late"} 12',
    'parley_datagrams_dropped_total{carrier="websocket",reason="full"} 3',
    'parley_queue_depth{queue="inbox_events"} 8',
    'parley_queue_depth{queue="held_datagrams"} 9',
    "parley_media_legs 4",
    "parley_media_legs_degraded 1",
    'parley_feedback_total{outcome="taken"} 50',
    'parley_feedback_total{outcome="too-many"} 2',
    'parley_feedback_total{outcome="stray"} 1',
  ])
    expect(lines).toContain(line);
});

it("counts what it is told", async () => {
  const lines = await scraped((metrics) => {
    metrics.relayed(0.15);
    metrics.relayed(30);
    metrics.relayed(9_000);
    metrics.reported(80, 3);
    metrics.answered("ESTABLISH", 200);
    metrics.answered(undefined, 400);
    metrics.committed(3, 4);
    metrics.told("session-established", { codecs: "opus data" });
    metrics.told("session-rejected", { code: "callee-busy" });
    metrics.told("session-ended", { by: "ab".repeat(32) });
    metrics.told("agent-evicted", { agentId: "ab".repeat(32) });
  });
  for (const line of [
    "parley_agents_evicted_total 1",
    'parley_relay_seconds_bucket{le="0.0001"} 0',
    'parley_relay_seconds_bucket{le="0.0002"} 1',
    'parley_relay_seconds_bucket{le="0.05"} 2',
    'parley_relay_seconds_bucket{le="+Inf"} 3',
    "parley_relay_seconds_count 3",
    'parley_hop_round_trip_seconds_bucket{le="0.1"} 1',
    'parley_hop_queue_seconds_bucket{le="0.001"} 0',
    'parley_hop_queue_seconds_bucket{le="0.005"} 1',
    'parley_requests_total{method="ESTABLISH",status="200"} 1',
    'parley_requests_total{method="unreadable",status="400"} 1',
    "parley_records_appended_total 3",
    'parley_calls_total{outcome="established"} 1',
    'parley_calls_total{outcome="callee-busy"} 1',
    'parley_call_codecs_total{codec="opus"} 1',
    'parley_call_codecs_total{codec="data"} 1',
    'parley_calls_ended_total{by="participant"} 1',
  ])
    expect(lines).toContain(line);
});

it("does not grow with what strangers make up", async () => {
  const lines = await scraped((metrics) => {
    for (let at = 0; at < 5_000; at += 1) metrics.answered(`MADE${at}UP`, 100 + (at % 900));
  });
  expect(lines.filter((line) => line.startsWith("parley_requests_total{")).length).toBeLessThanOrEqual(501);
  expect(lines.some((line) => line.startsWith('parley_requests_total{method="OTHER",status="OTHER"}'))).toBe(
    true,
  );
});
