// Agents by QUIC that say back what they hear, frame by frame as it is coded. Arguments: a `LoadTarget` as JSON, how many, and the profile
// of the calls that they take. Prints
// `{"agents": [...]}`, and an `EchoCounts` for the line `stats`. It gives way to the server.
import { constants, setPriority } from "node:os";
import { createInterface } from "node:readline";
import { Agent, createIdentity } from "../../agent/node.ts";
import type { FrameProfile } from "../../codecs/frame.ts";
import type { LoadTarget } from "./link.ts";

export interface EchoCounts {
  readonly calls: number;
  readonly heard: number;
  /** What became of what was said back. */
  readonly fates: Readonly<Record<string, number>>;
  /** Frames that were not taken, by reason. */
  readonly refused: Readonly<Record<string, number>>;
}

setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
const { address, certificateHash = "" } = JSON.parse(process.argv[2] ?? "{}") as LoadTarget;
const profile = process.argv[4] as FrameProfile;
const fates: Record<string, number> = {};
const refused: Record<string, number> = {};
let [calls, heard] = [0, 0];
const agents = await Promise.all(
  Array.from({ length: Number(process.argv[3]) }, async (_, index) => {
    const agent = await Agent.connect(`https://${address}/agtp`, {
      identity: createIdentity({ name: `echo ${index}` }).identity,
      certificateHashes: [Buffer.from(certificateHash, "hex")],
      carrier: "webtransport",
    });
    agent.onCall(async (incoming) => {
      const call = await incoming.accept({ profile, voices: "encoded", audio: { codecs: ["opus"] } });
      const { voice } = call;
      if (voice === undefined) throw new Error("a call without a voice");
      calls += 1;
      call.on("frames-refused", ({ reason, count }) => {
        refused[reason] = (refused[reason] ?? 0) + count;
      });
      // In the order of their arrival, which may be another one than that of their timestamps: who hears them goes by what is in them.
      for await (const { payload } of voice) {
        heard += 1;
        if (call.state === "ended") continue;
        const fate = voice.send({ payload });
        fates[fate] = (fates[fate] ?? 0) + 1;
      }
    });
    return agent;
  }),
);
print({ agents: agents.map(({ id }) => id) });
for await (const line of createInterface({ input: process.stdin }))
  if (line.includes("stats")) print({ calls, heard, fates, refused } satisfies EchoCounts);
await Promise.all(agents.map((agent) => agent.close()));
process.exit(0);

function print(line: unknown): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
