/**
 * What worker threads gain in checking signatures: the same frames checked on the main thread, and by workers fed through rings in
 * shared memory. Printed beside it: what the hand-off costs the main thread, which is what a relay would pay for each frame.
 */
import { Worker } from "node:worker_threads";
import { createSigner, random, verifier } from "../platform/node/sodium.ts";
import { type BenchRow, formatRows } from "./row.ts";
import { type RingMemory, SignatureRing } from "./verify-ring.ts";

/** About ten seconds. */
export async function run(): Promise<BenchRow[]> {
  const frames = signedFrames();
  const rows: BenchRow[] = [];
  const main = onMainThread(frames);
  rows.push(row("main thread", "checked", main, "/s"));
  for (const workers of WORKERS) {
    const { perSecond, handOff, median } = await onWorkers(frames, workers);
    const load = `${workers} worker${workers === 1 ? "" : "s"}`;
    rows.push(
      row(load, "checked", perSecond, "/s"),
      row(load, "over main thread", perSecond / main, "x"),
      row(load, "hand-off, main thread", handOff, "us/frame"),
      row(load, "wait of one alone, p50", median, "us"),
    );
  }
  return rows;
}

interface SignedFrame {
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
}

interface Feed {
  readonly worker: Worker;
  readonly ring: SignatureRing;
}

const KEY = createSigner(random(32));

function signedFrames(): SignedFrame[] {
  return Array.from({ length: DISTINCT_FRAMES }, () => {
    const message = random(MESSAGE_BYTES);
    return { message, signature: KEY.sign(message) };
  });
}

/** Checks a second. */
function onMainThread(frames: readonly SignedFrame[]): number {
  let checked = 0;
  const start = performance.now();
  while (performance.now() - start < RUN_MS) {
    for (const { message, signature } of frames) {
      if (!verifier.verify(KEY.publicKey, message, signature)) throw new Error("a signature did not hold");
      checked += 1;
    }
  }
  return (checked * 1_000) / (performance.now() - start);
}

async function onWorkers(
  frames: readonly SignedFrame[],
  workers: number,
): Promise<{ perSecond: number; handOff: number; median: number }> {
  const feeds = await Promise.all(Array.from({ length: workers }, startWorker));
  try {
    const first = feeds[0] as Feed;
    const waits = Array.from({ length: SINGLE_FRAMES }, (_, index) => {
      const { message, signature } = frames[index % frames.length] as SignedFrame;
      const before = performance.now();
      first.ring.offer(message, signature);
      while (first.ring.waiting > 0);
      return (performance.now() - before) * 1_000;
    }).sort((a, b) => a - b);
    const figures = await feedAll(feeds, frames);
    if (feeds.some(({ ring }) => ring.failed > 0)) throw new Error("a signature did not hold");
    return { ...figures, median: waits[SINGLE_FRAMES >> 1] ?? Number.NaN };
  } finally {
    await Promise.all(feeds.map(({ worker }) => worker.terminate()));
  }
}

/** Keeps every ring full for a while; what offering costs is timed apart from waiting for room. */
async function feedAll(feeds: readonly Feed[], frames: readonly SignedFrame[]) {
  let offered = 0;
  let spent = 0;
  const start = performance.now();
  const before = feeds.reduce((sum, { ring }) => sum + ring.checked, 0);
  while (performance.now() - start < RUN_MS) {
    const began = performance.now();
    let took = 0;
    for (const { ring } of feeds) {
      while (ring.hasRoom) {
        const { message, signature } = frames[offered % frames.length] as SignedFrame;
        ring.offer(message, signature);
        offered += 1;
        took += 1;
      }
    }
    if (took > 0) spent += performance.now() - began;
    await new Promise((resolve) => setImmediate(resolve));
  }
  const checked = feeds.reduce((sum, { ring }) => sum + ring.checked, 0) - before;
  const perSecond = (checked * 1_000) / (performance.now() - start);
  return { perSecond, handOff: (spent * 1_000) / offered };
}

async function startWorker(): Promise<Feed> {
  const memory: RingMemory = SignatureRing.memory();
  const worker = new Worker(new URL("./verify-worker.ts", import.meta.url), {
    workerData: { memory, publicKey: KEY.publicKey },
  });
  await new Promise((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
  });
  return { worker, ring: new SignatureRing(memory) };
}

function row(load: string, metric: string, value: number, unit: string): BenchRow {
  const better = unit === "/s" || unit === "x" ? "more" : "less";
  return { name: `signatures, ${load}`, metric, value, unit, better, note: NOTE };
}

/** Digest and place of the session before a voice frame of 160 bytes with its headers. */
const MESSAGE_BYTES = 55 + 97 + 160;
const DISTINCT_FRAMES = 256;
const SINGLE_FRAMES = 501;
const WORKERS = [1, 2] as const;
const RUN_MS = 1_500;
const NOTE = `${MESSAGE_BYTES} signed bytes, sodium-native`;

if (import.meta.main) process.stdout.write(`${formatRows(await run())}\n`);
