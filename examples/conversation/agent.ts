/** One of the two agents of the demo, in a process of its own: listens for the end of the other's turn, then speaks its own. */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { Agent, type Call, type HeardAudio, type PacketTap } from "../../agent/node.ts";
import { encodeKeptFrames, type KeptFrame, keptFramesTitle } from "../../codecs/kept-frames.ts";
import { encodeWav } from "../../codecs/wav.ts";
import type { AgentReport, HeardTurn, Instruction, Notice, SpokenTurn } from "./messages.ts";
import { readScript, type Speaker } from "./script.ts";

/** Thinking time between the other's last word and one's own first, ms. */
const REPLY_AFTER_MS = 250;
/** Silence that ends a turn whose mark was lost, ms. */
const SILENCE_ENDS_TURN_MS = 700;
const LOOKAHEAD_MS = 6.5;

const { values: options } = parseArgs({
  options: {
    name: { type: "string" },
    url: { type: "string" },
    hash: { type: "string" },
    key: { type: "string" },
    anchor: { type: "string" },
    out: { type: "string" },
  },
});
const name = options.name as Speaker;
const script = readScript();
const kept: KeptFrame[] = [];
const spoken: SpokenTurn[] = [];
const heardTurns: HeardTurn[] = [];
const delays: number[] = [];
const refused: { reason: string; count: number }[] = [];
const recording: HeardAudio[] = [];
let nextTurn = 0;
let dialled: AgentReport["dialled"];
let firstHeardAt: number | undefined;

const agent = await Agent.connect(options.url as string, {
  identity: options.key as string,
  certificateHashes: [options.hash as string],
  anchors: [Buffer.from(options.anchor as string, "base64url")],
  report: (error) => console.error(name, error),
});
const tap: PacketTap = ({ leg, stream, bytes }) => kept.push({ leg, stream, packet: bytes });

agent.onCall(async (incoming) => {
  const call = await incoming.accept({ tap });
  tell({ kind: "progress", text: `${name} answers ${incoming.caller.name}` });
  await converse(call);
});
process.on("message", (instruction: Instruction) => {
  if (instruction.kind === "call") void place(instruction.callee);
  else void agent.close().then(() => process.disconnect?.());
});
tell({ kind: "online", agentId: agent.id });

async function place(callee: string): Promise<void> {
  const at = Date.now();
  const began = performance.now();
  const call = await agent.call(callee, { tap });
  const answeredAfter = performance.now() - began;
  dialled = { at, answeredAfter };
  tell({
    kind: "progress",
    text: `${name} is through to ${call.peer.name} after ${answeredAfter.toFixed(0)} ms`,
  });
  await converse(call);
}

/** Speaks and listens until the script is at its end, then hangs up or waits for the other to do so. */
async function converse(call: Call): Promise<void> {
  call.on("frames-refused", ({ reason, count }) => refused.push({ reason, count }));
  const listening = listen(call);
  while (script[nextTurn]?.speaker === name) await speak(call);
  await listening;
  const end = await call.ended;
  await call.end("conversation-over");
  save();
  if (name === "ada") {
    writeFileSync(`${options.out}/call.evidence`, await call.evidence());
    tell({ kind: "progress", text: `${name} has the evidence of the call` });
  }
  tell({ kind: "done", report: report(call, end.reason) });
}

async function speak(call: Call): Promise<void> {
  const turn = nextTurn++;
  const { pcm, text } = script[turn] as (typeof script)[number];
  tell({ kind: "progress", text: `${name}: ${text}` });
  // A frame goes when its last sample is there: its first one counts as captured a frame earlier.
  const { frameSamples = 0, clockRate = 1 } = call.audio.sends ?? {};
  const from = Date.now() - (frameSamples * 1000) / clockRate;
  await call.audio.write(pcm);
  await call.audio.endTurn();
  spoken.push({ turn, from, to: Date.now() });
}

/** Records everything heard, and takes the turn when the other's is over. */
async function listen(call: Call): Promise<void> {
  let speech: { from: number; to: number } | undefined;
  for await (const heard of call.audio.heard({ silence: true })) {
    recording.push(heard);
    if (heard.kind === "speech") {
      firstHeardAt ??= heard.playedAt;
      delays.push(heard.playedAt - heard.capturedAt + LOOKAHEAD_MS);
      speech = { from: speech?.from ?? heard.playedAt, to: heard.playedAt };
      if (!heard.endOfTurn) continue;
    } else if (speech === undefined || heard.playedAt - speech.to < SILENCE_ENDS_TURN_MS) {
      continue;
    }
    heardTurns.push({ ...speech, endedBy: heard.kind === "speech" ? "mark" : "silence" });
    speech = undefined;
    nextTurn++;
    await pause(REPLY_AFTER_MS);
    if (nextTurn < script.length) await speak(call);
    // The listener of the last turn has heard it out, so it hangs up.
    else void call.end("conversation-over");
  }
}

/** What was heard, on its own timeline, and the frames it was made of. */
function save(): void {
  const clockRate = recording[0]?.clockRate ?? 48_000;
  const length = recording.reduce((end, { position, pcm }) => Math.max(end, position + pcm.length), 0);
  const samples = new Int16Array(length);
  for (const { position, pcm } of recording) samples.set(pcm, position);
  writeFileSync(
    `${options.out}/${name}-heard.wav`,
    encodeWav({ sampleRate: clockRate, channels: 1, samples }),
  );
  writeFileSync(
    `${options.out}/${name}-heard.frames`,
    Buffer.concat([keptFramesTitle(), encodeKeptFrames(kept)]),
  );
}

function report(call: Call, endedBecause: string): AgentReport {
  return {
    name,
    agentId: agent.id,
    sessionId: call.id,
    ...(dialled === undefined ? {} : { dialled }),
    firstHeardAt,
    spoken,
    heardTurns,
    recordingFrom: recording[0]?.playedAt ?? 0,
    delays,
    stats: call.stats(),
    framesRefused: refused,
    endedBecause,
  };
}

function tell(notice: Notice): void {
  process.send?.(notice);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
