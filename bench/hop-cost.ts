/** What congestion control costs a voice: sending through a hop, noting an arrival, a report made and taken. Nothing but the code, no sockets. */
import { FeedbackWriter } from "../sfu/congestion/feedback-writer.ts";
import type { HopPacket } from "../sfu/congestion/hop-packet.ts";
import { MediaHop } from "../sfu/congestion/media-hop.ts";
import { type BenchRow, formatRows } from "./row.ts";

/** Measures about a second, by the wall clock; p90 beside p50 shows what other work on the machine did to it. */
export async function run(): Promise<BenchRow[]> {
  const costs = { send: [] as number[], arrive: [] as number[], report: [] as number[] };
  const hop = new MediaHop({ start: 0, bitrate: { least: 32_000, most: 300_000, first: 300_000 } });
  const writer = new FeedbackWriter({ ssrc: 9, start: 0 });
  const bytes = new Uint8Array(PACKET_BYTES);
  for (let batch = -WARM_UP_BATCHES; batch < BATCHES; batch += 1) {
    const first = (batch + WARM_UP_BATCHES) * BATCH_PACKETS;
    const packets = Array.from({ length: BATCH_PACKETS }, (_, index): HopPacket => {
      return { ssrc: 1, sequence: first + index, bytes, kind: "audio", deadline: Number.POSITIVE_INFINITY };
    });
    const begun = process.hrtime.bigint();
    for (const packet of packets)
      if (!hop.trySend(packet, packet.sequence * INTERVAL)) throw new Error("a calm voice had to wait");
    const sent = process.hrtime.bigint();
    for (const { sequence } of packets)
      writer.arrived(1, sequence, PACKET_BYTES, sequence * INTERVAL + ONE_WAY, sequence * INTERVAL);
    const arrived = process.hrtime.bigint();
    const now = (first + BATCH_PACKETS) * INTERVAL + ONE_WAY;
    const report = writer.report(now);
    if (report === undefined || !hop.feedback(report, now + ONE_WAY).ok) throw new Error("no feedback");
    const reported = process.hrtime.bigint();
    if (batch < 0) continue;
    costs.send.push(Number(sent - begun) / BATCH_PACKETS);
    costs.arrive.push(Number(arrived - sent) / BATCH_PACKETS);
    costs.report.push(Number(reported - arrived));
  }
  return [
    ...rows("hop: send a packet", costs.send, "ns", SEND_TARGET_NS),
    ...rows("hop: note an arrival", costs.arrive, "ns", SEND_TARGET_NS),
    ...rows("hop: make and take a report", costs.report, "ns"),
  ];
}

function rows(name: string, costs: readonly number[], unit: string, target?: number): BenchRow[] {
  const sorted = costs.toSorted((one, other) => one - other);
  const note = `${BATCHES} batches of ${BATCH_PACKETS} packets of a voice, one report each`;
  return [0.5, 0.9].map((share) => ({
    ...{ name, metric: `p${100 * share}`, unit, better: "less", note },
    value: sorted[Math.floor(sorted.length * share)] ?? Number.NaN,
    ...(target === undefined ? {} : { target }),
  }));
}

/** A voice: packets of one report, which comes each 400 ms; their bytes, and milliseconds apart. */
const BATCH_PACKETS = 21;
const PACKET_BYTES = 260;
const INTERVAL = 20;
const ONE_WAY = 30;
const BATCHES = 20_000;
const WARM_UP_BATCHES = 5_000;
const SEND_TARGET_NS = 300;

if (import.meta.main) process.stdout.write(`${formatRows(await run())}\n`);
