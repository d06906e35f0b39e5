/** What the relay itself does to a frame, between two carriers that cost nothing: everything but the sockets and the signature. */
import { portableSha256, type Sha256 } from "../codecs/sha256.ts";
import type { Verifier } from "../codecs/signer.ts";
import { sha256 } from "../platform/node/sha256.ts";
import { frameMac } from "../platform/node/sodium.ts";
import type { Connection } from "../sfu/carrier.ts";
import { FeedbackWriter } from "../sfu/congestion/feedback-writer.ts";
import { FrameSender } from "../sfu/frame-sender.ts";
import type { AdmissionRow } from "../signaling/admission.ts";
import { NO_INSTRUMENTS } from "../src/server/instruments.ts";
import { MediaPlane } from "../src/server/media-plane.ts";
import { ServerTime } from "../src/server/server-time.ts";
import { median } from "./median.ts";
import { type BenchRow, formatRows } from "./row.ts";

type Profile = "frame" | "chain";

/** Measures about two seconds. The median of short batches tells what it costs while nothing else has the core. */
export async function run(): Promise<BenchRow[]> {
  const ways = [
    { profile: "frame", hash: sha256, metric: "p50", costs: [] as number[] },
    { profile: "chain", hash: sha256, metric: "p50", target: CHAIN_TARGET_US, costs: [] as number[] },
    { profile: "chain", hash: portableSha256, metric: "SHA-256 in JavaScript p50", costs: [] as number[] },
  ] as const;
  for (let round = 0; round < ROUNDS; round += 1)
    for (const { profile, hash, costs } of ways) {
      const measured = relayed(profile, hash);
      if (round > 0) costs.push(...measured);
    }
  return ways.map(({ profile, hash: _, costs, ...row }) => ({
    name: `relay's own part, profile ${profile}`,
    unit: "us/frame",
    better: "less",
    note: `${FLOWS} voices of ${PAYLOAD_BYTES} B; datagram in to datagram out, reports and checkpoints included; no sockets, signatures not checked`,
    value: median(costs) / 1_000,
    ...row,
  }));
}

/** Nanoseconds a frame of each batch. */
function relayed(profile: Profile, hash: Sha256): number[] {
  const clock = { now: () => now, wall: () => WALL + now, at: () => () => {} };
  let now = 0;
  let last: Uint8Array = new Uint8Array(0);
  let left = 0;
  const connection = {
    sendDatagram(bytes: Uint8Array) {
      last = bytes;
      left += 1;
      return "sent";
    },
  } as unknown as Connection;
  const media = new MediaPlane({
    verifier: TRUSTING,
    sha256: hash,
    clock,
    time: new ServerTime(clock),
    egresses: { connection: () => connection, items: () => undefined },
    onEvent: () => {},
    instruments: NO_INSTRUMENTS,
  });
  const voices = Array.from({ length: FLOWS }, (_, index) => {
    const row = rowOf(profile, index);
    media.apply({ kind: "install", row });
    return { row, writer: new FeedbackWriter({ ssrc: 9, start: 0 }), ...framesOf(profile, row) };
  });
  const costs: number[] = [];
  for (let at = 0; at < FRAMES; at += 1) {
    now = at * INTERVAL + 5;
    const reports = voices.map(({ writer }) => writer.report(now));
    const begun = process.hrtime.bigint();
    for (const { row, datagrams } of voices) media.datagram(row.connection, datagrams[at] as Uint8Array);
    let spent = process.hrtime.bigint() - begun;
    for (const [index, { row, writer, digests, first }] of voices.entries()) {
      writer.arrived(row.ssrc, first + at, last.length, now, at * INTERVAL);
      const report = reports[index];
      const isListed = profile === "chain" && (at + 1) % CHECKPOINT_FRAMES === 0;
      const before = process.hrtime.bigint();
      const [egress] = row.egress;
      if (report !== undefined && egress !== undefined) {
        const rtcp = new Uint8Array(report.length + 1);
        rtcp[0] = egress.flow;
        rtcp.set(report, 1);
        media.datagram(egress.connection, rtcp);
      }
      if (isListed) {
        const { sessionId, leg, stream } = row;
        const from = at + 1 - CHECKPOINT_FRAMES;
        const listed = digests.slice(from, at + 1);
        const message = { kind: "checkpoint", sessionId, leg, stream, hasGap: false, final: false } as const;
        media.apply({ ...message, firstSequence: first + from, digests: listed });
      }
      spent += process.hrtime.bigint() - before;
    }
    costs.push(Number(spent) / FLOWS);
  }
  media.close();
  if (left < FRAMES * FLOWS) throw new Error("a frame was not let through");
  const contradicted = voices.some(({ row }) => media.counters(row.sessionId)[0]?.contradicted !== undefined);
  if (contradicted) throw new Error("a frame was taken for another one");
  // Checkpoints come with every sixtieth frame: batches of sixty share them.
  return batched(costs);
}

function batched(costs: readonly number[]): number[] {
  const sums: number[] = [];
  for (let at = 0; at + CHECKPOINT_FRAMES <= costs.length; at += CHECKPOINT_FRAMES)
    sums.push(
      costs.slice(at, at + CHECKPOINT_FRAMES).reduce((sum, cost) => sum + cost, 0) / CHECKPOINT_FRAMES,
    );
  return sums;
}

function rowOf(profile: Profile, index: number): AdmissionRow {
  return {
    connection: 2 * index,
    flow: 4,
    sessionId: `session-${index}`,
    sessionDigest: new Uint8Array(32).fill(index),
    leg: 0,
    stream: 1,
    keys: new Map([[0, new Uint8Array(32).fill(1)]]),
    notBefore: WALL - 60_000,
    notAfter: WALL + 86_400_000,
    profile,
    termsNumber: 1,
    payloadType: 111,
    ssrc: 0x1234_0000 + index,
    clockRate: 48_000,
    transmitAllowed: true,
    rate: { framesPerSecond: 60, bytesPerSecond: 30_000, burst: 1 },
    clockOffset: 0,
    clockUncertainty: 0,
    egress: [{ connection: 2 * index + 1, flow: 5 }],
  };
}

function framesOf(profile: Profile, row: AdmissionRow) {
  const { sessionDigest, leg, stream, flow, ssrc, payloadType, clockRate } = row;
  const first = 0x1_0000;
  const sender = new FrameSender({
    ...{ sessionDigest, leg, stream, flow, ssrc, payloadType, clockRate, sha256 },
    frameSamples: 960,
    keyGeneration: 0,
    seal:
      profile === "chain"
        ? { profile, mac: frameMac, key: new Uint8Array(32) }
        : { profile, signer: { publicKey: new Uint8Array(32), sign: () => new Uint8Array(64) } },
    startSequence: first,
    startTimestamp: 0,
  });
  const payload = new Uint8Array(PAYLOAD_BYTES);
  const datagrams: Uint8Array[] = [];
  const digests: Uint8Array[] = [];
  for (let at = 0; at < FRAMES; at += 1) {
    const sent = sender.send(payload, WALL + at * INTERVAL, { audioLevel: { level: 20, voice: true } });
    datagrams.push(sent.datagram);
    digests.push(sent.digest);
  }
  return { datagrams, digests, first };
}

const TRUSTING: Verifier = { verify: () => true, isAcceptableKey: () => true };
const WALL = 1_767_225_600_000;
const FLOWS = 50;
const FRAMES = 600;
const INTERVAL = 20;
const PAYLOAD_BYTES = 160;
const CHECKPOINT_FRAMES = 60;
const ROUNDS = 4;
const CHAIN_TARGET_US = 5;

if (import.meta.main) process.stdout.write(`${formatRows(await run())}\n`);
