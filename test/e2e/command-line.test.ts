/** The command line as people use it: a server and two agents, three processes on loopback. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseWav } from "../../codecs/wav.ts";
import { compareUtterance } from "../../src/listening/compare.ts";
import { parley, parleyAgain, RunningCommand } from "../command-line.ts";

interface Up {
  readonly url: string;
  readonly certificate_hash: string;
}

let folder: string;
let server: RunningCommand;
let dial: readonly string[];
const ids = new Map<string, string>();
const at = (name: string): string => join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "parley-calls-"));
  const trust = ["--trust", at("trust.json")];
  await parleyAgain("keygen", "--new-issuer", at("acme.issuer"), ...trust);
  for (const name of ["ada", "bob", "eve"]) {
    const { stdout } = await parleyAgain("keygen", at(`${name}.key`), "--issuer", at("acme.issuer"));
    ids.set(name, stdout.trim());
  }
  server = await serve("data", "--registration", "open", ...trust);
  dial = await dialled(server);
});
afterAll(async () => {
  server.kill("SIGTERM");
  await server.finished;
  await rm(folder, { recursive: true, force: true });
});

describe("a call from the command line", () => {
  it("is heard at both ends, and its evidence and kept frames are proven", async () => {
    const bob = new RunningCommand([
      "answer",
      ...as("bob"),
      "--in",
      speech("bob-1.wav"),
      ...files("bob"),
      "--once",
      "--json",
    ]);
    await bob.says(new RegExp(`online as ${ids.get("bob")}`));
    const ada = await parley(
      "call",
      idOf("bob"),
      ...as("ada"),
      "--in",
      speech("ada-1.wav"),
      ...files("ada"),
      "--json",
    );
    expect(ada.code, ada.stderr).toBe(0);
    const answered = await bob.finished;
    expect(answered.code, answered.stderr).toBe(0);
    const report = JSON.parse(ada.stdout);
    expect(report).toMatchObject({
      agent_id: idOf("ada"),
      peer: { agent_id: idOf("bob"), name: "bob", anchored: true },
      codec: "opus",
      ended: { reason: "done", by: "me" },
      files: { heard: at("ada.wav"), evidence: at("ada.evidence"), kept: at("ada.frames") },
    });
    expect(report.kept).toBe(report.stats.heard.verified);
    const [bobsCall] = JSON.parse(answered.stdout).calls;
    await expectHeard("ada-1.wav", "bob.wav", bobsCall.stats.heard);
    await expectHeard("bob-1.wav", "ada.wav", report.stats.heard);

    const args = ["--trust", at("trust.json"), "--media", at("ada.frames"), "--wav", at("proven.wav")];
    const verified = await parleyAgain("verify", at("ada.evidence"), ...args);
    expect(verified.code, verified.stdout).toBe(0);
    expect(verified.stdout).toMatch(/\nverified\n$/);
    await expectHeard("bob-1.wav", "proven.wav", { concealed: 0 });
    const ofBob = await parleyAgain("verify", at("bob.evidence"), "--trust", at("trust.json"));
    expect(ofBob.code, ofBob.stdout).toBe(0);
  });

  it("is held from WebSocket to TLS, and its evidence verifies", async () => {
    const bob = new RunningCommand([
      "answer",
      ...as("bob"),
      "--carrier",
      "tls",
      "--echo",
      "--once",
      "--json",
    ]);
    await bob.says(/online as/);
    const kept = ["--out", at("ada.wav"), "--evidence", at("ada.evidence")];
    const ada = await parley(
      "call",
      idOf("bob"),
      ...as("ada"),
      "--carrier",
      "websocket",
      "--tone",
      "1",
      ...kept,
      "--json",
    );
    expect(ada.code, ada.stderr).toBe(0);
    const { stats } = JSON.parse(ada.stdout);
    expect(stats.heard.verified).toBeGreaterThan(30);
    expect((await bob.finished).code).toBe(0);
    const verified = await parleyAgain("verify", at("ada.evidence"), "--trust", at("trust.json"));
    expect(verified.code, verified.stdout).toBe(0);
  });

  it("is echoed, in G.711 as well", async () => {
    const bob = new RunningCommand(["answer", ...as("bob"), "--echo", "--once", "--json"]);
    await bob.says(/online as/);
    const tone = ["--tone", "1", "--codec", "pcmu", "--linger", "1", "--reason", "over-and-out"];
    const ada = await parley("call", idOf("bob"), ...as("ada"), ...tone, "--out", at("echo.wav"), "--json");
    expect(ada.code, ada.stderr).toBe(0);
    expect(JSON.parse(ada.stdout)).toMatchObject({ codec: "pcmu", ended: { reason: "over-and-out" } });
    const heard = await wavOf(at("echo.wav"));
    expect(heard.sampleRate).toBe(8_000);
    expect(heard.samples.filter((sample) => Math.abs(sample) > 3_000).length).toBeGreaterThan(4_000);
    const { calls } = JSON.parse((await bob.finished).stdout);
    expect(calls).toHaveLength(1);
    expect(calls[0]).toMatchObject({ ended: { reason: "over-and-out", by: "peer" } });
  });

  it.each([
    ["--busy", 12, "callee-busy"],
    ["--decline", 13, "declined"],
  ])("that meets %s exits with %i", async (flag, exit, code) => {
    const bob = new RunningCommand(["answer", ...as("bob"), flag, "--once"]);
    await bob.says(/online as/);
    const ada = await parleyAgain("call", idOf("bob"), ...as("ada"), "--tone");
    expect(ada.code).toBe(exit);
    expect(ada.stderr).toMatch(new RegExp(`\\nparley: ${code}: `));
    expect((await bob.finished).code).toBe(0);
  });

  it("goes where agtp:// URIs lead: to a server, to an agent and the server it is at", async () => {
    const [, url = "", ...hash] = dial;
    const { host } = new URL(url);
    const and = (name: string) => [...hash, "--key", at(`${name}.key`), "--trust", at("trust.json")];
    const bob = new RunningCommand([
      "answer",
      "--server",
      `agtp://${host}`,
      ...and("bob"),
      "--busy",
      "--once",
    ]);
    await bob.says(/online as/);
    const ada = await parleyAgain("call", `agtp://${idOf("bob")}@${host}`, ...and("ada"), "--tone");
    expect(ada.code, ada.stderr).toBe(12);
    expect((await bob.finished).code).toBe(0);
    const nobody = await parleyAgain(
      "call",
      "agtp://localhost/agents/Nobody",
      "--url",
      url,
      ...and("ada"),
      "--tone",
    );
    expect(nobody.code, nobody.stderr).toBe(11);
    expect(nobody.stderr).toMatch(/parley: agent-not-found: No agent of localhost is called Nobody\./);
  });

  it("exits with 11 where the agent is unknown or not online, with 10 where there is no server", async () => {
    const unknown = await parleyAgain("call", "ab".repeat(32), ...as("ada"), "--tone", "--json");
    expect(unknown.code).toBe(11);
    expect(JSON.parse(unknown.stdout)).toMatchObject({ error: { code: "agent-not-found" } });
    const offline = await parleyAgain("call", idOf("bob"), ...as("ada"), "--tone");
    expect(offline.code).toBe(11);
    expect(offline.stderr).toMatch(/parley: callee-unreachable: /);
    const nowhere = ["--url", "https://127.0.0.1:9/agtp", "--cert-hash", "00".repeat(32)];
    const unreachable = await parleyAgain("call", idOf("bob"), ...nowhere, "--key", at("ada.key"), "--tone");
    expect(unreachable.code).toBe(10);
  });

  it("exits with 15 where there is no common codec, with 16 where the server is another than expected", async () => {
    const bob = new RunningCommand(["answer", ...as("bob"), "--codec", "opus", "--once"]);
    await bob.says(/online as/);
    const apart = await parleyAgain("call", idOf("bob"), ...as("ada"), "--codec", "pcma", "--tone");
    expect(apart.code, apart.stderr).toBe(15);
    bob.kill("SIGTERM");
    await bob.finished;
    const other = await parleyAgain("call", idOf("bob"), ...as("ada"), "--server-id", idOf("eve"), "--tone");
    expect(other.code).toBe(16);
  });
});

describe("stopping", () => {
  it("a server gives calls their grace, then ends them and tells both ends", async () => {
    const stopping = await serve("grace", "--registration", "open", "--grace", "1", "--log-level", "warn");
    const there = await dialled(stopping);
    const bob = new RunningCommand(["answer", ...there, "--key", at("bob.key"), "--echo", "--once"]);
    await bob.says(/online as/);
    const ada = new RunningCommand([
      "call",
      idOf("bob"),
      ...there,
      "--key",
      at("ada.key"),
      "--tone",
      "30",
      "--json",
    ]);
    await ada.says(/talking to bob/);
    stopping.kill("SIGTERM");
    const [stopped, called] = await Promise.all([stopping.finished, ada.finished]);
    expect(stopped.code, stopped.stderr).toBe(0);
    expect(JSON.parse(called.stdout)).toMatchObject({ ended: { by: "server" } });
    expect((await bob.finished).code).toBe(0);
  });

  it("a second signal stops a server at once", async () => {
    const stopping = await serve("impatient", "--registration", "open", "--grace", "600");
    const there = await dialled(stopping);
    const bob = new RunningCommand(["answer", ...there, "--key", at("bob.key"), "--once"]);
    await bob.says(/online as/);
    const ada = new RunningCommand(["call", idOf("bob"), ...there, "--key", at("ada.key"), "--tone", "60"]);
    await ada.says(/talking to bob/);
    stopping.kill("SIGINT");
    await stopping.says(/"event":"draining"/);
    expect(stopping.child.exitCode).toBe(null);
    stopping.kill("SIGINT");
    expect((await stopping.finished).code).toBe(130);
    for (const end of [ada, bob]) end.kill("SIGKILL");
    await Promise.all([ada.finished, bob.finished]);
  });

  it("a caller hangs up with a signal", async () => {
    const bob = new RunningCommand(["answer", ...as("bob"), "--once", "--json"]);
    await bob.says(/online as/);
    const ada = new RunningCommand(["call", idOf("bob"), ...as("ada"), "--tone", "60", "--json"]);
    await ada.says(/talking to bob/);
    ada.kill("SIGINT");
    const called = await ada.finished;
    expect(called.code, called.stderr).toBe(0);
    expect(JSON.parse(called.stdout)).toMatchObject({ ended: { reason: "interrupted", by: "me" } });
    expect(JSON.parse((await bob.finished).stdout).calls).toMatchObject([
      { ended: { reason: "interrupted", by: "peer" } },
    ]);
  });
});

async function serve(data: string, ...args: readonly string[]): Promise<RunningCommand> {
  const command = new RunningCommand([
    "serve",
    "--port",
    "0",
    "--http-port",
    "0",
    "--data-folder",
    at(data),
    "--json",
    ...args,
  ]);
  await command.says(/"certificate_hash"/);
  return command;
}

async function dialled(command: RunningCommand): Promise<readonly string[]> {
  const up = JSON.parse((await command.says(/^\{"url".*\}$/m))[0]) as Up;
  return ["--url", up.url, "--cert-hash", up.certificate_hash];
}

function as(name: string): readonly string[] {
  return [...dial, "--key", at(`${name}.key`), "--trust", at("trust.json")];
}

function idOf(name: string): string {
  return ids.get(name) ?? "";
}

function files(name: string): readonly string[] {
  return ["--out", at(`${name}.wav`), "--evidence", at(`${name}.evidence`), "--keep", at(`${name}.frames`)];
}

function speech(name: string): string {
  return fileURLToPath(new URL(`../../examples/speech/${name}`, import.meta.url));
}

async function wavOf(path: string) {
  const wav = parseWav(await readFile(path));
  if (!wav.ok) throw new Error(wav.fault.message);
  return wav.value;
}

/**
 * What was heard is what was said, as far as its frames were played: a machine that stalls makes frames late, and the
 * listener counts what it concealed in their place.
 */
async function expectHeard(said: string, heard: string, { concealed }: { concealed: number }): Promise<void> {
  const [utterance, recording] = await Promise.all([wavOf(speech(said)), wavOf(at(heard))]);
  const { correlation, longestGap } = compareUtterance(utterance.samples, recording.samples, 48_000);
  const share = concealed / (utterance.samples.length / FRAME_SAMPLES);
  expect(share, heard).toBeLessThan(0.2);
  expect(correlation, heard).toBeGreaterThan(0.9 * (1 - 2 * share));
  expect(longestGap, heard).toBeLessThanOrEqual(60 + concealed * 20);
}

const FRAME_SAMPLES = 960;
