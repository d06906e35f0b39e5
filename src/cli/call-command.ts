import {
  Agent,
  type Call,
  type CallAudioOptions,
  type OutgoingCallOptions,
  type Recording,
  readRecording,
} from "../../agent/node.ts";
import { type AudioFlags, audioOptions, profileOption } from "./audio-flags.ts";
import type { AgentConnectFlags } from "./connect-flags.ts";
import { connectOptions, serverOf } from "./connect-flags.ts";
import { converse, describeConversation } from "./conversation.ts";
import { EXIT, type ExitCode } from "./exit-codes.ts";
import { readInput, requireWritable } from "./files.ts";
import { takeInterrupts } from "./interrupts.ts";
import { KeptFramesWriter } from "./kept-frames-writer.ts";
import { type Output, usageError } from "./output.ts";
import { toneVoice, wavVoice } from "./voice.ts";

/** Flags of `parley call`. */
export interface CallFlags extends AgentConnectFlags, AudioFlags {
  readonly in?: string;
  readonly tone?: number;
  readonly out?: string;
  readonly evidence?: string;
  readonly keep?: string;
  readonly replay?: string;
  readonly replayEvidence?: string;
  readonly replaySpeaker?: "caller" | "callee";
  readonly gateways: "accept" | "refuse";
  readonly linger: number;
  readonly for?: number;
  readonly reason: string;
}

/** `parley call`: calls an agent, by its ID or an `agtp://` URI, says something, hears the answer, hangs up. */
export async function callCommand(callee: string, flags: CallFlags, output: Output): Promise<ExitCode> {
  requireWritable(flags.out, flags.evidence, flags.keep);
  const voice =
    flags.in !== undefined
      ? await wavVoice(flags.in)
      : flags.tone !== undefined
        ? toneVoice(flags.tone)
        : undefined;
  const recording = await recordingOf(flags);
  const interrupts = takeInterrupts(() => output.note("hanging up …"));
  const agent = await Agent.connect(serverOf(flags, callee), await connectOptions(flags));
  try {
    output.note(`online as ${agent.id}; calling ${callee}`);
    const keep = flags.keep === undefined ? undefined : new KeptFramesWriter(flags.keep);
    const options: OutgoingCallOptions = {
      signal: interrupts.signal,
      onRinging: () => output.note("it rings"),
      gateways: flags.gateways,
      ...profileOption(flags),
      audio: { ...formatOf(recording), ...audioOptions(flags, voice) },
      ...(keep === undefined ? {} : { tap: keep.tap }),
    };
    const dialled = performance.now();
    const call = await agent.call(callee, options);
    const setup = Math.round((performance.now() - dialled) * 10) / 10;
    const { name, gateway } = call.peer;
    output.note(`talking to ${name}${gateway === undefined ? "" : `, a gateway for ${gateway.subject}`}`);
    const report = await converse(call, {
      voice,
      recording,
      echo: false,
      out: flags.out,
      evidence: flags.evidence,
      keep,
      linger: voice === undefined && recording === undefined ? undefined : flags.linger,
      longest: flags.for,
      reason: flags.reason,
      signal: interrupts.signal,
    });
    const result = {
      agent_id: agent.id,
      server_id: agent.serverId,
      setup_ms: setup,
      ...gatewayOf(call),
      ...report,
    };
    output.result(result, ...describeConversation(report));
    return report.ended.reason === "connection-lost" ? EXIT.unreachable : EXIT.done;
  } finally {
    await agent.close();
    interrupts.release();
  }
}

/** For whom a gateway answered, where one did. */
function gatewayOf({ peer: { gateway } }: Call) {
  return gateway === undefined ? {} : { gateway };
}

/** What is to be played, if the flags name it. Throws `usage`, `evidence-invalid`, `stream-malformed`, `field-invalid`. */
async function recordingOf(flags: CallFlags): Promise<Recording | undefined> {
  const { replay, replayEvidence, replaySpeaker: speaker } = flags;
  if (replay === undefined) return undefined;
  if (replayEvidence === undefined)
    throw usageError("--replay needs the evidence of the call that was kept: --replay-evidence FILE.");
  const [frames, evidence] = [await readInput(replay), await readInput(replayEvidence)];
  return readRecording({ frames, evidence, ...(speaker === undefined ? {} : { speaker }) });
}

/** A call that can take the recording: its codec, channels and frame length. */
function formatOf(recording: Recording | undefined): CallAudioOptions {
  if (recording === undefined) return {};
  const { name, channels, frame_ms: frameMs } = recording.codec;
  return { codecs: [name], channels, frameMs };
}
