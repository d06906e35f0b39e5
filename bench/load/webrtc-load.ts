// Drives WebRTC voices through what is measured: 80 bytes of Opus every 20 ms from each peer, each at its deadline. Argument: a
// `WebRtcLoadOrder` as JSON. Prints `{"mark":"ready"}`, then after the line `go` `{"mark":"begin"}` and `{"mark":"end"}` around what
// counts, then a `WebRtcLoadReport`. It gives way to the server.
import { constants, setPriority } from "node:os";
import { createInterface } from "node:readline";
import { readU32, writeU32 } from "../../codecs/big-endian.ts";
import { Latencies, type LatencySummary } from "../../src/bots/latencies.ts";
import type { LoadTarget } from "./link.ts";
import { inTurn } from "./pace.ts";
import { LoadPeer, type WebRtcKind, type WebRtcLine, webRtcLines } from "./webrtc-lines.ts";

export interface WebRtcLoadOrder {
  readonly kind: WebRtcKind;
  readonly target: LoadTarget;
  /** Even, where they are paired. */
  readonly peers: number;
  /** Packets of each peer before those that count. */
  readonly warmUpFrames: number;
  readonly frames: number;
  /** Each speaks for so many packets and then is silent for as many, half of the peers at a time. Absent: all speak all the time. */
  readonly turnFrames?: number;
}

export interface WebRtcLoadReport {
  readonly sent: number;
  readonly received: number;
  readonly duplicates: number;
  /** Among those received: more than 200 ms after they were sent. */
  readonly late: number;
  /** Whose packets are missing, how many and from where on; the first ten of them. */
  readonly missing: readonly string[];
  /** Calls and connections that ended before their time, with reasons. */
  readonly ended: readonly string[];
  /** From handing a packet to a peer to having it at the one that hears it, or back where it came from, ms. */
  readonly latency: LatencySummary;
  /** How late packets were sent, ms: the load generator's own shortcoming. */
  readonly lateness: LatencySummary;
  /** Until each peer's call was up, ms. */
  readonly setup: LatencySummary;
}

const FRAME_MS = 20;
const FRAME_TICKS = 960;
const PAYLOAD_BYTES = 80;
/** A frame of 20 ms, mono (RFC 6716, section 3.1). */
const OPUS_TOC = 0x78;
const LATE_MS = 200;
const LEAD_MS = 500;
const STRAGGLERS_MS = 2_000;
const LEAVING_MS = 1_000;

setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
const order = JSON.parse(process.argv[2] ?? "{}") as WebRtcLoadOrder;
const count = order.warmUpFrames + order.frames;
const latency = new Latencies();
const lateness = new Latencies();
const setup = new Latencies();
let [sent, received, duplicates, late] = [0, 0, 0, 0];

const lines = await webRtcLines(order.kind, order.target, order.peers);
for (const line of lines) setup.record(line.setup);
const sentAt = lines.map(() => new Float64Array(count));
const arrived = lines.map(() => new Uint8Array(count));
for (const line of lines) line.peer.voice = (payload) => hear(line, payload);
print({ mark: "ready" });
for await (const line of createInterface({ input: process.stdin })) if (line.includes("go")) break;
await speak();
for (const line of lines) line.leave();
await new Promise((resolve) => setTimeout(resolve, LEAVING_MS));
await Promise.all(lines.map((line) => line.peer.close()));
LoadPeer.cleanUp();
process.exit(0);

function hear(line: WebRtcLine, payload: Uint8Array): void {
  const now = performance.now();
  const [speaker, frame] = [readU32(payload, 1), readU32(payload, 5)];
  const known = arrived[speaker];
  if (speaker !== line.hears || known === undefined) return;
  if (known[frame] === 1) duplicates += 1;
  else if (frame >= order.warmUpFrames) {
    const took = now - (sentAt[speaker]?.[frame] as number);
    received += 1;
    latency.record(took);
    if (took > LATE_MS) late += 1;
  }
  known[frame] = 1;
}

async function speak(): Promise<void> {
  await inTurn({
    ...{ speakers: lines.length, frames: count, frameMs: FRAME_MS, start: performance.now() + LEAD_MS },
    send(place, frame, deadline) {
      if (place === 0 && frame === order.warmUpFrames) print({ mark: "begin" });
      if (!speaks(place, frame)) return;
      const payload = new Uint8Array(PAYLOAD_BYTES);
      payload[0] = OPUS_TOC;
      writeU32(payload, 1, place);
      writeU32(payload, 5, frame);
      const at = performance.now();
      (sentAt[place] as Float64Array)[frame] = at;
      (lines[place] as WebRtcLine).peer.sendRtp("audio", {
        ...{ marker: frame === 0, sequence: frame & 0xffff, timestamp: (frame * FRAME_TICKS) >>> 0 },
        ...{ extensions: [], payload },
      });
      if (frame < order.warmUpFrames) return;
      sent += 1;
      lateness.record(at - deadline);
    },
  });
  print({ mark: "end" });
  await new Promise((resolve) => setTimeout(resolve, STRAGGLERS_MS));
  const report: WebRtcLoadReport = {
    ...{ sent, received, duplicates, late, missing: missing() },
    ended: lines.flatMap((line, place) => {
      const reason = line.ended();
      return reason === undefined ? [] : [`peer ${place}: ${reason}`];
    }),
    latency: latency.summary(),
    lateness: lateness.summary(),
    setup: setup.summary(),
  };
  print(report);
}

function missing(): string[] {
  return arrived
    .flatMap((frames, place) => {
      const lost = Array.from(frames.keys()).filter(
        (frame) => frame >= order.warmUpFrames && frames[frame] === 0 && speaks(place, frame),
      );
      return lost.length === 0 ? [] : [`peer ${place}: ${lost.length}, from ${lost[0]} on`];
    })
    .slice(0, 10);
}

function speaks(place: number, frame: number): boolean {
  const { turnFrames } = order;
  return turnFrames === undefined || (Math.floor(frame / turnFrames) + place) % 2 === 0;
}

function print(line: unknown): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
