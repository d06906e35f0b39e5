// Calls an agent and speaks markers to it as a microphone would: 10 ms of PCM at a time, each when its last sample is captured. Argument:
// a `MouthOrder` as JSON. Prints a `MouthReport` when the call is over.
import { connectAgent } from "../../agent/connect.ts";
import { createIdentity } from "../../agent/node.ts";
import { preciseWall } from "../../src/bots/bot-platform.ts";
import { emulatedCarrier } from "../../src/bots/emulated-carrier.ts";
import type { LinkConditions } from "../../src/emulation/link.ts";
import { markerTone } from "../marker.ts";
import type { LoadTarget } from "./link.ts";
import { precisePlatform } from "./precise-platform.ts";

export interface MouthOrder {
  readonly target: LoadTarget;
  /** Agent-ID of the ear. */
  readonly callee: string;
  readonly turns: number;
  readonly markersPerTurn: number;
  /** What its way to the server and back is like. Default: this machine's. */
  readonly network?: LinkConditions;
}

export interface MouthReport {
  /** When each marker's first sample was captured, Unix milliseconds. */
  readonly spokenAt: readonly number[];
  /** How late the latest piece was written, ms: the microphone's own shortcoming. */
  readonly latest: number;
}

const SEED = 1;
const RATE = 48_000;
const PIECE_MS = 10;
const PIECE_SAMPLES = (RATE * PIECE_MS) / 1_000;
/** Milliseconds between markers. Not a multiple of the frame, so that they begin anywhere in one. */
const MARKER_INTERVAL_MS = 203;
/** Silence between turns, ms; not a multiple of the frame either. */
const PAUSE_MS = 347;

const order = JSON.parse(process.argv[2] ?? "{}") as MouthOrder;
const { identity } = createIdentity({ name: "mouth" });
const platform = precisePlatform();
const { network } = order;
const carrier = network === undefined ? platform.carrier : emulatedCarrier(platform.carrier, network, SEED);
const agent = await connectAgent({ ...platform, carrier }, `https://${order.target.address}/agtp`, {
  identity,
  certificateHashes: [Buffer.from(order.target.certificateHash ?? "", "hex")],
});
const call = await agent.call(order.callee, { audio: { codecs: ["opus"], frameMs: 20 } });
const spokenAt: number[] = [];
let latest = 0;
for (let turn = 0; turn < order.turns; turn += 1) {
  await speak();
  await call.audio.endTurn();
  await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
}
await call.end();
const report: MouthReport = { spokenAt, latest };
process.stdout.write(`${JSON.stringify(report)}\n`);
await agent.close();
process.exit(0);

async function speak(): Promise<void> {
  const { pcm, markers } = turnOfSpeech();
  const start = performance.now();
  for (const at of markers) spokenAt.push(preciseWall(start) + (at * 1_000) / RATE);
  for (let from = 0; from < pcm.length; from += PIECE_SAMPLES) {
    const captured = start + ((from + PIECE_SAMPLES) * 1_000) / RATE;
    while (performance.now() < captured) {
      await new Promise((resolve) => setTimeout(resolve, captured - performance.now()));
    }
    latest = Math.max(latest, performance.now() - captured);
    void call.audio.write(pcm.subarray(from, from + PIECE_SAMPLES));
  }
}

/** Quiet noise with markers in it. */
function turnOfSpeech(): { pcm: Int16Array; markers: number[] } {
  const interval = (MARKER_INTERVAL_MS * RATE) / 1_000;
  const pieces = Math.ceil(((order.markersPerTurn + 1) * interval) / PIECE_SAMPLES);
  const pcm = new Int16Array(pieces * PIECE_SAMPLES);
  for (let index = 0; index < pcm.length; index += 1) pcm[index] = Math.round((Math.random() - 0.5) * 100);
  const tone = markerTone(RATE);
  const markers = Array.from({ length: order.markersPerTurn }, (_, index) =>
    Math.round((index + 0.5) * interval),
  );
  for (const at of markers) pcm.set(tone, at);
  return { pcm, markers };
}
