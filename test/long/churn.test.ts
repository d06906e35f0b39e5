/** A thousand calls made and ended over real sockets: the server's memory and handles are as after a hundred. */
import { expect, it } from "vitest";
import { type Agent, createIdentity, Agent as NodeAgent } from "../../agent/node.ts";
import { churn, look, rest, withServer } from "../../bench/churn.ts";
import type { ProcessSample } from "../../src/bots/process-watch.ts";
import type { ServerProcess } from "../../src/bots/server-process.ts";
import { total } from "../../src/bots/tally.ts";
import { connectCall, say } from "../calling.ts";
import { within } from "../waiting.ts";

const LOOKS = [100, 550, 1_000] as const;
/** Few enough for a machine that is busy with something else. */
const CALLS_PER_SECOND = 8;
const PAIRS = 5;
/**
 * By how much the process's own memory may be more after all calls than after the first hundred, at rest: measured 7 MiB. Garbage that
 * nobody collects, or connections that are kept, would be 40 and more.
 */
const SAME_AGENTS_BYTES = 16 * 2 ** 20;
/**
 * New agents are kept registered, 4 KB each, and their connections come and go: the allocator keeps the room that the most of them took
 * at one time, which are many where the machine is too slow for the calls.
 */
const NEW_AGENTS_BYTES = 48 * 2 ** 20;
/** Calls that may run out of time where other work holds the processors up: they are not what is looked at. */
const SLACK_CALLS = 10;
/** Timers of the runtime come and go. */
const SLACK_HANDLES = 2;

it("gives back what calls between new agents took", async () => {
  const looks = await withServer((server) => churn(server, LOOKS, CALLS_PER_SECOND));
  const { failed = {} } = looks.at(-1) ?? {};
  expect(total(failed), JSON.stringify(failed)).toBeLessThanOrEqual(SLACK_CALLS);
  expectBack(
    looks.map(({ server }) => server),
    NEW_AGENTS_BYTES,
  );
});

it("gives back what calls between the same agents took", async () => {
  expectBack(await withServer(callAgainAndAgain), SAME_AGENTS_BYTES);
});

function expectBack(looks: readonly ProcessSample[], slackBytes: number): void {
  console.info(looks.map((look) => JSON.stringify(look)).join("\n"));
  const [few, , all] = looks as [ProcessSample, ProcessSample, ProcessSample];
  expect(all.handles).toBeLessThanOrEqual((few.handles ?? 0) + SLACK_HANDLES);
  expect(all.ownMemory).toBeLessThan(few.ownMemory + slackBytes);
}

/** Pairs that stay online. */
async function callAgainAndAgain(server: ServerProcess): Promise<ProcessSample[]> {
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
    await rest();
  };
  const looks: ProcessSample[] = [];
  let made = 0;
  for (const upTo of LOOKS) {
    await calls(upTo - made);
    made = upTo;
    looks.push(look(server));
  }
  await Promise.all(agents.map((agent) => agent.close()));
  return looks;
}
