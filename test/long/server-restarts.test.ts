/**
 * A server is killed at any moment of a persistent call over real QUIC, again and again, and started again: the call goes on every time, every
 * data message arrives once and in order both ways, and the evidence of the whole holds.
 */
import { expect, it } from "vitest";
import type { Call } from "../../agent/call.ts";
import { createIdentity } from "../../agent/node.ts";
import { verifier } from "../../platform/node/sodium.ts";
import { verifyEvidence } from "../../signaling/evidence/verify.ts";
import { SeededRandom } from "../../src/emulation/seeded-random.ts";
import { KilledServer } from "../killed-server.ts";
import { announceSeed } from "../net/announce-seed.ts";
import { pause, until, within } from "../waiting.ts";

const KILLS = 8;
const random = new SeededRandom(announceSeed("server-restarts"));

/** Counts aloud until told to stop; gives how far it came. */
async function count(call: Call, stopped: AbortSignal): Promise<number> {
  let number = 0;
  for (; !stopped.aborted; number += 1) {
    await call.data?.send(number);
    await pause(20);
  }
  return number;
}

function told(call: Call): number[] {
  const numbers: number[] = [];
  void (async () => {
    for await (const { value } of call.data ?? []) numbers.push(Number(value));
  })();
  return numbers;
}

it(`goes on over ${KILLS} kills`, async () => {
  const server = new KilledServer();
  const reconnect = { firstDelay: 100, maxDelay: 500 };
  const [ada, bob] = await (async () => {
    await server.start();
    return await Promise.all(
      ["Ada", "Bob"].map((name) =>
        server.online({ identity: createIdentity({ name }, server.issuer).identity, reconnect }),
      ),
    );
  })();
  if (ada === undefined || bob === undefined) throw new Error("nobody is there");
  const answered = new Promise<Call>((resolve, reject) => {
    bob.onCall((incoming) => incoming.accept({ data: true }).then(resolve, reject));
  });
  const call = await ada.call(bob.id, { model: "persistent", data: true });
  const theirs = await answered;
  const [heardByAda, heardByBob] = [told(call), told(theirs)];
  const stopped = new AbortController();
  const counting = Promise.all([count(call, stopped.signal), count(theirs, stopped.signal)]);
  const tone = Int16Array.from({ length: 48_000 }, (_, at) => 8_000 * Math.sin(at / 20));
  let losses = 0;
  for (const end of [call, theirs]) end.on("detached", () => losses++);
  for (let kill = 0; kill < KILLS; kill += 1) {
    void call.audio.write(tone).catch(() => undefined);
    await pause(random.integer(3_000));
    const lossesBefore = losses;
    await server.kill();
    await server.start();
    // On a busy machine they may be back before the server has said that it is up.
    await until("an end's loss", () => losses > lossesBefore);
    await until("both ends are back", () => call.state === "active" && theirs.state === "active");
    const before = [heardByAda.length, heardByBob.length] as const;
    await until("messages arrive", () => heardByAda.length > before[0] && heardByBob.length > before[1]);
  }
  stopped.abort();
  const [said, saidBack] = await within("the last messages", counting);
  await until("all was heard", () => heardByBob.length >= said && heardByAda.length >= saidBack);
  expect(heardByBob).toEqual(Array.from({ length: said }, (_, at) => at));
  expect(heardByAda).toEqual(Array.from({ length: saidBack }, (_, at) => at));
  await call.end("goodbye");
  await within("the end", theirs.settled);
  const { report } = verifyEvidence(await call.evidence(), await server.anchors(), verifier);
  expect(report).toMatchObject({ verdict: "verified", faults: [] });
  const restarts = report.statements.filter(({ text }) => text.includes("the server was started anew"));
  expect(restarts).toHaveLength(KILLS);
}, 240_000);
