/** A server's process is killed in the middle of a call over real QUIC, and started again on the same folder and port. */
import { expect, it } from "vitest";
import type { Call } from "../../agent/call.ts";
import { createIdentity } from "../../agent/node.ts";
import { verifier } from "../../platform/node/sodium.ts";
import { verifyEvidence } from "../../signaling/evidence/verify.ts";
import { KilledServer } from "../killed-server.ts";
import { pause, until, within } from "../waiting.ts";

/** Says half a second of a tone; resolves once as much of it was heard at the other end as was not lost on the way. */
async function isHeard(from: Call, to: Call): Promise<void> {
  const before = to.stats().heard?.verified ?? 0;
  const tone = Int16Array.from({ length: 24_000 }, (_, at) => 8_000 * Math.sin(at / 20));
  await from.audio.write(tone);
  await until("the tone was heard", () => (to.stats().heard?.verified ?? 0) >= before + 20, 5_000);
}

it("goes on: one end in its process, the other in a fresh one, and the evidence says so", async () => {
  const server = new KilledServer();
  const [ada, bob] = ["Ada", "Bob"].map((name) => createIdentity({ name }, server.issuer).identity);
  if (ada === undefined || bob === undefined) throw new Error("nobody is there");
  await server.start();
  const first = await server.online({ identity: ada });
  const other = await server.online({ identity: bob, reconnect: { firstDelay: 100, maxDelay: 500 } });
  const answered = new Promise<Call>((resolve, reject) => {
    other.onCall((incoming) => incoming.accept({ data: true }).then(resolve, reject));
  });
  const call = await first.call(other.id, { model: "persistent", data: true });
  const theirs = await answered;
  await isHeard(call, theirs);
  await isHeard(theirs, call);

  await server.kill();
  await within("the caller's loss", call.ended);
  await server.start();
  const restarted = performance.now();
  const second = await server.online({ identity: ada });
  expect(await second.sessions()).toMatchObject([{ sessionId: call.id, peer: other.id, generation: 0 }]);
  const mine = await second.takeUp(call.id, { data: true });
  await until("both ends are back", () => mine.state === "active" && theirs.state === "active");
  // What was captured before might be a replay.
  await pause(Math.max(0, 2_600 - (performance.now() - restarted)));
  await isHeard(mine, theirs);
  await isHeard(theirs, mine);
  const message = (async () => {
    for await (const { value } of theirs.data ?? []) return value;
  })();
  await mine.data?.send({ after: "the restart" });
  expect(await within("the message", message)).toEqual({ after: "the restart" });

  await theirs.end("goodbye");
  await within("the end", mine.settled);
  const { report } = verifyEvidence(await mine.evidence(), await server.anchors(), verifier);
  expect(report).toMatchObject({ verdict: "verified", faults: [] });
  const said = report.statements.map(({ by, text }) => `${by}: ${text}`).join("\n");
  expect(said).toMatch(
    /server-claimed: .*: the server was started anew \(server-restarted\) and went on with it/,
  );
  expect(said).toMatch(/server-claimed: .*: callee: came back over webtransport, with the same key/);
  expect(said).toMatch(
    /speaker-signed: caller: signs media with a new key, generation 1, by its identity key/,
  );
  expect(said).toMatch(
    /speaker-signed: caller, stream \d+ \(audio\): goes on with .* no checkpoint speaks of frames/,
  );
}, 60_000);
