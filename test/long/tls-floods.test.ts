/** Somebody floods the TLS port, in every way there is, while others talk and ask: they are heard and answered, and memory has an end. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { Agent, type Call, createIdentity } from "../../agent/node.ts";
import { BenchProcess } from "../../bench/bench-process.ts";
import { connectCall } from "../calling.ts";
import { RunningCommand } from "../command-line.ts";
import { resultOf } from "../exchanges/wire.ts";
import { ForeignSocket } from "../foreign/foreign-socket.ts";
import type { FloodKind, FloodOrder, FloodReport } from "../processes/tls-flooder.ts";
import { pause, within } from "../waiting.ts";

const FLOOD_MS = 10_000;
/** What a server of one call has no reason to hold more of, MiB, beside its connections. */
const MOST_MEMORY_MIB = 400;
/** Of each TLS connection that is let in, KiB. */
const PER_CONNECTION_KIB = 150;
/** Share of the frames that must arrive: a machine of two cores has the flooder, the server and both ends on it. */
const LEAST_ARRIVING = 0.9;
/** How often somebody else asks, ms, and on how many connections it tries: a handshake may be pushed out by others'. */
const ASK_EVERY_MS = 250;
const TRIES = 5;

/** What must hold without an operator having thought of it. */
const SETTINGS = {
  addressLimits: { sockets: 256, socketRate: { perSecond: 50, burst: 200 }, handshakes: 64 },
  tlsLimits: { handshakes: 512, connections: 4_000, idleSeconds: 60, pressedIdleSeconds: 10 },
};
/** Every program of this machine comes from loopback, which limits for one address leave alone: those of the port are tried from there. */
const LOOPBACK = Array.from({ length: 20 }, (_, index) => `127.0.0.${index + 2}`);

let folder: string;
let command: RunningCommand;
let up: { readonly url: string; readonly certificate_hash: string };

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "parley-tls-floods-"));
  const config = join(folder, "config.json");
  writeFileSync(config, JSON.stringify(SETTINGS));
  command = new RunningCommand([
    ..."serve --host 0.0.0.0 --port 0 --http-port off --no-residents --registration open --json".split(" "),
    ...["--data-folder", join(folder, "data"), "--config", config],
  ]);
  const [line] = await within("the server coming up", command.says(/^\{.*"certificate_hash".*\}$/m));
  up = JSON.parse(line);
});
afterEach(async () => {
  command.kill("SIGTERM");
  expect((await within("the server stopping", command.finished, 40_000)).code).toBe(0);
  rmSync(folder, { recursive: true, force: true });
});

it.each<readonly [FloodKind, string, number]>([
  ["half-open", "this machine", 10_000],
  ["half-open", "another address", 10_000],
  ["requests", "this machine", 10],
  ["headers", "this machine", 50],
  ["slow", "this machine", 400],
  ["unread", "this machine", 50],
  ["idle", "this machine", 3_000],
])("a flood of %s from %s leaves a call, and who else asks, alone", async (kind, from, connections) => {
  const [ada, bob] = await Promise.all([online("Ada", "tls"), online("Bob", "webtransport")]);
  const { call, answered } = await connectCall(ada, bob);
  const { hostname, port } = new URL(up.url);
  const outside = outerAddress() ?? "127.0.0.1";
  const isOutside = from === "another address";
  const order: FloodOrder = {
    ...{ kind, connections, port: Number(port), origin: new URL(up.url).origin },
    host: isOutside ? outside : hostname,
    from: isOutside ? [outside] : LOOPBACK,
  };
  const flooder = new BenchProcess(new URL("../processes/tls-flooder.ts", import.meta.url), [
    JSON.stringify(order),
  ]);
  try {
    const before = memory();
    await flooder.mark("flooding", 60_000);
    const until = performance.now() + FLOOD_MS;
    const [most, slowest] = await Promise.all([watch(until), asking(until), talking(call, until)]);
    await pause(500);
    flooder.tell("stop");
    const report = await flooder.next<FloodReport>(10_000);
    const [said, verified] = [call.stats().sent?.sent ?? 0, answered.stats().heard?.verified ?? 0];
    console.info(kind, from, JSON.stringify({ before, most, slowest, said, verified, ...report }));
    expect(report.opened).toBeGreaterThanOrEqual(Math.min(connections, 10_000));
    expect(verified).toBeGreaterThan(LEAST_ARRIVING * said);
    expect(answered.stats().heard?.refused).toEqual({});
    expect(most).toBeLessThan(MOST_MEMORY_MIB + (connections * PER_CONNECTION_KIB) / 1_024);
    await call.end();
    expect((await answered.ended).by).toBe("peer");
  } finally {
    await flooder.stop();
    await Promise.all([ada.close(), bob.close()]);
  }
});

function online(name: string, carrier: "tls" | "webtransport"): Promise<Agent> {
  return Agent.connect(up.url, {
    identity: createIdentity({ name }).identity,
    certificateHashes: [Buffer.from(up.certificate_hash, "hex")],
    carrier,
  });
}

async function talking(call: Call, until: number): Promise<void> {
  const piece = new Int16Array(4_800).map((_, at) => 9_000 * Math.sin(at / 15));
  while (performance.now() < until) await call.audio.write(piece);
}

/** Asks again and again, each time on a connection of its own; how long the longest answer took, ms. */
async function asking(until: number): Promise<number> {
  let slowest = 0;
  while (performance.now() < until) {
    const from = performance.now();
    await asked(TRIES);
    slowest = Math.max(slowest, performance.now() - from);
    await pause(ASK_EVERY_MS);
  }
  return Math.round(slowest);
}

async function asked(tries: number): Promise<void> {
  try {
    const port = Number(new URL(up.url).port);
    const socket = await ForeignSocket.open(port, { fingerprint: up.certificate_hash });
    try {
      await socket.write("AGTP/1.0 DESCRIBE /\r\n\r\n");
      expect(resultOf(await socket.answer())).toMatchObject({ version: "1.0" });
    } finally {
      socket.leave();
    }
  } catch (error) {
    if (tries === 1) throw error;
    await asked(tries - 1);
  }
}

/** The most memory the server had. */
async function watch(until: number): Promise<number> {
  let most = 0;
  while (performance.now() < until) {
    most = Math.max(most, memory());
    await pause(50);
  }
  return most;
}

/** Resident memory of the server's process, MiB. */
function memory(): number {
  const status = readFileSync(`/proc/${command.child.pid}/status`, "utf8");
  return Math.round(Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024);
}

/** An address of this machine that is not loopback, where it has one. */
function outerAddress(): string | undefined {
  return Object.values(networkInterfaces())
    .flat()
    .find((one) => one?.family === "IPv4" && !one.internal)?.address;
}
