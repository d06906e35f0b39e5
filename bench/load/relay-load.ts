// Drives calls through one relay: 160-byte frames every 20 ms, both ways, each at its deadline. Argument: a `LoadOrder` as JSON. Prints
// `{"mark":"ready"}`, then after the line `go` `{"mark":"begin"}` and `{"mark":"end"}` around what counts, then a `LoadReport`.
import { createInterface } from "node:readline";
import {
  buildFrame,
  type FrameSeal,
  FrameSigningContext,
  FrameView,
  frameDigest,
  parseFrame,
  sealFrame,
  verifyFrame,
} from "../../codecs/frame.ts";
import { unixMsToNtp } from "../../codecs/ntp.ts";
import { varintLength, varintSize, writeVarint } from "../../codecs/varint.ts";
import { verifier } from "../../platform/node/sodium.ts";
import { Latencies, type LatencySummary } from "../../src/bots/latencies.ts";
import { bareCalls, udpCalls, webSocketCalls } from "./baseline-link.ts";
import type { LoadCall, LoadEnd, LoadTarget, Refusals } from "./link.ts";
import { inTurn } from "./pace.ts";
import { chainCalls, parleyCalls } from "./parley-link.ts";

export type RelayKind = "udp" | "bare" | "parley" | "parley-chain" | "ws" | "parley-ws";

export interface LoadOrder {
  readonly kind: RelayKind;
  readonly target: LoadTarget;
  readonly calls: number;
  /** Only the callers speak. */
  readonly oneWay: boolean;
  /** Of each frame. */
  readonly payloadBytes: number;
  /** Frames of each end before those that count: the relay's code gets hot. */
  readonly warmUpFrames: number;
  readonly frames: number;
  /** Milliseconds before the first deadline, beside those for signing. Default 300. */
  readonly leadMs?: number;
}

export interface LoadReport {
  readonly sent: number;
  readonly received: number;
  /** Arrived twice. */
  readonly duplicates: number;
  /** Among those received whose signature was checked and did not hold. */
  readonly badSignatures: number;
  readonly verified: number;
  /** What the relay said it refused, by reason, warm-up included; the baselines say nothing. */
  readonly refused: Refusals;
  /** From handing a frame to the carrier to having it at the other end, ms. */
  readonly latency: LatencySummary;
  /** How late frames were handed over, ms: the load generator's own shortcoming. */
  readonly lateness: LatencySummary;
}

/** One end with its frames, signed beforehand for the moment at which each is sent. */
class Speaker {
  readonly end: LoadEnd;
  readonly frames: Uint8Array[] = [];
  /** As checkpoints name them. */
  readonly digests: Uint8Array[] = [];
  readonly sentAt: Float64Array;
  readonly arrived: Uint8Array;

  constructor(end: LoadEnd, count: number) {
    this.end = end;
    this.sentAt = new Float64Array(count);
    this.arrived = new Uint8Array(count);
  }

  prepare(first: number): void {
    const { end } = this;
    this.frames.length = 0;
    this.digests.length = 0;
    const context = new FrameSigningContext(end.sessionDigest, end.leg, end.stream);
    const headroom = varintSize(end.flow);
    const payload = new Uint8Array(order.payloadBytes);
    for (let index = 0; index < this.sentAt.length; index += 1) {
      const capture = unixMsToNtp(performance.timeOrigin + first + index * FRAME_MS);
      const datagram = buildFrame(
        {
          profile: end.seal.profile,
          keyGeneration: 0,
          sequence: end.startSequence + index,
          captureSeconds: capture.seconds,
          captureFraction: capture.fraction,
          payloadType: end.payloadType,
          timestamp: (index + 1) * TIMESTAMP_STEP,
          ssrc: end.ssrc,
          audioLevel: { level: 20, voice: true },
          payload,
        },
        headroom,
      );
      this.digests.push(frameDigest(sealFrame(context, datagram, end.seal, headroom)));
      writeVarint(datagram, 0, end.flow);
      this.frames.push(datagram);
    }
  }
}

const order = JSON.parse(process.argv[2] ?? "{}") as LoadOrder;
/** Samples of a frame at 8 kHz. */
const TIMESTAMP_STEP = 160;
const FRAME_MS = 20;
/** One frame in this many is verified where it arrives. */
const VERIFY_EVERY = 100;
/** Milliseconds allowed for building and signing one frame beforehand, and for everything else before the first deadline. */
const SIGNING_MS = 0.06;
const MOST_SIGNING_MS = 0.48;
const LEAD_MS = 300;
/** How long after the last frame stragglers are waited for, ms. */
const STRAGGLERS_MS = 600;

const latency = new Latencies();
const lateness = new Latencies();
const refused: Refusals = {};
let received = 0;
let duplicates = 0;
let verified = 0;
let badSignatures = 0;

const calls = await connect();
const count = order.warmUpFrames + order.frames;
const speakers = calls.flatMap(([a, b]) => {
  const [first, second] = [new Speaker(a, count), new Speaker(b, count)];
  a.receive = listener(second);
  b.receive = listener(first);
  return order.oneWay ? [first] : [first, second];
});
print({ mark: "ready" });
for await (const line of createInterface({ input: process.stdin })) if (line.includes("go")) break;
await speak();
process.exit(0);

function connect(): Promise<LoadCall[]> {
  const connectors = {
    udp: udpCalls,
    bare: bareCalls,
    parley: parleyCalls,
    "parley-chain": chainCalls,
    ws: webSocketCalls,
    "parley-ws": parleyCalls,
  } as const;
  return connectors[order.kind](order.target, order.calls, refused);
}

/** What hears `speaker`'s frames. */
function listener(speaker: Speaker): (bytes: Uint8Array) => void {
  const view = new FrameView();
  const { end } = speaker;
  const context = new FrameSigningContext(end.sessionDigest, end.leg, end.stream);
  return (bytes) => {
    const now = performance.now();
    if (parseFrame(bytes, varintLength(bytes[0] as number), view) !== undefined) return;
    const index = view.sequence - end.startSequence;
    // The library's own first frame comes before ours.
    if (index < 0 || index >= count) return;
    if (speaker.arrived[index] === 1) duplicates += 1;
    speaker.arrived[index] = 1;
    if (index < order.warmUpFrames) return;
    received += 1;
    latency.record(now - (speaker.sentAt[index] as number));
    if (received % VERIFY_EVERY !== 0) return;
    verified += 1;
    if (!holds(end.seal, context, bytes, view)) badSignatures += 1;
  };
}

function holds(seal: FrameSeal, context: FrameSigningContext, bytes: Uint8Array, view: FrameView): boolean {
  if (seal.profile === "frame") return verifyFrame(context, bytes, view, seal.signer.publicKey, verifier);
  return seal.mac.holds(seal.key, context.signedBytes(bytes, view), view.tag(bytes));
}

async function speak(): Promise<void> {
  // Spread over the frame time, as speakers who began at different moments are.
  const spacing = FRAME_MS / speakers.length;
  const start = await prepared(spacing);
  await inTurn({
    ...{ speakers: speakers.length, frames: count, frameMs: FRAME_MS, start },
    send(place, index, deadline) {
      if (place === 0 && index === order.warmUpFrames) print({ mark: "begin" });
      const speaker = speakers[place] as Speaker;
      const at = performance.now();
      speaker.sentAt[index] = at;
      speaker.end.send(speaker.frames[index] as Uint8Array);
      speaker.end.state?.({
        sequence: speaker.end.startSequence + index,
        captured: performance.timeOrigin + deadline,
        digest: speaker.digests[index] as Uint8Array,
      });
      if (index >= order.warmUpFrames) lateness.record(at - deadline);
    },
  });
  print({ mark: "end" });
  await new Promise((resolve) => setTimeout(resolve, STRAGGLERS_MS));
  const report: LoadReport = {
    sent: speakers.length * order.frames,
    received: received - duplicates,
    duplicates,
    verified,
    badSignatures,
    refused,
    latency: latency.summary(),
    lateness: lateness.summary(),
  };
  print(report);
}

/** Signs every frame for the moment at which it is due, and returns the first of these; anew where signing took longer than until then. */
async function prepared(spacing: number): Promise<number> {
  for (let allowed = SIGNING_MS; allowed <= MOST_SIGNING_MS; allowed *= 2) {
    const start = performance.now() + speakers.length * count * allowed + (order.leadMs ?? LEAD_MS);
    for (const [place, speaker] of speakers.entries()) {
      speaker.prepare(start + place * spacing);
      // Connections show a sign of life meanwhile.
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (performance.now() <= start) return start;
  }
  throw new Error("signing the frames took longer than allowed for");
}

function print(line: unknown): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
