/** Frame decode: the envelope alone, no signature (target P8), in batches of 1,000 frames. */
import { buildFrame, type FrameProfile, FrameView, parseFrame } from "../codecs/frame.ts";
import { type BenchRow, formatRows } from "./row.ts";

/**
 * Measures `parseFrame` on 160-byte voice frames of both profiles, about two seconds, by the wall clock: on a machine
 * shared with other work some batches include time when another process had the core, which p90 beside p99 shows.
 */
export async function run(): Promise<BenchRow[]> {
  return (["frame", "chain"] as const).flatMap((profile) => {
    const perFrame = measure(voiceFrames(profile));
    const common = {
      name: `frame decode, profile ${profile}`,
      unit: "ns/frame",
      better: "less",
      note: `160 B payload, ${BATCHES} batches of ${BATCH_FRAMES}, ${WARM_UP_BATCHES} before to warm up`,
    } as const;
    return [
      { ...common, metric: "p50", value: percentile(perFrame, 0.5) },
      { ...common, metric: "p90", value: percentile(perFrame, 0.9) },
      { ...common, metric: "p99", value: percentile(perFrame, 0.99), target: P99_TARGET_NS },
    ];
  });
}

/** Frames as they come off the wire, each in an array of its own behind a flow identifier. */
function voiceFrames(profile: FrameProfile): Uint8Array[] {
  return Array.from({ length: BATCH_FRAMES }, (_, index) =>
    buildFrame(
      {
        profile,
        keyGeneration: 0,
        sequence: 0x1_0000_0000 + index,
        captureSeconds: 0xe9000000 + Math.floor(index / 50),
        captureFraction: (index % 50) * 85_899_345,
        payloadType: 111,
        timestamp: index * 960,
        ssrc: 0xdecafbad,
        info: { keyFrame: true },
        epoch: 1,
        audioLevel: { level: 20, voice: true },
        payload: new Uint8Array(160),
      },
      FLOW_BYTES,
    ),
  );
}

/** Nanoseconds per frame of each batch, sorted. */
function measure(frames: readonly Uint8Array[]): Float64Array {
  const view = new FrameView();
  const perFrame = new Float64Array(BATCHES);
  let checksum = 0;
  for (let batch = -WARM_UP_BATCHES; batch < BATCHES; batch++) {
    const before = process.hrtime.bigint();
    for (const frame of frames) {
      if (parseFrame(frame, FLOW_BYTES, view) !== undefined) throw new Error("a frame did not parse");
      checksum += view.sequence;
    }
    const elapsed = Number(process.hrtime.bigint() - before);
    if (batch >= 0) perFrame[batch] = elapsed / frames.length;
  }
  // Using the sum keeps the loop's work from being optimised away.
  if (checksum === 0) throw new Error("nothing was parsed");
  return perFrame.sort();
}

function percentile(sorted: Float64Array, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] as number;
}

const BATCH_FRAMES = 1000;
const BATCHES = 5000;
const WARM_UP_BATCHES = 500;
const FLOW_BYTES = 1;
const P99_TARGET_NS = 150;

if (import.meta.main) process.stdout.write(`${formatRows(await run())}\n`);
