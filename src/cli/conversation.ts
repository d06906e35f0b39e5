/** One call as the command line holds it: says a voice, records what it hears, and knows when to hang up. */
import type { Call, CallEnd, CallStats, Recording } from "../../agent/node.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import { writeOutput } from "./files.ts";
import type { KeptFramesWriter } from "./kept-frames-writer.ts";
import { startProgress } from "./progress.ts";
import type { Voice } from "./voice.ts";
import { WavWriter } from "./wav-writer.ts";

/** What to do in a call. */
export interface ConversationPlan {
  readonly voice: Voice | undefined;
  /** Plays this, marked as recorded. */
  readonly recording?: Recording | undefined;
  /** Says back what is heard. */
  readonly echo: boolean;
  /** WAV file for what is heard. */
  readonly out: string | undefined;
  readonly evidence: string | undefined;
  readonly keep: KeptFramesWriter | undefined;
  /** Hangs up once nothing was heard for so many seconds after the voice was said; undefined: the other end hangs up. */
  readonly linger: number | undefined;
  /** Hangs up after so many seconds, whatever goes on. */
  readonly longest: number | undefined;
  readonly reason: string;
  /** Hangs up when aborted. */
  readonly signal: AbortSignal;
}

/** What became of a call, for people and machines. */
export interface ConversationReport {
  readonly session_id: string;
  readonly leg: 0 | 1;
  readonly peer: { readonly agent_id: string; readonly name: string; readonly anchored: boolean };
  readonly codec: string | undefined;
  readonly ended: CallEnd;
  readonly seconds: number;
  readonly stats: CallStats;
  readonly files: Readonly<Record<string, string>>;
  /** Frames in the file of kept ones. */
  readonly kept: number | undefined;
}

/** Holds the call until it is over and its files are written. Throws `usage` for a file, `evidence-not-ready`. */
export async function converse(call: Call, plan: ConversationPlan): Promise<ConversationReport> {
  try {
    return await hold(call, plan);
  } catch (error) {
    await call.end("failed");
    throw error;
  }
}

async function hold(call: Call, plan: ConversationPlan): Promise<ConversationReport> {
  const began = performance.now();
  const over = new AbortController();
  void call.ended.then(() => over.abort());
  const listening = new Listening(call, plan);
  const spoken = speak(call, plan);
  const ending = endWhenDone(call, plan, { spoken, listening, over: over.signal });
  const parts = Promise.all([listening.run(), spoken, ending]);
  // What fails meanwhile is told at once: nobody waits for the other end to hang up.
  const ended = await Promise.race([call.ended, parts.then(() => call.ended)]);
  const seconds = (performance.now() - began) / 1000;
  // Idempotent: resolves when this end's last statements have left.
  await call.end(plan.reason);
  await parts;
  await plan.keep?.close();
  if (plan.evidence !== undefined) await writeOutput(plan.evidence, await call.evidence());
  const { out, evidence, keep } = plan;
  const files = { heard: listening.wrote ? out : undefined, evidence, kept: keep?.path };
  return {
    session_id: call.id,
    leg: call.leg,
    peer: { agent_id: call.peer.agentId, name: call.peer.name, anchored: call.peer.anchored },
    codec: (call.audio.sends ?? call.audio.hears)?.name,
    ended,
    seconds: Math.round(seconds * 1000) / 1000,
    stats: call.stats(),
    files: Object.fromEntries(
      Object.entries(files).flatMap(([name, path]) => (path === undefined ? [] : [[name, path]])),
    ),
    kept: keep?.frames,
  };
}

/** Lines for people. */
export function describeConversation(report: ConversationReport): string[] {
  const { sent, heard } = report.stats;
  const refused = Object.entries(heard?.refused ?? {}).map(([reason, count]) => `${count} ${reason}`);
  return [
    `call ${report.session_id} with ${report.peer.name} (${report.peer.agent_id})`,
    `  ended    ${report.ended.reason}, by ${report.ended.by}, after ${report.seconds.toFixed(1)} s`,
    `  said     ${sent?.sent ?? 0} frames, ${sent?.turns ?? 0} turns`,
    `  heard    ${heard?.heard ?? 0} frames, ${heard?.verified ?? 0} verified, ${heard?.concealed ?? 0} concealed`,
    `  refused  ${refused.length === 0 ? "none" : refused.join(", ")}`,
    ...Object.entries(report.files).map(([name, path]) => `  ${name.padEnd(8)} ${path}`),
  ];
}

/** Reads what the other end says: records it, echoes it, and remembers when it last spoke. */
class Listening {
  readonly #call: Call;
  readonly #plan: ConversationPlan;
  #lastSpeech = Number.NEGATIVE_INFINITY;
  #recording: WavWriter | undefined;

  constructor(call: Call, plan: ConversationPlan) {
    this.#call = call;
    this.#plan = plan;
  }

  /** When speech was last heard, in milliseconds of `performance.now()`. */
  get lastSpeech(): number {
    return this.#lastSpeech;
  }

  /** Whether anything was recorded. */
  get wrote(): boolean {
    return this.#recording !== undefined;
  }

  /** Until the call is over. Throws `usage` when the recording cannot be written. */
  async run(): Promise<void> {
    const { out, echo } = this.#plan;
    for await (const heard of this.#call.audio.heard({ silence: true })) {
      if (out !== undefined) {
        this.#recording ??= await WavWriter.create(out, heard);
        this.#recording.write(heard.position, heard.pcm);
      }
      if (heard.kind !== "speech") continue;
      this.#lastSpeech = performance.now();
      if (!echo) continue;
      try {
        // Not awaited: what is heard comes no faster than it can be said.
        this.#call.audio.write(heard.pcm).catch(() => undefined);
        if (heard.endOfTurn) this.#call.audio.endTurn().catch(() => undefined);
      } catch (error) {
        if (!isOver(error)) throw error;
      }
    }
    await this.#recording?.close();
  }
}

/** Says the voice, or plays the recording, at the pace of speech. */
async function speak(call: Call, { voice, recording }: ConversationPlan): Promise<void> {
  const format = call.audio.sends;
  if (format === undefined) return;
  if (recording !== undefined) await call.audio.replay(recording).catch(unlessOver);
  if (voice === undefined) return;
  const pcm = voice.pcm(format);
  const piece = Math.round(format.clockRate * PIECE_SECONDS) * format.channels;
  const perSecond = format.clockRate * format.channels;
  const progress = startProgress("speaking", Math.round(pcm.length / perSecond), "s");
  try {
    for (let at = 0; at < pcm.length; at += piece) {
      await call.audio.write(pcm.subarray(at, at + piece));
      progress.update(at / perSecond);
    }
    await call.audio.endTurn();
  } catch (error) {
    if (!isOver(error)) throw error;
  } finally {
    progress.stop();
  }
}

async function endWhenDone(
  call: Call,
  plan: ConversationPlan,
  until: { readonly spoken: Promise<void>; readonly listening: Listening; readonly over: AbortSignal },
): Promise<void> {
  const { linger, longest, signal, reason } = plan;
  const latest = performance.now() + (longest ?? Number.POSITIVE_INFINITY) * 1000;
  let saidAt: number | undefined;
  void until.spoken.then(() => {
    saidAt = performance.now();
  });
  while (!until.over.aborted) {
    const now = performance.now();
    const quietSince = saidAt === undefined ? now : Math.max(saidAt, until.listening.lastSpeech);
    const isQuiet = linger !== undefined && now - quietSince >= linger * 1000;
    if (signal.aborted || isQuiet || now >= latest) {
      await call.end(signal.aborted ? "interrupted" : reason);
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

function unlessOver(error: unknown): void {
  if (!isOver(error)) throw error;
}

function isOver(error: unknown): boolean {
  return error instanceof ParleyError && error.code === "closed";
}

/** Sound handed over at once, seconds. */
const PIECE_SECONDS = 0.1;
/** How often it is looked whether the call should end, ms. */
const LOOK_MS = 50;
