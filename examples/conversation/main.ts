/** `npm run demo`: a server and two agents in three processes hold a short conversation, and everything about it is checked. */
import { type ChildProcess, fork, spawn } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { createIdentity } from "../../agent/node.ts";
import { encodeBase64url } from "../../codecs/base64url.ts";
import { parseKeptFrames } from "../../codecs/kept-frames.ts";
import { parseWav } from "../../codecs/wav.ts";
import { saveIdentity } from "../../platform/node/identity-file.ts";
import { createSigner, generateSeed, verifier } from "../../platform/node/sodium.ts";
import { verifyMedia } from "../../signaling/evidence/media.ts";
import { verifyEvidence } from "../../signaling/evidence/verify.ts";
import { figures, table } from "./figures.ts";
import { judge, type Listener } from "./judge.ts";
import type { AgentReport, Instruction, Notice } from "./messages.ts";
import { drawConversation } from "./picture.ts";
import { readScript, type Speaker } from "./script.ts";

const OUT = fileURLToPath(new URL("../../out/demo", import.meta.url));
/** The conversation takes about half a minute. */
const PATIENCE_MS = 120_000;

const children: ChildProcess[] = [];
process.on("exit", () => {
  for (const child of children) child.kill();
});

try {
  process.exitCode = await run();
} catch (error) {
  console.error(`The demo failed: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}

async function run(): Promise<number> {
  rmSync(OUT, { recursive: true, force: true });
  mkdirSync(OUT, { recursive: true });
  const script = readScript();
  const issuer = { name: "demo-registrar", signer: createSigner(generateSeed()) };
  for (const [speaker, name] of [
    ["ada", "Ada"],
    ["bob", "Bob"],
  ] as const) {
    await saveIdentity(`${OUT}/${speaker}.key`, createIdentity({ name }, issuer).file);
  }
  const server = await startServer();
  const anchor = encodeBase64url(issuer.signer.publicKey);
  const trust = {
    anchors: [
      { type: "key", value: anchor },
      { type: "agent", value: server.agentId },
    ],
  };
  writeFileSync(`${OUT}/trust.json`, `${JSON.stringify(trust, null, 2)}\n`);
  console.log(`A server listens on ${server.url}; two agents meet there.\n`);

  const agents = { ada: startAgent("ada", server, anchor), bob: startAgent("bob", server, anchor) };
  const callee = await agents.bob.online;
  await agents.ada.online;
  agents.ada.instruct({ kind: "call", callee });
  const reports = await within(PATIENCE_MS, Promise.all([agents.ada.done, agents.bob.done]));
  for (const agent of Object.values(agents)) agent.instruct({ kind: "leave" });
  await server.stop();

  const listeners = { ada: listener("ada", reports[0]), bob: listener("bob", reports[1]) };
  const anchors = { issuerKeys: [issuer.signer.publicKey], agentIds: [server.agentId] };
  const evidence = verifyEvidence(readFileSync(`${OUT}/call.evidence`), anchors, verifier);
  const judgement = judge(script, listeners, evidence.report);
  const complaints = [...judgement.complaints];
  const media = (["ada", "bob"] as const).map((speaker) => {
    const kept = parseKeptFrames(readFileSync(`${OUT}/${speaker}-heard.frames`));
    if (!kept.ok) throw new Error(`${speaker}-heard.frames: ${kept.fault.message}`);
    const proven = verifyMedia(kept.value, evidence, verifier);
    complaints.push(...proven.faults.map(({ at, message }) => `${speaker}-heard.frames, ${at}: ${message}`));
    return { speaker, kept: kept.value.length, proven: proven.frames.length };
  });
  const result = figures(judgement, listeners, evidence.report, media);
  writeFileSync(`${OUT}/conversation.svg`, drawConversation(script, listeners, judgement.turns));
  writeFileSync(`${OUT}/report.json`, `${JSON.stringify({ ...result, complaints }, null, 2)}\n`);
  console.log(`\n${table(result)}\n`);
  console.log("In out/demo: what each heard (ada-heard.wav, bob-heard.wav), the picture (conversation.svg),");
  console.log(
    "the figures (report.json), the evidence (call.evidence) and whom to trust (trust.json). Check it yourself:",
  );
  console.log("  npm run -s parley -- verify out/demo/call.evidence --trust out/demo/trust.json");
  for (const complaint of complaints) console.error(`NOT AS IT SHOULD BE: ${complaint}`);
  return complaints.length === 0 ? 0 : 1;
}

interface DemoServer {
  readonly url: string;
  readonly certificateHash: string;
  readonly agentId: string;
  stop(): Promise<void>;
}

/** `parley serve` on a free port, with a data folder of its own. */
async function startServer(): Promise<DemoServer> {
  const main = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
  const child = spawn(
    process.execPath,
    [
      ...process.execArgv,
      main,
      "serve",
      "--port",
      "0",
      "--http-port",
      "off",
      "--data-folder",
      `${OUT}/server`,
      "--registration",
      "open",
      "--json",
    ],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  children.push(child);
  const said: string[] = [];
  createInterface({ input: child.stderr }).on("line", (line) => said.push(line));
  const first = await within(
    20_000,
    new Promise<string>((resolve, reject) => {
      createInterface({ input: child.stdout }).once("line", resolve);
      child.once("exit", (code) =>
        reject(new Error(`the server stopped (${code}): ${said.slice(-3).join(" ")}`)),
      );
    }),
  );
  const { url, certificate_hash, agent_id } = JSON.parse(first) as Record<string, string>;
  return {
    url: url as string,
    certificateHash: certificate_hash as string,
    agentId: agent_id as string,
    stop: async () => {
      const stopped = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      await within(15_000, stopped);
    },
  };
}

interface AgentProcess {
  readonly online: Promise<string>;
  readonly done: Promise<AgentReport>;
  instruct(instruction: Instruction): void;
}

function startAgent(speaker: Speaker, server: DemoServer, anchor: string): AgentProcess {
  const options = {
    name: speaker,
    url: server.url,
    hash: server.certificateHash,
    key: `${OUT}/${speaker}.key`,
    anchor,
    out: OUT,
  };
  const args = Object.entries(options).map(([key, value]) => `--${key}=${value}`);
  const child = fork(new URL("agent.ts", import.meta.url), args, {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  children.push(child);
  const online = Promise.withResolvers<string>();
  const done = Promise.withResolvers<AgentReport>();
  child.on("message", (notice: Notice) => {
    if (notice.kind === "online") online.resolve(notice.agentId);
    else if (notice.kind === "done") done.resolve(notice.report);
    else console.log(`  ${notice.text}`);
  });
  child.once("exit", (code) => {
    const gone = new Error(`${speaker}'s process ended (${code})`);
    online.reject(gone);
    done.reject(gone);
  });
  // Whoever fails first is reported; the other promise may then never be awaited.
  online.promise.catch(() => undefined);
  done.promise.catch(() => undefined);
  return { online: online.promise, done: done.promise, instruct: (instruction) => child.send(instruction) };
}

function listener(speaker: Speaker, report: AgentReport): Listener {
  const wav = parseWav(readFileSync(`${OUT}/${speaker}-heard.wav`));
  if (!wav.ok) throw new Error(`${speaker}-heard.wav: ${wav.fault.message}`);
  return { report, recording: wav.value.samples, clockRate: wav.value.sampleRate };
}

async function within<Value>(ms: number, promise: Promise<Value>): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing happened for ${ms / 1000} s`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
