/** One metric: everything that is said about it, here and in `docs/metrics.md`. */
export interface MetricDefinition {
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly labels?: readonly string[];
  /** Upper bounds of a histogram, seconds. */
  readonly buckets?: readonly number[];
}

/** From one delivered packet to a machine that stands still. */
const FRAME_BUCKETS = [0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5];
const PATH_BUCKETS = [0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5];
const DISK_BUCKETS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5];

/** Every metric of Parley's own. Metrics of the process and of Node come from prom-client. */
// biome-ignore format: a table, one metric on a row
export const METRICS = {
  parley_connections: { type: "gauge", labels: ["carrier"], help: "Connections that are up." },
  parley_connections_total: { type: "counter", labels: ["carrier"], help: "Connections taken since the start." },
  parley_connections_refused_total: { type: "counter", labels: ["listener", "reason"], help: "Connections turned away by a listener, by reason; `address-sockets`, `address-socket-rate`, `address-handshakes` and `address-upgrade-rate`: by what one address may have; `plain-text`, `tls-version`, `alpn`, `handshake-failed`, `handshake-timeout`, `handshakes-full`, `first-line`: before it was known what a client of the TLS port speaks." },
  parley_tls_handshakes_open: { type: "gauge", help: "Connections of the TLS port whose handshake, or first line, is not there yet." },
  parley_tls_connections_ended_total: { type: "counter", labels: ["reason"], help: "AGTP connections over TLS that ended otherwise than by their client's own leave: `idle`, `malformed` (a request that was none), `cut-short` (left inside a request), `overloaded` (did not read), `broken-off` (a request given up)." },
  parley_agents: { type: "gauge", help: "Registered agents." },
  parley_agents_evicted_total: { type: "counter", help: "Agents that registered themselves and went for others: `selfRegisteredAgents`, or `agents`, was reached." },
  parley_agents_online: { type: "gauge", help: "Agents with a live inbox: who can be called now." },
  parley_sessions: { type: "gauge", labels: ["state"], help: "Sessions without their final record." },
  parley_offers_ringing: { type: "gauge", help: "Calls that ring and are not answered yet." },
  parley_calls_total: { type: "counter", labels: ["outcome"], help: "Calls by what became of the offer: `established`, or the error code its caller got." },
  parley_calls_ended_total: { type: "counter", labels: ["by"], help: "Established calls that ended, by who ended them: `participant` or `server`." },
  parley_call_codecs_total: { type: "counter", labels: ["codec"], help: "Established calls by codec or data format, each direction's once." },
  parley_requests_total: { type: "counter", labels: ["method", "status"], help: "AGTP answers by method and status; `unreadable` for what was no request, `OTHER` for methods outside the catalog." },
  parley_frames_received_total: { type: "counter", help: "Media packets that came, whatever became of them." },
  parley_frames_admitted_total: { type: "counter", help: "Media packets that were let through." },
  parley_frame_bytes_admitted_total: { type: "counter", help: "Their bytes, flow identifiers left out." },
  parley_frames_refused_total: { type: "counter", labels: ["reason"], help: "Media packets that were refused, by the first reason found." },
  parley_frames_contradicted_total: { type: "counter", help: "Admitted media packets of profile `chain` that their speaker's checkpoints list otherwise." },
  parley_frames_forwarded_total: { type: "counter", help: "Copies of admitted packets handed to a carrier." },
  parley_frames_dropped_total: { type: "counter", labels: ["reason"], help: "Copies of admitted packets that did not leave." },
  parley_units_broken_total: { type: "counter", labels: ["reason"], help: "Streams of video units that did not come whole from their speakers: `reset` there, `malformed`, `unit-cap` (too many at once) or `slow` (not whole within 5 s)." },
  parley_key_frames_asked_total: { type: "counter", help: "Key frames that speakers were asked for on the media path: by their listeners, and where units could not go on." },
  parley_datagrams_dropped_total: { type: "counter", labels: ["carrier", "reason"], help: "Datagrams toward agents that waited for more than 200 ms (`late`) or were the oldest of too many (`full`). QUIC's stack drops without a word, so that `webtransport` is not among them." },
  parley_media_legs: { type: "gauge", help: "Ends of calls that live media goes to or comes from, each on its connection." },
  parley_media_legs_degraded: { type: "gauge", help: "Those whose listener is badly served now: its hop takes less than comes for it, loses a tenth, or reports nothing more." },
  parley_feedback_total: { type: "counter", labels: ["outcome"], help: "RTCP datagrams: `sent` to speakers; of listeners `taken`, `malformed`, `too-many` (beyond 60 a second from one leg) and `stray` (of no flow that is known)." },
  parley_hop_round_trip_seconds: { type: "histogram", buckets: PATH_BUCKETS, help: "Round trip to clients and back, smoothed, once for each of their reports." },
  parley_hop_queue_seconds: { type: "histogram", buckets: PATH_BUCKETS, help: "Time that live media waits in queues on the way to clients, once for each of their reports." },
  parley_relay_seconds: { type: "histogram", buckets: FRAME_BUCKETS, help: "From a media datagram's arrival in the process to its last copy handed to a carrier." },
  parley_frame_verification_seconds: { type: "histogram", buckets: FRAME_BUCKETS, help: "One frame's signature check." },
  parley_records_erased_total: { type: "counter", labels: ["of"], help: "Records that tombstones took the place of, by what was erased: `agent`, `session`, or `age` (`retentionDays`)." },
  parley_records_appended_total: { type: "counter", help: "Entries of the record log that became durable." },
  parley_record_commit_seconds: { type: "histogram", buckets: DISK_BUCKETS, help: "From appending entries to the record log until they are durable." },
  parley_webrtc_workers: { type: "gauge", help: "Media workers that run: processes of mediasoup, started as WebRTC peers come." },
  parley_webrtc_peers: { type: "gauge", help: "WebRTC peer connections that are open." },
  parley_webrtc_legs: { type: "gauge", labels: ["state"], help: "WebRTC peers at the desk: `opening`, until it is settled what they send and hear; `waiting`, for the peer or its call; `up`, in a call." },
  parley_webrtc_worker_deaths_total: { type: "counter", help: "Media workers that ended by themselves, each with the peers it had." },
  parley_webhook_requests_total: { type: "counter", labels: ["webhook", "outcome"], help: "Requests to receivers of events, by their place in the setting and by whether they were taken." },
  parley_webhook_behind: { type: "gauge", labels: ["webhook"], help: "1 while events wait for the receiver." },
  parley_queue_depth: { type: "gauge", labels: ["queue"], help: "What waits: `held_datagrams` for hops toward agents, `outgoing_items` for streams toward them, `open_streams` toward them, `open_units` of video that wait or are on streams toward them, `unfinished_units` of video from them, `exchanges` without their final answer, `inbox_events` that no agent acknowledged." },
} as const satisfies Record<string, MetricDefinition>;

export type MetricName = keyof typeof METRICS;
