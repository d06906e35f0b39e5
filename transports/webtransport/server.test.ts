import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../platform/node/clock.ts";
import { CLOSE_CODES, type CloseInfo, type Connection, type ConnectionHandlers } from "../../sfu/carrier.ts";
import { PING, PING_BYTES, PONG } from "../liveness.ts";
import { loadBinding } from "./binding.ts";
import { type ServerCertificate, storedCertificate } from "./certificate.ts";
import { webTransportCarrier } from "./client.ts";
import { listenWebTransport, type WebTransportListener, type WebTransportListenOptions } from "./server.ts";

const ignore: ConnectionHandlers = { datagram() {}, stream() {}, exchange() {}, closed() {} };
const children: ChildProcess[] = [];

let folder = "";
let certificate: ServerCertificate;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "parley-server-"));
  certificate = await storedCertificate({ folder, now: Date.now() });
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});
afterAll(() => rm(folder, { recursive: true }));

interface Served {
  readonly listener: WebTransportListener;
  readonly connections: Connection[];
  readonly closed: CloseInfo[];
  connect(): Promise<{ connection: Connection; closed: CloseInfo[] }>;
}

async function serve(options: Partial<WebTransportListenOptions> = {}): Promise<Served> {
  const connections: Connection[] = [];
  const closed: CloseInfo[] = [];
  const listener = await listenWebTransport(
    { clock: systemClock, certificate, port: 0, ...options },
    (connection) => {
      connections.push(connection);
      return { ...ignore, closed: (info) => closed.push(info) };
    },
  );
  const carrier = webTransportCarrier({ clock: systemClock, liveness: options.liveness ?? {} });
  const connect: Served["connect"] = async () => {
    const ends: CloseInfo[] = [];
    const connection = await carrier.connect(
      `https://${listener.address}`,
      { certificateHashes: [certificate.hash] },
      () => ({ ...ignore, closed: (info) => ends.push(info) }),
    );
    return { connection, closed: ends };
  };
  return { listener, connections, closed, connect };
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** Runs a module's text in a process of its own, with what it needs imported; resolves with its first line of output. */
async function inProcess(
  body: string,
): Promise<{ child: ChildProcess; line: string; exit: Promise<number | null> }> {
  const at = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);
  const script = `
    const { webTransportCarrier } = await import(${at("./client.ts")});
    const { listenWebTransport } = await import(${at("./server.ts")});
    const { storedCertificate } = await import(${at("./certificate.ts")});
    const { systemClock: clock } = await import(${at("../../platform/node/clock.ts")});
    const certificate = await storedCertificate({ folder: ${JSON.stringify(folder)}, now: Date.now() });
    const none = { datagram() {}, stream() {}, exchange() {}, closed() {} };
    const carrier = webTransportCarrier({ clock });
    const connect = (url) => carrier.connect(url, { certificateHashes: [certificate.hash] }, () => none);
    ${body}`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  const exit = once(child, "exit").then(([code]) => code as number | null);
  const [line] = await once(createInterface({ input: child.stdout }), "line");
  return { child, line: String(line), exit };
}

describe("WebTransport listener", () => {
  test("a client killed without a word is closed by liveness within its timeout", async () => {
    const { listener, closed } = await serve({ liveness: { pingInterval: 60, timeout: 400 } });
    const { child } = await inProcess(`await connect("https://${listener.address}"); console.log("up");`);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(closed).toEqual([]);
    child.kill("SIGKILL");
    const killed = performance.now();
    await until(() => closed.length > 0);
    expect(performance.now() - killed).toBeLessThan(1_500);
    expect(closed[0]?.code).toBe(CLOSE_CODES.livenessTimeout);
    await listener.close();
  });

  test("a server killed without a word is noticed by its client the same way", async () => {
    const { child, line } = await inProcess(
      `console.log((await listenWebTransport({ clock, certificate, port: 0 }, () => none)).address);`,
    );
    const closed: CloseInfo[] = [];
    await webTransportCarrier({ clock: systemClock, liveness: { pingInterval: 60, timeout: 400 } }).connect(
      `https://${line}`,
      { certificateHashes: [certificate.hash] },
      () => ({ ...ignore, closed: (info) => closed.push(info) }),
    );
    child.kill("SIGKILL");
    const killed = performance.now();
    await until(() => closed.length > 0);
    expect(performance.now() - killed).toBeLessThan(1_500);
    expect(closed[0]?.code).toBe(CLOSE_CODES.livenessTimeout);
  });

  test("pings flow as datagrams on flow 0, and a peer that never answers is closed", async () => {
    const { listener, closed } = await serve({ liveness: { pingInterval: 60, timeout: 500 } });
    // The bare binding as a client: it answers nothing.
    const session = await loadBinding()
      .NapiClient.withCertificateHashes([Buffer.from(certificate.hash)])
      .connect(`https://${listener.address}/agtp`);
    for (let i = 0; i < 5; i++) {
      const ping = await session.recvDatagram();
      expect([ping.length, ping[0], ping[1]]).toEqual([PING_BYTES, 0, PING]);
    }
    expect(await session.closed()).toEqual({
      closeCode: CLOSE_CODES.livenessTimeout,
      reason: "no sign of life from the peer",
    });
    expect(closed.length).toBe(1);
    await listener.close();
  });

  test("answers a client's ping, and both sides know the round trip", async () => {
    const { listener, connections, connect } = await serve({
      liveness: { pingInterval: 50, timeout: 2_000 },
    });
    const { connection } = await connect();
    await until(() => connection.roundTrip !== undefined && connections[0]?.roundTrip !== undefined);
    expect(connection.roundTrip).toBeLessThan(1_000);
    const session = await loadBinding()
      .NapiClient.withCertificateHashes([Buffer.from(certificate.hash)])
      .connect(`https://${listener.address}/agtp`);
    session.sendDatagram(Uint8Array.of(0, PING, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12));
    let pong = await session.recvDatagram();
    while (pong[1] !== PONG) pong = await session.recvDatagram();
    expect([...pong]).toEqual([0, PONG, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    await listener.close();
  });

  test("a quiet connection stays up on pings alone", async () => {
    const { listener, closed, connect } = await serve({ liveness: { pingInterval: 50, timeout: 400 } });
    const { connection, closed: atClient } = await connect();
    await new Promise((resolve) => setTimeout(resolve, 900));
    expect([closed, atClient]).toEqual([[], []]);
    connection.close(0, "");
    await listener.close();
  });

  test("turns further connections away when full, and takes one again when one left", async () => {
    const { listener, connect, closed } = await serve({ maxConnections: 1 });
    const first = await connect();
    const second = await connect();
    await until(() => second.closed.length > 0);
    expect(second.closed[0]?.code).toBe(CLOSE_CODES.overloaded);
    first.connection.close(0, "");
    await until(() => closed.length > 0);
    const third = await connect();
    expect(third.connection.sendDatagram(Uint8Array.of(1))).toBe("sent");
    await until(() => listener.counters.accepted === 2);
    expect(listener.counters.refusedFull).toBe(1);
    await listener.close();
  });

  test("takes newcomers no faster than its handshake rate", async () => {
    const { listener, connect } = await serve({ handshakesPerSecond: 10, handshakeBurst: 2 });
    const started = performance.now();
    await Promise.all(Array.from({ length: 6 }, connect));
    // Two at once, then one every 100 ms.
    expect(performance.now() - started).toBeGreaterThanOrEqual(300);
    await until(() => listener.counters.accepted === 6);
    expect(listener.counters.paced).toBeGreaterThan(0);
    await listener.close();
  });

  test("an owner that throws instead of taking a connection is reported, and the next one is served", async () => {
    const faults: unknown[] = [];
    let calls = 0;
    const failure = new Error("cannot take it");
    const listener = await listenWebTransport(
      { clock: systemClock, certificate, port: 0, fault: (error) => faults.push(error) },
      () => {
        if (calls++ === 0) throw failure;
        return ignore;
      },
    );
    const carrier = webTransportCarrier({ clock: systemClock });
    const ends: CloseInfo[] = [];
    for (let i = 0; i < 2; i++)
      await carrier.connect(`https://${listener.address}`, { certificateHashes: [certificate.hash] }, () => ({
        ...ignore,
        closed: (info) => ends.push(info),
      }));
    await until(() => ends.length > 0 && calls === 2);
    expect(ends[0]?.code).toBe(CLOSE_CODES.overloaded);
    expect(faults).toEqual([failure]);
    await listener.close();
  });

  test("an orderly stop never blocks: idle, with connections, while pacing, and with newcomers coming in", async () => {
    const { line, exit } = await inProcess(`
      const listen = (options) => listenWebTransport({ clock, certificate, port: 0, ...options }, () => none);
      const took = {};
      const timed = async (name, stop) => { const at = performance.now(); await stop(); took[name] = Math.round(performance.now() - at); };
      const idle = await listen({});
      await timed("idle", () => idle.close());
      const busy = await listen({});
      await Promise.all(Array.from({ length: 20 }, () => connect("https://" + busy.address)));
      await timed("busy", () => busy.close());
      const paced = await listen({ handshakesPerSecond: 0.01, handshakeBurst: 1 });
      await connect("https://" + paced.address);
      await timed("paced", () => paced.close());
      const rush = await listen({});
      const coming = Array.from({ length: 20 }, () => connect("https://" + rush.address).catch(() => {}));
      await timed("rush", () => rush.close());
      console.log(JSON.stringify(took));
      process.exit(0);`);
    const took = JSON.parse(line) as Record<string, number>;
    expect(Object.keys(took)).toEqual(["idle", "busy", "paced", "rush"]);
    for (const ms of Object.values(took)) expect(ms).toBeLessThan(3_000);
    expect(await exit).toBe(0);
  });

  test("after the stop nothing holds the process", async () => {
    const { exit } = await inProcess(`
      const listener = await listenWebTransport({ clock, certificate, port: 0 }, () => none);
      await connect("https://" + listener.address);
      await listener.close();
      console.log("stopped");`);
    const at = performance.now();
    expect(await exit).toBe(0);
    expect(performance.now() - at).toBeLessThan(3_000);
  });

  test("refuses addresses and certificates that cannot be used", async () => {
    const listen = (options: Partial<WebTransportListenOptions>) =>
      listenWebTransport({ clock: systemClock, certificate, port: 0, ...options }, () => ignore);
    await expect(listen({ host: "media.example" })).rejects.toMatchObject({ code: "usage" });
    await expect(listen({ host: "192.0.2.1" })).rejects.toMatchObject({ code: "usage" });
    await expect(listen({ host: "192.0.2.1", port: 4499 })).rejects.toMatchObject({ code: "usage" });
    await expect(listen({ certificate: { ...certificate, certificatePem: "" } })).rejects.toMatchObject({
      code: "certificate-broken",
    });
    await expect(listen({ certificate: { ...certificate, privateKeyPem: "" } })).rejects.toMatchObject({
      code: "certificate-broken",
    });
  });
});
