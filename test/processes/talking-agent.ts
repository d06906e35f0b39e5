/**
 * An agent in a process of its own. Its one argument is JSON: url, certificateHash, identityFile, anchor, speech (a WAV file)
 * and folder. It answers every call; told to `call`, it calls. In a call it says its speech and waits for the other's turn
 * to end; whoever called then hangs up. What it heard goes into `<name>.wav`, the evidence into `call.evidence`.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Agent, type Call } from "../../agent/node.ts";
import { encodeWav, parseWav } from "../../codecs/wav.ts";
import { CallListener } from "../listener.ts";
import { until } from "../waiting.ts";

export interface TalkingAgentOptions {
  readonly name: string;
  readonly url: string;
  readonly certificateHash: string;
  readonly identityFile: string;
  /** Raw Ed25519 key, hex. */
  readonly anchor: string;
  readonly speech: string;
  readonly folder: string;
}

export type TalkingAgentNotice =
  | { readonly kind: "online"; readonly agentId: string }
  | { readonly kind: "hearing" }
  | {
      readonly kind: "over";
      readonly reason: string;
      readonly by: string;
      readonly sent: number;
      readonly verified: number;
      readonly refused: number;
      readonly faults: readonly string[];
    };

const options = JSON.parse(process.argv[2] ?? "") as TalkingAgentOptions;
const speech = parseWav(readFileSync(options.speech));
if (!speech.ok) throw new Error(speech.fault.message);
const { samples } = speech.value;
const faults: string[] = [];

const agent = await Agent.connect(options.url, {
  identity: options.identityFile,
  certificateHashes: [options.certificateHash],
  anchors: [Buffer.from(options.anchor, "hex")],
  report: (error) => faults.push(String(error)),
});
agent.onCall(async (incoming) => talk(await incoming.accept()));
process.on("message", (message: { readonly call: string } | "leave") => {
  if (message === "leave") void agent.close().then(() => process.disconnect?.());
  else void agent.call(message.call).then(talk);
});
tell({ kind: "online", agentId: agent.id });

async function talk(call: Call): Promise<void> {
  const listener = new CallListener(call);
  const spoken = call.audio.write(samples).then(() => call.audio.endTurn());
  void until("a verified frame", () => listener.verified > 0, 60_000).then(() => tell({ kind: "hearing" }));
  if (call.leg === 0) {
    await Promise.all([spoken, until("the end of the other's turn", () => listener.turns > 0, 60_000)]);
    await call.end("said-everything");
  }
  const { reason, by } = await call.ended;
  await call.end();
  await listener.over;
  const { sent, heard } = call.stats();
  const { clockRate } = listener;
  writeFileSync(
    join(options.folder, `${options.name}.wav`),
    encodeWav({ sampleRate: clockRate, channels: 1, samples: listener.speech }),
  );
  if (call.leg === 0) writeFileSync(join(options.folder, "call.evidence"), await call.evidence());
  const refused = Object.values(heard?.refused ?? {}).reduce((sum, count) => sum + count, 0);
  tell({ kind: "over", reason, by, sent: sent?.sent ?? 0, verified: heard?.verified ?? 0, refused, faults });
}

function tell(notice: TalkingAgentNotice): void {
  process.send?.(notice);
}
