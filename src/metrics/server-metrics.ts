import { collectDefaultMetrics, type Metric, Registry } from "prom-client";
import { CATALOG_METHODS } from "../../signaling/methods.ts";
import { SESSION_STATES } from "../../signaling/session-machine.ts";
import type { TlsCounters } from "../../transports/tls/counters.ts";
import type { WorkerCounts } from "../../transports/webrtc/workers.ts";
import type { WebhookState } from "../events/webhooks.ts";
import type { Instruments } from "../server/instruments.ts";
import type { LegsOverview } from "../server/media-legs.ts";
import type { ServerOverview } from "../server/overview.ts";
import { LabelledCounter, type Sample } from "./counter.ts";
import { METRICS, type MetricDefinition, type MetricName } from "./definitions.ts";
import { BucketCounts } from "./histogram.ts";

/** Connections that listeners turned away: counts by listener and reason. */
export type RefusedConnections = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** What the TLS port tells. */
export interface TlsPortCounts {
  readonly handshakes: number;
  readonly endings: Readonly<TlsCounters>;
}

/** What is read when somebody asks; `undefined` while the server starts. */
export interface MetricSources {
  readonly overview: () => ServerOverview | undefined;
  readonly refused: () => RefusedConnections;
  /** `undefined` without such a port. */
  readonly tlsPort: () => TlsPortCounts | undefined;
  /** `undefined` without that carrier. */
  readonly webrtc: () => WorkerCounts | undefined;
  /** Peers by state; empty without it. */
  readonly webrtcLegs: () => Readonly<Record<string, number>>;
  readonly webhooks: () => readonly WebhookState[];
}

/** Counts what happens and says it in Prometheus' text format. */
export class ServerMetrics implements Instruments {
  readonly #relay = new BucketCounts(METRICS.parley_relay_seconds.buckets);
  readonly #verification = new BucketCounts(METRICS.parley_frame_verification_seconds.buckets);
  readonly #roundTrip = new BucketCounts(METRICS.parley_hop_round_trip_seconds.buckets);
  readonly #hopQueue = new BucketCounts(METRICS.parley_hop_queue_seconds.buckets);
  readonly #commit = new BucketCounts(METRICS.parley_record_commit_seconds.buckets);
  readonly #connections = new LabelledCounter(METRICS.parley_connections_total.labels);
  readonly #calls = new LabelledCounter(METRICS.parley_calls_total.labels);
  readonly #ended = new LabelledCounter(METRICS.parley_calls_ended_total.labels);
  readonly #codecs = new LabelledCounter(METRICS.parley_call_codecs_total.labels);
  readonly #requests = new LabelledCounter(METRICS.parley_requests_total.labels);
  readonly #registry = new Registry();
  readonly #sources: MetricSources;
  #entries = 0;
  #evicted = 0;
  readonly #erased: Record<string, number> = { agent: 0, session: 0, age: 0 };

  constructor(sources: MetricSources) {
    this.#sources = sources;
    for (const name of Object.keys(METRICS) as MetricName[]) {
      // The registry asks a metric for its name and, at each scrape, its values.
      const metric = { name, get: async () => this.#read(name) };
      this.#registry.registerMetric(metric as unknown as Metric);
    }
    collectDefaultMetrics({ register: this.#registry });
  }

  relayed(ms: number): void {
    this.#relay.observe(ms);
  }

  reported(roundTrip: number, queueDelay: number): void {
    this.#roundTrip.observe(roundTrip);
    this.#hopQueue.observe(queueDelay);
  }

  verified(ms: number): void {
    this.#verification.observe(ms);
  }

  committed(entries: number, ms: number): void {
    this.#entries += entries;
    this.#commit.observe(ms);
  }

  answered(method: string | undefined, status: number): void {
    const known = method === undefined ? "unreadable" : CATALOG_METHODS.has(method) ? method : "OTHER";
    this.#requests.add(known, String(status));
  }

  connected(carrier: string): void {
    this.#connections.add(carrier);
  }

  told(event: string, fields: Parameters<Instruments["told"]>[1]): void {
    if (event === "session-established") {
      this.#calls.add("established");
      for (const codec of String(fields.codecs ?? "").split(" ")) if (codec !== "") this.#codecs.add(codec);
    } else if (event === "records-erased") {
      const of = String(fields.of);
      this.#erased[of] = (this.#erased[of] ?? 0) + Number(fields.records);
    } else if (event === "agent-evicted") this.#evicted += 1;
    else if (event === "session-rejected") this.#calls.add(String(fields.code));
    else if (event === "session-ended") this.#ended.add(fields.by === "server" ? "server" : "participant");
  }

  /** The answer to a scrape. */
  async text(): Promise<{ readonly type: string; readonly text: string }> {
    return { type: this.#registry.contentType, text: await this.#registry.metrics() };
  }

  /** What every metric is called and means, those of the process and of Node included. */
  async list(): Promise<readonly { readonly name: string; readonly help: string; readonly type: string }[]> {
    return (await this.#registry.getMetricsAsJSON()).map(({ name, help, type }) => ({
      name,
      help,
      type: String(type),
    }));
  }

  #read(name: MetricName) {
    const { type, help }: MetricDefinition = METRICS[name];
    const values = type === "histogram" ? bucketsOf(name, this.#histogram(name)) : this.#samples(name);
    return { name, help, type, values, aggregator: "sum" };
  }

  #histogram(name: MetricName): BucketCounts {
    if (name === "parley_relay_seconds") return this.#relay;
    if (name === "parley_hop_round_trip_seconds") return this.#roundTrip;
    if (name === "parley_hop_queue_seconds") return this.#hopQueue;
    return name === "parley_frame_verification_seconds" ? this.#verification : this.#commit;
  }

  #samples(name: MetricName): readonly Sample[] {
    const overview = this.#sources.overview();
    if (overview === undefined) return [];
    const { frames, strays } = overview;
    const stray = strays.malformed + strays.unknownFlow;
    switch (name) {
      case "parley_connections":
        return by("carrier", overview.connections);
      case "parley_connections_total":
        return this.#connections.read();
      case "parley_connections_refused_total":
        return Object.entries(this.#sources.refused()).flatMap(([listener, reasons]) =>
          by("reason", reasons).map(({ labels, value }) => ({ labels: { listener, ...labels }, value })),
        );
      case "parley_webrtc_workers":
        return one(this.#sources.webrtc()?.running ?? 0);
      case "parley_webrtc_peers":
        return one(this.#sources.webrtc()?.peers ?? 0);
      case "parley_webrtc_legs":
        return by("state", this.#sources.webrtcLegs());
      case "parley_webrtc_worker_deaths_total":
        return one(this.#sources.webrtc()?.deaths ?? 0);
      case "parley_tls_handshakes_open":
        return one(this.#sources.tlsPort()?.handshakes ?? 0);
      case "parley_tls_connections_ended_total":
        return by("reason", endings(this.#sources.tlsPort()?.endings));
      case "parley_agents":
        return one(overview.agents);
      case "parley_agents_evicted_total":
        return one(this.#evicted);
      case "parley_agents_online":
        return one(overview.online);
      case "parley_sessions":
        return by("state", { ...NO_SESSIONS, ...overview.sessions });
      case "parley_offers_ringing":
        return one(overview.ringing);
      case "parley_calls_total":
        return this.#calls.read();
      case "parley_calls_ended_total":
        return this.#ended.read();
      case "parley_call_codecs_total":
        return this.#codecs.read();
      case "parley_requests_total":
        return this.#requests.read();
      case "parley_frames_received_total":
        return one(frames.received + stray);
      case "parley_frames_admitted_total":
        return one(frames.admitted);
      case "parley_frame_bytes_admitted_total":
        return one(frames.bytes);
      case "parley_frames_refused_total":
        return by("reason", {
          ...frames.refused,
          malformed: (frames.refused.malformed ?? 0) + strays.malformed,
          "unknown-flow": strays.unknownFlow,
        });
      case "parley_frames_contradicted_total":
        return one(frames.contradicted);
      case "parley_frames_forwarded_total":
        return one(frames.forwarded);
      case "parley_frames_dropped_total":
        return by("reason", frames.dropped);
      case "parley_units_broken_total":
        return by("reason", overview.units.broken);
      case "parley_key_frames_asked_total":
        return one(overview.units.keyFramesAsked);
      case "parley_media_legs":
        return one(overview.legs.legs);
      case "parley_media_legs_degraded":
        return one(overview.legs.degraded);
      case "parley_feedback_total":
        return by("outcome", feedback(overview.legs));
      case "parley_datagrams_dropped_total":
        return Object.entries(overview.datagramDrops).flatMap(([carrier, drops]) =>
          by("reason", { ...drops }).map(({ labels, value }) => ({ labels: { carrier, ...labels }, value })),
        );
      case "parley_records_erased_total":
        return by("of", this.#erased);
      case "parley_records_appended_total":
        return one(this.#entries);
      case "parley_webhook_requests_total":
        return this.#sources.webhooks().flatMap(({ index, delivered, failed }) =>
          by("outcome", { delivered, failed }).map(({ labels, value }) => ({
            labels: { webhook: String(index), ...labels },
            value,
          })),
        );
      case "parley_webhook_behind":
        return this.#sources
          .webhooks()
          .map(({ index, behind }) => ({ labels: { webhook: String(index) }, value: Number(behind) }));
      case "parley_queue_depth":
        return by("queue", overview.queues);
      default:
        return [];
    }
  }
}

const NO_SESSIONS: Readonly<Record<string, number>> = Object.fromEntries(
  SESSION_STATES.map((state) => [state, 0]),
);

function endings(counts: Readonly<TlsCounters> | undefined): Readonly<Record<string, number>> {
  const { idle = 0, malformed = 0, cutShort = 0, overloaded = 0, brokenOff = 0 } = counts ?? {};
  return { idle, malformed, "cut-short": cutShort, overloaded, "broken-off": brokenOff };
}

function feedback({ feedback: counts, strayFeedback }: LegsOverview): Readonly<Record<string, number>> {
  const { sent, taken, malformed, tooMany } = counts;
  return { sent, taken, malformed, "too-many": tooMany, stray: strayFeedback };
}

function one(value: number): readonly Sample[] {
  return [{ labels: {}, value }];
}

function by(label: string, counts: Readonly<Record<string, number>>): readonly Sample[] {
  return Object.entries(counts).map(([name, value]) => ({ labels: { [label]: name }, value }));
}

function bucketsOf(name: string, counts: BucketCounts) {
  const { le, count, sum } = counts.read();
  return [
    ...le.map(([bound, value]) => ({ metricName: `${name}_bucket`, labels: { le: bound }, value })),
    { metricName: `${name}_sum`, labels: {}, value: sum },
    { metricName: `${name}_count`, labels: {}, value: count },
  ];
}
