// Answers one call and finds the markers in what it hears. Argument: a `LoadTarget` as JSON. Prints `{"agentId":…}`, and an `EarReport`
// when the call is over.
import { connectAgent } from "../../agent/connect.ts";
import type { HeardAudio, HeardSpeech } from "../../agent/heard-audio.ts";
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
  /** Longest time in which nothing of what was said was there, ms. */
  readonly longestGap: number;
}

const FRAME_MS = 20;

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
      const call = await incoming.accept({ audio: { codecs: ["opus"], frameMs: FRAME_MS } });
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

/** After the last frame of a turn, lost, sound is made up where nothing was said: of that counts what was lost. */
function longestGap(): number {
  let [longest, present] = [0, 0];
  let before: HeardSpeech | undefined;
  for (const { heard } of pieces) {
    if (heard.kind !== "speech") {
      present += (heard.pcm.length / heard.channels / heard.clockRate) * 1_000;
      continue;
    }
    const lost = (heard.sequence - (before?.sequence ?? heard.sequence) - 1) * FRAME_MS;
    longest = Math.max(longest, heard.startOfTurn ? Math.min(present, lost) : present);
    present = 0;
    before = heard;
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
