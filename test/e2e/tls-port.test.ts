/** The one TLS port of a server that runs: AGTP, HTTP and WebSocket side by side, as any program finds them. */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { get, type RequestOptions } from "node:https";
import { connect as connectTcp } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from "node:tls";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, it, onTestFinished } from "vitest";
import { WebSocket } from "ws";
import { type ServeOptions, serve } from "../../src/server/serve.ts";
import { CERTIFICATE_FILE } from "../../transports/webtransport/certificate.ts";
import { parleyAgain } from "../command-line.ts";
import { until } from "../waiting.ts";

const execute = promisify(execFile);
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "parley-tls-port-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function running(options: ServeOptions = {}) {
  const server = await serve({
    dataFolder: folder,
    port: 0,
    httpPort: 0,
    registration: "open",
    logLevel: "silent",
    residents: false,
    ...options,
  });
  onTestFinished(() => server.stop(0));
  const port = Number(new URL(server.agtpUrl?.replace("agtp:", "https:") as string).port);
  const ca = readFileSync(join(folder, CERTIFICATE_FILE), "utf8");
  return { server, port, ca, metrics: async () => await (await fetch(`${server.httpUrl}/metrics`)).text() };
}

async function dial(
  port: number,
  options: ConnectionOptions,
): Promise<{ socket: TLSSocket; said: () => string }> {
  const socket = connectTls({ host: "127.0.0.1", port, ...options });
  onTestFinished(() => void socket.destroy());
  socket.on("error", () => {});
  let said = "";
  socket.on("data", (part) => (said += part));
  await once(socket, "secureConnect");
  return { socket, said: () => said };
}

function statusOf(options: RequestOptions): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    get({ host: "127.0.0.1", agent: false, ...options }, (response) => {
      response.resume();
      resolve(response.statusCode);
    }).on("error", reject);
  });
}

it.each([{ ALPNProtocols: ["agtp"] }, {}])(
  "AGTP, HTTP and WebSockets share the port, %o",
  async (options) => {
    const { server, port, ca, metrics } = await running();
    const agtp = await dial(port, { ca, ...options });
    agtp.socket.write("AGTP/1.0 DISCOVER /\r\n\r\nAGTP/1.0 DESCRIBE /\r\n\r\n");
    await until("two answers in order", () => agtp.said().split("AGTP/1.0 200 OK\r\n").length === 3);
    expect(agtp.said()).toMatch(
      /application\/vnd\.agtp\.manifest\+json.*"bindings":\["webtransport","tls","websocket"\]/s,
    );

    expect(await statusOf({ port, ca, path: "/agtp" })).toBe(426);
    const socket = new WebSocket(server.webSocketUrl as string, { ca });
    onTestFinished(() => socket.terminate());
    await once(socket, "open");
    expect(await metrics()).toMatch(/^parley_connections\{carrier="tls"\} 1$/m);

    agtp.socket.end();
    await until("its end", async () => !/^parley_connections\{carrier="tls"\} 1$/m.test(await metrics()));
  },
);

it("whoever stalls, or speaks what is not taken, keeps nobody waiting and is counted", async () => {
  const { port, ca, metrics } = await running();
  const stalled = await Promise.all(
    Array.from({ length: 300 }, async () => {
      const socket = connectTcp(port, "127.0.0.1").on("error", () => {});
      onTestFinished(() => void socket.destroy());
      await once(socket, "connect");
      return socket;
    }),
  );
  const began = performance.now();
  const agtp = await dial(port, { ca });
  agtp.socket.write("AGTP/1.0 DISCOVER /\r\n\r\n");
  await until("an answer", () => agtp.said().startsWith("AGTP/1.0 200 OK\r\n"));
  expect(performance.now() - began).toBeLessThan(2_000);
  expect(await metrics()).toMatch(/^parley_tls_handshakes_open 300$/m);
  stalled[0]?.write("GET / HTTP/1.1\r\n\r\n");
  await expect(dial(port, { ca, maxVersion: "TLSv1.2" })).rejects.toThrow();
  await expect(dial(port, { ca, ALPNProtocols: ["h2"] })).rejects.toThrow();
  for (const reason of ["plain-text", "tls-version", "alpn"]) {
    const counted = `parley_connections_refused_total{listener="tls",reason="${reason}"} 1\n`;
    await until(counted, async () => (await metrics()).includes(counted));
  }
}, 30_000);

it("the README's one line asks for the manifest", async () => {
  const { port } = await running();
  const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
  const line = /^\(printf .*openssl s_client.*$/m.exec(readme)?.[0] as string;
  const { stdout } = await execute("bash", ["-c", line.replace("4480", String(port))]);
  expect(stdout).toMatch(/^AGTP\/1\.0 200 OK\r\n/);
  expect(JSON.parse(stdout.slice(stdout.indexOf("\r\n\r\n")))).toMatchObject({
    agtp_version: "1.0",
    manifest_signature: expect.stringMatching(/\.\./),
  });
});

it("parley discover shows what the server tells anybody, by a pinned certificate", async () => {
  const { server } = await running();
  const url = server.agtpUrl as string;
  const hash = ["--cert-hash", server.certificateHash];
  const found = await parleyAgain("discover", url, ...hash, "--json");
  expect(found.code, found.stderr).toBe(0);
  expect(JSON.parse(found.stdout)).toMatchObject({
    signed_by: server.agentId,
    manifest: { agtp_version: "1.0" },
  });
  const methods = await parleyAgain("discover", url, "/methods", ...hash);
  expect(JSON.parse(methods.stdout).methods).toContainEqual(expect.objectContaining({ method: "ESTABLISH" }));
  const nothing = await parleyAgain("discover", url, "/patterns-of-nobody", ...hash);
  expect([nothing.code, nothing.stderr]).toEqual([1, expect.stringMatching(/^parley: not-found: /)]);
  const other = await parleyAgain("discover", url, "--cert-hash", "00".repeat(32));
  expect([other.code, other.stderr]).toEqual([10, expect.stringMatching(/^parley: connect-refused: /)]);
}, 60_000);

it("sessions are resumed without early data: a ticket allows none", async () => {
  const { port } = await running();
  const ticket = join(folder, "ticket.pem");
  const request = join(folder, "early.txt");
  writeFileSync(request, "AGTP/1.0 DISCOVER /\r\n\r\n");
  const dialled = (more: string) =>
    execute("bash", ["-c", `sleep 1 | openssl s_client -connect 127.0.0.1:${port} -alpn agtp ${more} 2>&1`]);
  await dialled(`-sess_out ${ticket}`);
  const { stdout: described } = await execute("openssl", ["sess_id", "-in", ticket, "-noout", "-text"]);
  expect(described).toMatch(/Max Early Data: 0\n/);
  const { stdout: resumed } = await dialled(`-sess_in ${ticket} -early_data ${request}`);
  expect(resumed).toMatch(/^Reused, TLSv1\.3/m);
  expect(resumed).toContain("Early data was not sent");
});

it.each([
  ["asked", true],
  ["off", false],
] as const)(
  "with clientCertificates %s clients are asked for one: %s, and come in without one and with any",
  async (clientCertificates, isAsked) => {
    const { port } = await running({ clientCertificates });
    const [key, certificate] = [join(folder, "client.key"), join(folder, "client.pem")];
    const make = "openssl req -x509 -newkey ed25519 -nodes -subj /CN=client -days 1";
    await execute("bash", ["-c", `${make} -keyout ${key} -out ${certificate}`]);
    for (const shown of ["", `-cert ${certificate} -key ${key}`]) {
      const ask = "(printf 'AGTP/1.0 DISCOVER /\\r\\n\\r\\n'; sleep 1)";
      const dial = `openssl s_client -no_ign_eof -connect 127.0.0.1:${port} ${shown}`;
      const { stdout } = await execute("bash", ["-c", `${ask} | ${dial}`]);
      expect(stdout).toContain("AGTP/1.0 200 OK\r\n");
      // What openssl tells of a server's request for a certificate.
      expect(stdout.includes("Requested Signature Algorithms")).toBe(isAsked);
    }
  },
);

it("AGTP connections end when the server stops, and idle ones after their time", async () => {
  const { server, port, ca, metrics } = await running({ tlsLimits: { idleSeconds: 1 } });
  const idle = await dial(port, { ca, ALPNProtocols: ["agtp"] });
  await once(idle.socket, "close");
  expect(await metrics()).toMatch(/^parley_tls_connections_ended_total\{reason="idle"\} 1$/m);
  const open = await dial(port, { ca, ALPNProtocols: ["agtp"] });
  const over = once(open.socket, "close");
  await server.stop(0);
  await over;
}, 30_000);
