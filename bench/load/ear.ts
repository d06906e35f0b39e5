// Answers one call and finds the markers in what it hears. Argument: a `LoadTarget` as JSON. Prints `{"agentId":…}`, and an `EarReport`
// when the call is over.
import { connectAgent } from "../../agent/connect.ts";
import type { HeardAudio } from "../../agent/heard-audio.ts";
import { createIdentity } from "../../agent/node.ts";
import { preciseWall } from "../../src/bots/bot-platform.ts";
import { findMarkers, markerTone } from "../marker.ts";
import type { LoadTarget } from "./link.ts";
import { precisePlatform } from "./precise-platform.ts";

export interface EarReport {
  /** When each marker's first sample left for the loudspeaker, Unix milliseconds. */
  readonly heardAt: readonly number[];
  /** By how much PCM was handed over after its time, ms. */
  readonly handedOverLate: readonly number[];
  /** From capture of a frame's first sample to its playing, ms: frame, network and playout delay. */
  readonly captureToPlay: readonly number[];
  readonly concealed: number;
  readonly speech: number;
  /** Longest time in which everything was made up, ms. */
  readonly longestGap: number;
}

interface Piece {
  readonly heard: HeardAudio;
  /** Unix milliseconds at which it was handed over. */
  readonly at: number;
}

const target = JSON.parse(process.argv[2] ?? "{}") as LoadTarget;
const { identity } = createIdentity({ name: "ear" });
const agent = await connectAgent(precisePlatform(), `https://${target.address}/agtp`, {
  identity,
  certificateHashes: [Buffer.from(target.certificateHash ?? "", "hex")],
});
const pieces: Piece[] = [];
const over = new Promise<void>((resolve, reject) => {
  agent.onCall(async (incoming) => {
    try {
      const call = await incoming.accept({ audio: { codecs: ["opus"], frameMs: 20 } });
      for await (const heard of call.audio) pieces.push({ heard, at: preciseWall(performance.now()) });
      resolve();
    } catch (error) {
      reject(error);
    }
  });
});
process.stdout.write(`${JSON.stringify({ agentId: agent.id })}\n`);
await over;
process.stdout.write(`${JSON.stringify(report())}\n`);
await agent.close();
process.exit(0);

function report(): EarReport {
  const rate = pieces[0]?.heard.clockRate ?? 48_000;
  const first = pieces[0]?.heard.position ?? 0;
  const last = pieces.at(-1)?.heard;
  const pcm = new Int16Array(last === undefined ? 0 : last.position - first + last.pcm.length);
  for (const { heard } of pieces) pcm.set(heard.pcm, heard.position - first);
  const heardAt = findMarkers(pcm, markerTone(rate)).map(({ at }) => timeOf(at + first, rate));
  const speech = pieces.flatMap(({ heard }) => (heard.kind === "speech" ? [heard] : []));
  return {
    heardAt,
    handedOverLate: pieces.map(({ heard, at }) => at - heard.playedAt),
    captureToPlay: speech.map(({ playedAt, capturedAt }) => playedAt - capturedAt),
    concealed: pieces.length - speech.length,
    speech: speech.length,
    longestGap: longestGap(),
  };
}

function longestGap(): number {
  let [longest, present] = [0, 0];
  for (const { heard } of pieces) {
    const ms = (heard.pcm.length / heard.channels / heard.clockRate) * 1_000;
    present = heard.kind === "speech" ? 0 : present + ms;
    longest = Math.max(longest, present);
  }
  return longest;
}

/** When a sample was played: as planned, or when it was handed over if that was later. */
function timeOf(position: number, rate: number): number {
  const piece = pieces.findLast(({ heard }) => heard.position <= position);
  if (piece === undefined) return Number.NaN;
  const start = Math.max(piece.heard.playedAt, piece.at);
  return start + ((position - piece.heard.position) * 1_000) / rate;
}
