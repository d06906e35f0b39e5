import { extname } from "node:path";
import { Agent, type CallOptions, type IncomingCall } from "../../agent/node.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import { type AudioFlags, audioOptions, profileOption } from "./audio-flags.ts";
import { type AgentConnectFlags, connectOptions, serverOf } from "./connect-flags.ts";
import { type ConversationReport, converse, describeConversation } from "./conversation.ts";
import { EXIT, type ExitCode, exitCodeOf } from "./exit-codes.ts";
import { requireWritable } from "./files.ts";
import { takeInterrupts } from "./interrupts.ts";
import { KeptFramesWriter } from "./kept-frames-writer.ts";
import type { Output } from "./output.ts";
import { toneVoice, type Voice, wavVoice } from "./voice.ts";

/** Flags of `parley answer`. */
export interface AnswerFlags extends AgentConnectFlags, AudioFlags {
  readonly in?: string;
  readonly tone?: number;
  readonly echo?: true;
  readonly out?: string;
  readonly evidence?: string;
  readonly keep?: string;
  readonly for?: number;
  readonly busy?: true;
  readonly decline?: true;
  readonly once?: true;
  readonly reason: string;
}

/** `parley answer`: waits for calls and takes one at a time; a second caller is told that the agent is busy. */
export async function answerCommand(flags: AnswerFlags, output: Output): Promise<ExitCode> {
  requireWritable(flags.out, flags.evidence, flags.keep);
  const voice =
    flags.in !== undefined
      ? await wavVoice(flags.in)
      : flags.tone !== undefined
        ? toneVoice(flags.tone)
        : undefined;
  const interrupts = takeInterrupts(() => output.note("hanging up …"));
  const agent = await Agent.connect(serverOf(flags), await connectOptions(flags));
  const desk = new AnsweringDesk(flags, voice, interrupts.signal, output);
  const gone = new Promise<void>((resolve) => agent.on("closed", () => resolve()));
  const stopped = new Promise<void>((resolve) =>
    interrupts.signal.addEventListener("abort", () => resolve()),
  );
  try {
    agent.onCall((call) => desk.take(call));
    output.line(`online as ${agent.id}; waiting for calls`);
    await Promise.race([gone, stopped, desk.done]);
    await desk.settled();
    output.result({
      agent_id: agent.id,
      server_id: agent.serverId,
      calls: desk.reports,
      declined: desk.declined,
    });
    if (desk.failure !== undefined) return exitCodeOf(desk.failure);
    return interrupts.signal.aborted || flags.once === true ? EXIT.done : EXIT.unreachable;
  } finally {
    await agent.close();
    interrupts.release();
  }
}

class AnsweringDesk {
  /** Resolves when there is nothing left to wait for. */
  readonly done: Promise<void>;
  readonly reports: ConversationReport[] = [];
  readonly #flags: AnswerFlags;
  readonly #voice: Voice | undefined;
  readonly #signal: AbortSignal;
  readonly #output: Output;
  readonly #finish: () => void;
  #taken = 0;
  #declined = 0;
  #failure: unknown;
  #current: Promise<void> | undefined;

  constructor(flags: AnswerFlags, voice: Voice | undefined, signal: AbortSignal, output: Output) {
    this.#flags = flags;
    this.#voice = voice;
    this.#signal = signal;
    this.#output = output;
    const done = Promise.withResolvers<void>();
    this.done = done.promise;
    this.#finish = done.resolve;
  }

  /** Calls that were not taken. */
  get declined(): number {
    return this.#declined;
  }

  /** What went wrong in the last call, if anything did. */
  get failure(): unknown {
    return this.#failure;
  }

  /** Resolves when the call that is up, if one is, is over. */
  async settled(): Promise<void> {
    await this.#current;
  }

  async take(incoming: IncomingCall): Promise<void> {
    const { busy, decline, once } = this.#flags;
    const { name, agentId, gateway } = incoming.caller;
    const who = `${name} (${agentId})${gateway === undefined ? "" : `, a gateway for ${gateway.subject},`}`;
    const isTaken = this.#current !== undefined || (once === true && this.#taken > 0);
    if (busy === true || decline === true || isTaken || this.#signal.aborted) {
      this.#declined += 1;
      this.#output.note(`${who} calls; not taken`);
      await incoming.decline(decline === true ? "declined" : "busy");
      if (once === true && !isTaken) this.#finish();
      return;
    }
    this.#output.note(`${who} calls`);
    this.#taken += 1;
    this.#current = this.#hold(incoming).catch((error: unknown) => {
      this.#failure = error;
      this.#output.note(`the call failed: ${error instanceof Error ? error.message : String(error)}`);
    });
    await this.#current;
    this.#current = undefined;
    if (once === true) this.#finish();
  }

  async #hold(incoming: IncomingCall): Promise<void> {
    this.#failure = undefined;
    const flags = this.#flags;
    const keepPath = this.#numbered(flags.keep);
    const keep = keepPath === undefined ? undefined : new KeptFramesWriter(keepPath);
    const options: CallOptions = {
      // Nobody here would read messages.
      data: false,
      ...profileOption(flags),
      audio: audioOptions(flags, this.#voice),
      ...(keep === undefined ? {} : { tap: keep.tap }),
    };
    const call = await incoming.accept(options).catch((error: unknown) => {
      // Taken back or rung out meanwhile: nothing that this end could do better.
      if (error instanceof ParleyError && error.code === "offer-dead") return undefined;
      throw error;
    });
    if (call === undefined) {
      await keep?.close();
      return;
    }
    const report = await converse(call, {
      voice: this.#voice,
      echo: flags.echo ?? false,
      out: this.#numbered(flags.out),
      evidence: this.#numbered(flags.evidence),
      keep,
      linger: undefined,
      longest: flags.for,
      reason: flags.reason,
      signal: this.#signal,
    });
    this.reports.push(report);
    for (const line of describeConversation(report)) this.#output.line(line);
  }

  /** The path for this call: `heard.wav`, then `heard-2.wav`, so that no call overwrites another. */
  #numbered(path: string | undefined): string | undefined {
    if (path === undefined || this.#taken <= 1) return path;
    const extension = extname(path);
    return `${path.slice(0, path.length - extension.length)}-${this.#taken}${extension}`;
  }
}
