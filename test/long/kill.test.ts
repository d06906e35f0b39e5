/**
 * The server's process is killed in the middle of calls, again and again, and started on what it left: nothing it acknowledged
 * is missing, its chain of records is whole, what the evidence of every established call says still holds, and it serves on.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { connectAgent } from "../../agent/connect.ts";
import { type Agent, createIdentity, nodePlatform } from "../../agent/node.ts";
import { loadIdentity } from "../../platform/node/identity-file.ts";
import { createSigner, generateSeed, verifier } from "../../platform/node/sodium.ts";
import { readRecord, ZERO_AUDIT_ID } from "../../signaling/attribution.ts";
import { buildEvidence } from "../../signaling/evidence/build.ts";
import { verifyEvidence } from "../../signaling/evidence/verify.ts";
import { readGenesis } from "../../signaling/genesis.ts";
import { verifyServerChain, verifySessionChain } from "../../signaling/record-chain.ts";
import { SeededRandom } from "../../src/emulation/seeded-random.ts";
import { openLmdbLog } from "../../store/lmdb-log.ts";
import { RunningCommand } from "../command-line.ts";
import { announceSeed } from "../net/announce-seed.ts";
import { AnswerTap } from "../net/answer-tap.ts";
import { must } from "../signed-call.ts";
import { pause, until, within } from "../waiting.ts";

const ROUNDS = 20;
/** Milliseconds of calls before the kill, at most. */
const LONGEST_ROUND_MS = 1_500;
const PAIRS = 3;

const folder = mkdtempSync(join(tmpdir(), "parley-kill-"));
const data = join(folder, "data");
const random = new SeededRandom(announceSeed("kill"));
const issuer = { name: "registrar.test", signer: createSigner(generateSeed()) };
const identities = Array.from({ length: 2 * PAIRS }, (_, at) =>
  createIdentity({ name: `Agent ${at}` }, issuer),
);
const acknowledged = {
  auditIds: new Set<string>(),
  established: new Set<string>(),
  ended: new Set<string>(),
};
let running: RunningCommand | undefined;

afterAll(() => {
  running?.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

it(`loses nothing it acknowledged in ${ROUNDS} kills`, async () => {
  let finished = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const server = await start();
    const earlier = new Set(acknowledged.established);
    const agents = await goOnline(server);
    const stopped = new AbortController();
    const talking = pairsOf(agents).map(([caller, callee]) => talk(caller, callee, stopped.signal));
    await pause(random.integer(LONGEST_ROUND_MS));
    server.command.kill("SIGKILL");
    await server.command.finished;
    stopped.abort();
    // Nobody waits until the silence is long enough to mean something.
    for (const { tap } of agents) tap.drop();
    await within("the calls giving up", Promise.all(talking), 30_000);
    for (const { tap } of agents) collect(tap);
    finished = await checkWhatIsLeft(new Set([...acknowledged.established].filter((id) => !earlier.has(id))));
  }
  // That the rounds met the server at work.
  expect(acknowledged.established.size).toBeGreaterThan(ROUNDS);
  expect(acknowledged.ended.size).toBeGreaterThan(ROUNDS / 2);
  expect(finished).toBeGreaterThan(ROUNDS / 2);

  // It serves on, and stops in order.
  const server = await start();
  const agents = await goOnline(server);
  const [[caller, callee]] = pairsOf(agents) as [OnlinePair];
  const before = acknowledged.ended.size;
  const ended = new AbortController();
  const calls = talk(caller, callee, ended.signal);
  await until("a call after the last kill", () => acknowledged.ended.size > before);
  ended.abort();
  await calls;
  await Promise.all(agents.map(({ agent }) => agent.close()));
  server.command.kill("SIGTERM");
  expect((await within("the server stopping", server.command.finished, 30_000)).code).toBe(0);
});

interface Server {
  readonly command: RunningCommand;
  readonly url: string;
  readonly certificateHash: Uint8Array;
}

interface OnlineAgent {
  readonly agent: Agent;
  readonly tap: AnswerTap;
}
type OnlinePair = readonly [OnlineAgent, OnlineAgent];

async function start(): Promise<Server> {
  const args = [
    "serve",
    "--port",
    "0",
    "--http-port",
    "off",
    "--data-folder",
    data,
    "--registration",
    "open",
    "--json",
  ];
  const command = new RunningCommand(args);
  running = command;
  const [line] = await within("the server coming up", command.says(/^\{.*"certificate_hash".*\}$/m));
  const { url, certificate_hash } = JSON.parse(line) as { url: string; certificate_hash: string };
  return { command, url, certificateHash: new Uint8Array(Buffer.from(certificate_hash, "hex")) };
}

async function goOnline(server: Server): Promise<OnlineAgent[]> {
  return await Promise.all(
    identities.map(async ({ identity }) => {
      const tap = new AnswerTap(nodePlatform().carrier);
      const agent = await connectAgent({ ...nodePlatform(), carrier: tap }, server.url, {
        identity,
        certificateHashes: [server.certificateHash],
      });
      return { agent, tap };
    }),
  );
}

function pairsOf(agents: readonly OnlineAgent[]): OnlinePair[] {
  return Array.from(
    { length: PAIRS },
    (_, at) => [agents[2 * at], agents[2 * at + 1]] as unknown as OnlinePair,
  );
}

/** Short calls, one after the other, until told to stop or until the server is gone. */
async function talk(caller: OnlineAgent, callee: OnlineAgent, stopped: AbortSignal): Promise<void> {
  const tone = Int16Array.from({ length: 9_600 }, (_, at) => 8_000 * Math.sin(at / 20));
  callee.agent.onCall(async (incoming) => void (await incoming.accept()));
  try {
    while (!stopped.aborted) {
      const call = await caller.agent.call(callee.agent.id);
      acknowledged.established.add(call.id);
      await call.audio.write(tone.subarray(0, random.integer(tone.length)));
      await call.end();
      if ((await call.ended).by === "me") acknowledged.ended.add(call.id);
    }
  } catch (error) {
    if (!stopped.aborted)
      await new Promise<void>((resolve) => stopped.addEventListener("abort", () => resolve()));
    void error;
  }
}

function collect(tap: AnswerTap): void {
  for (const auditId of tap.auditIds) acknowledged.auditIds.add(auditId);
}

/** Opens what the dead server left, as the next one will. Returns how many calls had come to their final record. */
async function checkWhatIsLeft(cutNow: ReadonlySet<string>): Promise<number> {
  const server = await loadIdentity(join(data, "server-identity.json"));
  const { agentKey: publicKey } = must(readGenesis(server.genesis, verifier));
  const log = await openLmdbLog(data);
  let finished = 0;
  const unended: string[] = [];
  try {
    // Back from the head, each record by the name the one after it gives.
    const chain: string[] = [];
    const found = new Set<string>();
    const head = log.head();
    for (let auditId = head?.auditId ?? ZERO_AUDIT_ID; auditId !== ZERO_AUDIT_ID; ) {
      const jws = log.record(auditId);
      if (jws === undefined) throw new Error(`the chain breaks at ${auditId}`);
      chain.push(jws);
      found.add(auditId);
      auditId = must(readRecord(jws)).previous_audit_id;
    }
    chain.reverse();
    expect(chain).toHaveLength((head?.chainSeq ?? -1) + 1);
    must(verifyServerChain(chain, { publicKey }, verifier));
    expect([...acknowledged.auditIds].filter((auditId) => !found.has(auditId))).toEqual([]);

    const anchors = { issuerKeys: [issuer.signer.publicKey], agentIds: [server.agentId] };
    for (const sessionId of acknowledged.established) {
      const session = log.session(sessionId);
      if (session === undefined) throw new Error(`${sessionId} is lost`);
      must(verifySessionChain(session.records, { publicKey, sessionId }, verifier));
      const last = must(readRecord(session.records.at(-1) ?? ""));
      // Whoever started after a kill found the calls that it cut, and wrote their end.
      if (last.event !== "session-terminated" && !cutNow.has(sessionId)) unended.push(sessionId);
      if (last.event === "session-terminated") {
        finished += 1;
        const { bytes } = buildEvidence({ session, server, now: Date.now() }, verifier);
        const { report } = verifyEvidence(bytes, anchors, verifier);
        expect(report.faults, sessionId).toEqual([]);
        expect(report.verdict).toBe("verified");
      }
      if (!acknowledged.ended.has(sessionId)) continue;
      const closed = session.artifacts.filter(({ artifact, leg }) => artifact === "closing" && leg === 0);
      expect(closed, `${sessionId} was ended with a closing statement`).toHaveLength(1);
    }
    expect(unended).toEqual([]);
    return finished;
  } finally {
    await log.close();
  }
}
