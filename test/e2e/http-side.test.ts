/** The HTTP side beside QUIC: what a page is told, who is let in, what is measured and what is logged. */
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { get, request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { connectAgent } from "../../agent/connect.ts";
import { Agent, createIdentity, nodePlatform } from "../../agent/node.ts";
import type { AgentPlatform } from "../../agent/platform.ts";
import { decodeHex } from "../../codecs/hex.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import { systemClock } from "../../platform/node/clock.ts";
import type { CloseInfo } from "../../sfu/carrier.ts";
import { type ServeOptions, serve } from "../../src/server/serve.ts";
import { webSocketCarrier } from "../../transports/websocket/client.ts";
import { CERTIFICATE_FILE, storedCertificate } from "../../transports/webtransport/certificate.ts";
import { webTransportCarrier } from "../../transports/webtransport/client.ts";
import { addressOf } from "../../web-demo/phone/connect-info.ts";
import { connectCall } from "../calling.ts";
import { RunningCommand } from "../command-line.ts";
import { until } from "../waiting.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "parley-http-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function running(options: ServeOptions) {
  const server = await serve({
    dataFolder: join(folder, "data"),
    port: 0,
    httpPort: 0,
    registration: "open",
    logLevel: "silent",
    ...options,
  });
  onTestFinished(() => server.stop(0));
  return server;
}

async function json(url: string) {
  const response = await fetch(url);
  return { status: response.status, body: await response.json() };
}

/** How the server ended a connection to this URL, or `open` after a second. */
async function dial(url: string, hash: string): Promise<CloseInfo | "open"> {
  const over = Promise.withResolvers<CloseInfo>();
  const hashes = [decoded(hash)];
  const connection = await webTransportCarrier({ clock: systemClock }).connect(
    url,
    { certificateHashes: hashes },
    () => ({ datagram() {}, stream() {}, exchange() {}, closed: over.resolve }),
  );
  const open = new Promise<"open">((resolve) =>
    systemClock.at(systemClock.now() + 1_000, () => resolve("open")),
  );
  const ended = await Promise.race([over.promise, open]);
  connection.close(0, "");
  return ended;
}

function decoded(hex: string): Uint8Array {
  const bytes = decodeHex(hex);
  if (!bytes.ok) throw new Error(bytes.fault.message);
  return bytes.value;
}

describe("tokens in WebTransport URLs", () => {
  it("open the server to its own pages where they are required, and to nobody else", async () => {
    const server = await running({ urlTokens: "required" });
    const { body } = await json(`${server.httpUrl}/connect.json`);
    expect(new URL(body.webtransport.url).origin).toBe(new URL(server.url).origin);
    const hash = body.webtransport.certificate_hashes[0];
    expect(await dial(server.url, hash)).toEqual({ code: 8, reason: "token-missing" });
    expect(await dial(`${server.url}?token=AAAA`, hash)).toEqual({ code: 8, reason: "token-invalid" });
    expect(await dial(body.webtransport.url, hash)).toBe("open");
    const metrics = await (await fetch(`${server.httpUrl}/metrics`)).text();
    expect(metrics).toContain('parley_connections_refused_total{listener="webtransport",reason="token"} 2');
  });
});

describe("listeners in any combination", () => {
  it("WebSockets alone, where UDP cannot be had", async () => {
    const server = await running({ webTransport: false });
    const secure = new URL(server.webSocketUrl ?? "");
    expect(secure.protocol).toBe("wss:");
    expect(server.url).toBe(server.webSocketUrl?.replace("wss:", "https:"));
    const { body } = await json(`${server.httpUrl}/connect.json`);
    expect(body).toMatchObject({ webtransport: null, server: { agent_id: server.agentId } });
    expect(body.websocket.url).toBe(`${server.httpUrl?.replace("http:", "ws:")}/agtp`);
  });

  it("the plain side alone", async () => {
    const server = await running({ webTransport: false, tcpPort: "off" });
    expect(server.webSocketUrl).toBe(`${server.httpUrl?.replace("http:", "ws:")}/agtp`);
    expect(server.url).toBe(server.webSocketUrl);
    expect(await json(`${server.httpUrl}/readyz`)).toEqual({ status: 200, body: { status: "ready" } });
  });

  it("QUIC alone", async () => {
    const server = await running({ httpPort: "off", tcpPort: "off" });
    expect([server.httpUrl, server.webSocketUrl]).toEqual([undefined, undefined]);
    expect(await dial(server.url, server.certificateHash)).toBe("open");
  });

  it("one number for UDP and TCP, and no page without an operator's certificate", async () => {
    const server = await running({});
    expect(new URL(server.webSocketUrl ?? "").host).toBe(new URL(server.url).host);
    const { body } = await json(`${server.httpUrl}/connect.json`);
    expect(body.webtransport.certificate_hashes).toEqual([server.certificateHash]);
    const noPage = await running({ dataFolder: join(folder, "other"), page: false });
    expect((await json(`${noPage.httpUrl}/connect.json`)).status).toBe(404);
    expect((await json(`${noPage.httpUrl}/healthz`)).status).toBe(200);
  });
});

it("WebRTC peers are asked for on the plain side and on TLS, whatever the certificate", async () => {
  const server = await running({});
  const plain = await fetch(`${server.httpUrl}/webrtc/whip`, { method: "POST" });
  const { port } = new URL(server.webSocketUrl as string);
  const path = "/webrtc/whep";
  const asked = request({ host: "127.0.0.1", port, path, method: "POST", rejectUnauthorized: false });
  const [secure] = (await once(asked.end(), "response")) as [IncomingMessage];
  expect([plain.status, secure.statusCode]).toEqual([401, 401]);
  const said = [await plain.json(), JSON.parse((await secure.toArray()).join(""))];
  expect(said.map(({ code }) => code)).toEqual(["token-required", "token-required"]);
});

it("the page is on TLS, too, with an operator's certificate, which browsers judge themselves", async () => {
  await storedCertificate({ folder, now: Date.now() });
  const pem = join(folder, CERTIFICATE_FILE);
  const server = await running({ certificateFile: pem, certificateKeyFile: pem });
  const { port } = new URL(server.webSocketUrl as string);
  const asked = get({ host: "127.0.0.1", port, path: "/connect.json", rejectUnauthorized: false });
  const [response] = (await once(asked, "response")) as [IncomingMessage];
  const info = JSON.parse((await response.toArray()).join(""));
  expect(response.statusCode).toBe(200);
  expect(info.websocket.url).toBe(`wss://127.0.0.1:${port}/agtp`);
  expect(info.webtransport.certificate_hashes).toEqual([]);
  expect(await dial(info.webtransport.url, server.certificateHash)).toBe("open");
});

it.each([
  ["the server's own certificate, pinned", false],
  ["an operator's certificate, which nobody pins", true],
])("the page comes online with %s", async (_name, isOperators) => {
  await storedCertificate({ folder, now: Date.now() });
  const pem = join(folder, CERTIFICATE_FILE);
  const server = await running(isOperators ? { certificateFile: pem, certificateKeyFile: pem } : {});
  const { body } = await json(`${server.httpUrl}/connect.json`);
  const platform = nodePlatform({ webSocketUrl: body.websocket.url });
  const { identity } = createIdentity({ name: "Ada" });
  const agent = await connectAgent(platform, async () => addressOf(body), { identity });
  onTestFinished(() => agent.close());
  // Node's roots do not vouch for this certificate: there is WebSocket then.
  expect(agent.carrier.kind).toBe(isOperators ? "websocket" : "webtransport");
});

it("a proof that was made for one listener is no good at another", async () => {
  const server = await running({ webTransport: false, origins: ["https://media.example"] });
  const plain = `${server.httpUrl}`;
  const secure = server.url.replace("/agtp", "");
  const platform = nodePlatform({ choice: "websocket" });
  /** Dials one listener with a proof that names what somebody else dialled. */
  const relayed = (dialled: string, named: string): AgentPlatform => ({
    ...platform,
    carrier: {
      connect: async (_url, options, handlers) => {
        const url = `${dialled.replace("http", "ws")}/agtp`;
        const pinned = dialled === secure ? { certificateHashes: [decoded(server.certificateHash)] } : {};
        const connection = await webSocketCarrier({ clock: systemClock }).connect(
          url,
          { ...options, ...pinned },
          handlers,
        );
        return new Proxy(connection, {
          get(target, member) {
            if (member === "url") return `${named}/agtp`;
            const value: unknown = Reflect.get(target, member, target);
            return typeof value === "function" ? value.bind(target) : value;
          },
        });
      },
    },
  });
  const come = async (dialled: string, named: string): Promise<string> => {
    const { identity } = createIdentity({ name: "Eve" });
    const coming = connectAgent(relayed(dialled, named), "https://nobody.example/agtp", { identity });
    return await coming.then(
      async (agent) => {
        await agent.close();
        return "online";
      },
      (error: unknown) => (error instanceof ParleyError ? error.code : String(error)),
    );
  };
  for (const [dialled, named, outcome] of [
    [secure, secure, "online"],
    [plain, plain, "online"],
    [secure, plain, "proof-invalid"],
    [secure, "https://residents.invalid", "proof-invalid"],
    [secure, "https://media.example", "proof-invalid"],
    [plain, secure, "proof-invalid"],
  ] as const)
    expect([dialled, named, await come(dialled, named)]).toEqual([dialled, named, outcome]);
});

describe("WebSockets carry a call where there is no UDP", () => {
  it.each([
    ["over TLS, its certificate pinned", undefined],
    ["on the plain side of this machine", "off"],
  ] as const)("%s", async (_name, tcpPort) => {
    const server = await running({ webTransport: false, tcpPort });
    const online = async (name: string) => {
      const carrier = webSocketCarrier({ clock: systemClock });
      const agent = await connectAgent({ ...nodePlatform(), carrier }, server.webSocketUrl as string, {
        identity: createIdentity({ name }).identity,
        ...(tcpPort === "off" ? {} : { certificateHashes: [server.certificateHash] }),
      });
      onTestFinished(() => agent.close());
      return agent;
    };
    const { call, answered } = await connectCall(await online("Ada"), await online("Bob"));
    await call.audio.write(new Int16Array(48_000 / 5));
    await until("frames heard", () => (answered.stats().heard?.verified ?? 0) > 0);
    const metrics = await (await fetch(`${server.httpUrl}/metrics`)).text();
    expect(metrics).toMatch(/^parley_connections\{carrier="websocket"\} 2$/m);
    expect(metrics).toMatch(/^parley_datagrams_dropped_total\{carrier="websocket",reason="late"\} \d+$/m);
    await call.end();
    await server.stop(0);
    await expect(fetch(`${server.httpUrl}/healthz`)).rejects.toThrow();
  });
});

it("a whole call is measured, and logged by session and agent without payloads, proofs or tokens", async () => {
  const command = new RunningCommand([
    ...["serve", "--port", "0", "--http-port", "0", "--data-folder", join(folder, "data")],
    ...["--registration", "open", "--no-residents", "--log-level", "debug", "--json"],
  ]);
  const up = JSON.parse((await command.says(/^\{"url".*\}$/m))[0]);
  const { body } = await json(`${up.http_url}/connect.json`);
  const online = async (name: string) => {
    const { identity } = createIdentity({ name });
    const agent = await Agent.connect(body.webtransport.url, {
      identity,
      certificateHashes: body.webtransport.certificate_hashes,
    });
    onTestFinished(() => agent.close());
    return agent;
  };
  const [ada, bob] = [await online("Ada"), await online("Bob")];
  const { call, answered } = await connectCall(ada, bob);
  await call.audio.write(new Int16Array(48_000 / 5));
  await until("frames heard", () => (answered.stats().heard?.verified ?? 0) > 0);

  const metrics = await (await fetch(`${up.http_url}/metrics`)).text();
  for (const line of [
    /^parley_connections\{carrier="webtransport"\} 2$/m,
    /^parley_agents_online 2$/m,
    /^parley_sessions\{state="active"\} 1$/m,
    /^parley_calls_total\{outcome="established"\} 1$/m,
    /^parley_call_codecs_total\{codec="opus"\} 1$/m,
    /^parley_requests_total\{method="ESTABLISH",status="200"\} 1$/m,
    /^parley_frames_admitted_total [1-9]/m,
    /^parley_frames_forwarded_total [1-9]/m,
    /^parley_relay_seconds_count [1-9]/m,
    /^parley_frame_verification_seconds_count [1-9]/m,
    /^parley_record_commit_seconds_count [1-9]/m,
    /^nodejs_eventloop_lag_p99_seconds /m,
  ])
    expect(metrics).toMatch(line);

  expect((await json(`${up.http_url}/readyz`)).status).toBe(200);
  command.kill("SIGTERM");
  await until("not ready", async () => (await json(`${up.http_url}/readyz`)).status === 503);
  await call.end("said-everything");
  await Promise.all([ada.close(), bob.close()]);
  const { code, stderr } = await command.finished;
  expect(code).toBe(0);
  const events = stderr.split("\n").flatMap((line) => (line.startsWith("{") ? [JSON.parse(line)] : []));
  const ofCall = events.filter(({ event }) => event.startsWith("session-"));
  expect(ofCall.map(({ event }) => event)).toEqual([
    "session-established",
    "session-ended",
    "session-closed",
  ]);
  for (const event of ofCall)
    expect(event).toMatchObject({ sessionId: call.id, caller: ada.id, callee: bob.id });
  const token = new URL(body.webtransport.url).searchParams.get("token") as string;
  expect(token).toMatch(/^[A-Za-z0-9_-]{48}$/);
  expect(stderr).not.toContain(token);
  expect(stderr).not.toContain("token=");
  // Every signed object of JSON begins so.
  expect(stderr).not.toContain("eyJ");
  expect(stderr).not.toMatch(/[A-Za-z0-9+/_-]{100}/);
});
