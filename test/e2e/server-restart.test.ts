/** A server's process is killed in the middle of a call over real QUIC, and started again on the same folder and port. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import type { Call } from "../../agent/call.ts";
import { type ConnectOptions, connectAgent } from "../../agent/connect.ts";
import { createIdentity, nodePlatform } from "../../agent/node.ts";
import { systemClock } from "../../platform/node/clock.ts";
import { loadIdentity } from "../../platform/node/identity-file.ts";
import { createSigner, generateSeed, verifier } from "../../platform/node/sodium.ts";
import { verifyEvidence } from "../../signaling/evidence/verify.ts";
import { webTransportCarrier } from "../../transports/webtransport/client.ts";
import { RunningCommand } from "../command-line.ts";
import { pause, until, within } from "../waiting.ts";

const issuer = { name: "registrar.test", signer: createSigner(generateSeed()) };
/** Silence that means loss, ms: a killed process says no good-bye. */
const SILENCE = { pingInterval: 200, timeout: 1_000 };
const folder = mkdtempSync(join(tmpdir(), "parley-restart-"));

interface Server {
  readonly command: RunningCommand;
  readonly url: string;
  readonly certificateHash: Uint8Array;
}

async function start(port: string): Promise<Server> {
  const listening = ["--port", port, "--http-port", "off"];
  const command = new RunningCommand([
    ...["serve", "--data-folder", join(folder, "data"), "--registration", "open", "--json"],
    ...listening,
  ]);
  onTestFinished(() => command.kill("SIGKILL"));
  const [line] = await within("the server coming up", command.says(/^\{.*"certificate_hash".*\}$/m));
  const { url, certificate_hash } = JSON.parse(line) as { url: string; certificate_hash: string };
  return { command, url, certificateHash: new Uint8Array(Buffer.from(certificate_hash, "hex")) };
}

async function online(
  { url, certificateHash }: Server,
  options: Pick<ConnectOptions, "identity" | "reconnect">,
) {
  const carrier = webTransportCarrier({ clock: systemClock, liveness: SILENCE });
  const agent = await connectAgent({ ...nodePlatform(), carrier }, url, {
    certificateHashes: [certificateHash],
    anchors: [issuer.signer.publicKey],
    ...options,
  });
  onTestFinished(() => agent.close());
  return agent;
}

/** Says half a second of a tone; resolves once as much of it was heard at the other end as was not lost on the way. */
async function isHeard(from: Call, to: Call): Promise<void> {
  const before = to.stats().heard?.verified ?? 0;
  const tone = Int16Array.from({ length: 24_000 }, (_, at) => 8_000 * Math.sin(at / 20));
  await from.audio.write(tone);
  await until("the tone was heard", () => (to.stats().heard?.verified ?? 0) >= before + 20, 5_000);
}

it("goes on: one end in its process, the other in a fresh one, and the evidence says so", async () => {
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const [ada, bob] = ["Ada", "Bob"].map((name) => createIdentity({ name }, issuer).identity);
  if (ada === undefined || bob === undefined) throw new Error("nobody is there");
  let server = await start("0");
  const first = await online(server, { identity: ada });
  const other = await online(server, { identity: bob, reconnect: { firstDelay: 100, maxDelay: 500 } });
  const answered = new Promise<Call>((resolve, reject) => {
    other.onCall((incoming) => incoming.accept({ data: true }).then(resolve, reject));
  });
  const call = await first.call(other.id, { model: "persistent", data: true });
  const theirs = await answered;
  await isHeard(call, theirs);
  await isHeard(theirs, call);

  server.command.kill("SIGKILL");
  await server.command.finished;
  await within("the caller's loss", call.ended);
  server = await start(new URL(server.url).port);
  const restarted = performance.now();
  const second = await online(server, { identity: ada });
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
  const { agentId } = await loadIdentity(join(folder, "data", "server-identity.json"));
  const anchors = { issuerKeys: [issuer.signer.publicKey], agentIds: [agentId] };
  const { report } = verifyEvidence(await mine.evidence(), anchors, verifier);
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
