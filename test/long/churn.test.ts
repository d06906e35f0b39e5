/** A thousand calls made and ended over real sockets: the server's memory and handles are as after a hundred. */
import { expect, it } from "vitest";
import { type Agent, createIdentity, Agent as NodeAgent } from "../../agent/node.ts";
import { churn, look, settle, withServer } from "../../bench/churn.ts";
import type { ProcessSample } from "../../src/bots/process-watch.ts";
import type { ServerProcess } from "../../src/bots/server-process.ts";
import { connectCall, say } from "../calling.ts";
import { within } from "../waiting.ts";

const [FEW, MANY] = [100, 1_000];
const PAIRS = 5;
/**
 * The process's own memory: between 100 and 1,000 calls the young generation reaches its full size and the allocator fills its
 * pools, 20 to 55 MiB together, and calls leave a few kilobytes each for as long as is said (agents, ended sessions). A leak of what
 * the QUIC binding keeps of a connection would be 90 MiB more.
 */
const SLACK_BYTES = 80 * 2 ** 20;
/** Timers of the runtime come and go. */
const SLACK_HANDLES = 2;

it("gives back what calls between new agents took", async () => {
  const [few, many] = await withServer((server) => churn(server, [FEW, MANY]));
  expect(many?.failed).toBe(0);
  expectBack(few?.server as ProcessSample, many?.server as ProcessSample);
});

it("gives back what calls between the same agents took", async () => {
  const [few, many] = await withServer(callAgainAndAgain);
  expectBack(few, many);
});

function expectBack(few: ProcessSample, many: ProcessSample): void {
  console.info(JSON.stringify({ few, many }));
  expect(many.handles).toBeLessThanOrEqual((few.handles ?? 0) + SLACK_HANDLES);
  expect(many.ownMemory).toBeLessThan(few.ownMemory + SLACK_BYTES);
}

/** Pairs that stay online, looked at after few calls and after many. */
async function callAgainAndAgain(server: ServerProcess): Promise<[ProcessSample, ProcessSample]> {
  const certificateHashes = [Buffer.from(server.certificateHash, "hex")];
  const connect = (name: string): Promise<Agent> =>
    NodeAgent.connect(server.url, {
      identity: createIdentity({ name }).identity,
      certificateHashes,
      carrier: "webtransport",
    });
  const agents: Agent[] = [];
  for (let made = 0; made < 2 * PAIRS; made += 1) agents.push(await connect(`Agent ${made}`));
  const tone = Int16Array.from({ length: 4_800 }, (_, at) => 8_000 * Math.sin(at / 20));
  const calls = async (count: number): Promise<void> => {
    await Promise.all(
      Array.from({ length: PAIRS }, async (_, pair) => {
        const [caller, callee] = agents.slice(2 * pair, 2 * pair + 2) as [Agent, Agent];
        for (let made = 0; made < count / PAIRS; made += 1) {
          const { call, answered } = await connectCall(caller, callee);
          await within("the turn said", say(call, tone));
          await within("the hanging up", call.end());
          await within("the end told", answered.settled);
        }
      }),
    );
    await settle();
  };
  await calls(FEW);
  const few = look(server);
  await calls(MANY - FEW);
  const many = look(server);
  await Promise.all(agents.map((agent) => agent.close()));
  return [few, many];
}
