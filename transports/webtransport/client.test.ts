import { execFile } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../platform/node/clock.ts";
import type { CloseInfo, ConnectionHandlers } from "../../sfu/carrier.ts";
import { startUdpEmulator } from "../../src/emulation/udp-emulator.ts";
import { type ServerCertificate, storedCertificate } from "./certificate.ts";
import { webTransportCarrier } from "./client.ts";
import { listenWebTransport, type WebTransportListener } from "./server.ts";

const ignore: ConnectionHandlers = { datagram() {}, stream() {}, exchange() {}, closed() {} };
const carrier = webTransportCarrier({ clock: systemClock });

let folder = "";
let certificate: ServerCertificate;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "parley-client-"));
  certificate = await storedCertificate({ folder, now: Date.now() });
});
afterAll(() => rm(folder, { recursive: true }));

/** A listener on a free port that notes how its connections end. */
async function listen(host = "127.0.0.1"): Promise<{ listener: WebTransportListener; closed: CloseInfo[] }> {
  const closed: CloseInfo[] = [];
  const listener = await listenWebTransport({ clock: systemClock, certificate, port: 0, host }, () => ({
    ...ignore,
    closed: (info) => closed.push(info),
  }));
  return { listener, closed };
}

const hashes = (): { certificateHashes: Uint8Array[] } => ({ certificateHashes: [certificate.hash] });

describe("WebTransport client", () => {
  test("gives up on a socket that never answers", async () => {
    const silent = createSocket("udp4");
    silent.bind(0, "127.0.0.1");
    await once(silent, "listening");
    const started = performance.now();
    await expect(
      carrier.connect(
        `https://127.0.0.1:${silent.address().port}`,
        { ...hashes(), connectTimeout: 300 },
        () => ignore,
      ),
    ).rejects.toMatchObject({ code: "connect-timeout", retryable: true });
    const took = performance.now() - started;
    expect(took).toBeGreaterThanOrEqual(299);
    expect(took).toBeLessThan(2_000);
    silent.close();
  });

  test("closes what it reaches after it gave up", async () => {
    const { listener, closed } = await listen();
    const emulator = await startUdpEmulator({
      target: listener.address,
      toServer: { delay: 60 },
      toClient: { delay: 60 },
      seed: 1,
    });
    let asked = false;
    await expect(
      carrier.connect(`https://${emulator.address}`, { ...hashes(), connectTimeout: 150 }, () => {
        asked = true;
        return ignore;
      }),
    ).rejects.toMatchObject({ code: "connect-timeout" });
    while (closed.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(closed).toEqual([{ code: 0, reason: "" }]);
    expect(asked).toBe(false);
    await listener.close();
    await emulator.close();
  });

  test("refuses a certificate that is not the one pinned", async () => {
    const { listener } = await listen();
    await expect(
      carrier.connect(
        `https://${listener.address}`,
        { certificateHashes: [new Uint8Array(32)] },
        () => ignore,
      ),
    ).rejects.toMatchObject({ code: "connect-refused", message: expect.stringContaining("certificate") });
    await listener.close();
  });

  test("takes any of several hashes and says which one it was", async () => {
    const { listener } = await listen();
    const connection = await carrier.connect(
      `https://${listener.address}`,
      { certificateHashes: [new Uint8Array(32), certificate.hash] },
      () => ignore,
    );
    expect(connection.pinned).toEqual(certificate.hash);
    connection.close(0, "");
    await listener.close();
  });

  test("without hashes trusts only the system's roots", async () => {
    const { listener } = await listen();
    await expect(carrier.connect(`https://${listener.address}`, {}, () => ignore)).rejects.toMatchObject({
      code: "connect-refused",
      message: expect.stringContaining("certificate"),
    });
    await listener.close();
  });

  test("without hashes accepts a certificate among the system's roots, by its name", async () => {
    const { listener } = await listen();
    const roots = join(folder, "roots.pem");
    await writeFile(roots, certificate.certificatePem);
    const script = `
      const { webTransportCarrier } = await import(${JSON.stringify(new URL("./client.ts", import.meta.url).href)});
      const { createClock } = await import(${JSON.stringify(new URL("../../platform/node/clock.ts", import.meta.url).href)});
      const none = { datagram() {}, stream() {}, exchange() {}, closed() {} };
      const carrier = webTransportCarrier({ clock: createClock() });
      for (const url of process.argv.slice(1))
        await carrier.connect(url, {}, () => none).then((c) => (console.log("connected"), c.close(0, "")), (e) => console.log(e.code));
      process.exit();`;
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [
        "--input-type=module",
        "-e",
        script,
        `https://${listener.address}`,
        `https://localhost:${listener.address.split(":")[1]}`,
      ],
      { env: { ...process.env, SSL_CERT_FILE: roots } },
    );
    expect(stdout.trim().split("\n")).toEqual(["connected", "connected"]);
    await listener.close();
  });

  test("refuses hashes that are none, and names that do not exist", async () => {
    const connect = (url: string, certificateHashes: Uint8Array[]) =>
      carrier.connect(url, { certificateHashes }, () => ignore);
    await expect(connect("https://127.0.0.1:1", [])).rejects.toMatchObject({ code: "usage" });
    await expect(connect("https://127.0.0.1:1", [new Uint8Array(31)])).rejects.toMatchObject({
      code: "usage",
    });
    await expect(connect("https://nobody.invalid:1", [certificate.hash])).rejects.toMatchObject({
      code: "connect-refused",
    });
  });

  test("finds a server on localhost in whichever address families the machine has", async () => {
    for (const host of hasIpv6Loopback() ? ["127.0.0.1", "::1"] : ["127.0.0.1"]) {
      const { listener, closed } = await listen(host);
      const port = listener.address.split(":").at(-1);
      const connection = await carrier.connect(`https://localhost:${port}`, hashes(), () => ignore);
      expect(connection.url).toBe(`https://localhost:${port}/agtp`);
      connection.close(0, "done");
      while (closed.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      await listener.close();
    }
  });

  test("passes on what the owner throws instead of handlers, and closes", async () => {
    const { listener, closed } = await listen();
    const failure = new Error("no handlers");
    await expect(
      carrier.connect(`https://${listener.address}`, hashes(), () => {
        throw failure;
      }),
    ).rejects.toBe(failure);
    while (closed.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    await listener.close();
  });
});

function hasIpv6Loopback(): boolean {
  const table = "/proc/net/if_inet6";
  return process.platform !== "linux" || (existsSync(table) && /^0{31}1 /m.test(readFileSync(table, "utf8")));
}
