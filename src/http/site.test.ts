import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { type IncomingMessage, request } from "node:http";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { WebSocket } from "ws";
import { systemClock } from "../../platform/node/clock.ts";
import { MemoryRates } from "../../signaling/shared-state.ts";
import { storedCertificate } from "../../transports/webtransport/certificate.ts";
import { originsOf } from "../server/origins.ts";
import { DEFAULT_TLS_LIMITS } from "../server/tls-door.ts";
import { AddressBook, DEFAULT_ADDRESS_LIMITS } from "./address-limits.ts";
import {
  openSite,
  type PageParts,
  type Site,
  type SiteOptions,
  type TlsParts,
  type WatchParts,
} from "./site.ts";
import type { SocketFacts } from "./upgrades.ts";

const ELSEWHERE = "https://pages.example";
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "parley-site-"));
  await mkdir(join(folder, "page", "assets"), { recursive: true });
  await writeFile(join(folder, "page", "index.html"), "<!doctype html><title>Parley</title>");
  await writeFile(join(folder, "page", "assets", "index-B1a2C3d4.js"), "export {};");
  await writeFile(join(folder, "secret.txt"), "not the page's");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const page = (built = true): PageParts => ({
  folder: built ? join(folder, "page") : undefined,
  connectInfo: (origin) => ({
    server: { agent_id: "ab".repeat(32), name: "Test" },
    webtransport: null,
    websocket: { url: `${origin.replace("http", "ws")}/agtp` },
    tls: null,
    webrtc: { available: true },
    residents: [],
    version: "0.0.0",
  }),
  connectsTo: () => ["https://127.0.0.1:4480"],
});

const SHOWN = { headers: { authorization: "Bearer secret" } };

const watch: WatchParts = {
  agentId: "ab",
  unready: () => undefined,
  metrics: async () => ({ type: "text/plain", text: "up 1\n" }),
  eventsToken: () => "secret",
  events: (after, count) => ({ events: [], last: after, more: count > 9 }),
  everywhere: false,
};

/** AGTP beside it is tested at the door. */
async function tlsParts(): Promise<TlsParts> {
  const certificate = await storedCertificate({ folder, now: Date.now() });
  return {
    certificate,
    clientCertificates: "off",
    limits: DEFAULT_TLS_LIMITS,
    clock: systemClock,
    agtp: (socket) => socket.destroy(),
  };
}

interface Scene {
  readonly site: Site;
  readonly origin: string;
  readonly taken: SocketFacts[];
  unready: string | undefined;
}

async function scene(options: Partial<SiteOptions> = {}): Promise<Scene> {
  const scheme = options.tls === undefined ? "http" : "https";
  const taken: SocketFacts[] = [];
  const told: { unready: string | undefined } = { unready: undefined };
  const site = await openSite({
    host: "127.0.0.1",
    port: 0,
    setting: "httpPort",
    origins: (address) => originsOf(address, scheme),
    pageOrigins: () => [ELSEWHERE, `${scheme}://${site.address}`],
    maxSockets: 2,
    unready: () => told.unready,
    accept: (_socket, facts) => taken.push(facts),
    addresses: new AddressBook({
      limits: DEFAULT_ADDRESS_LIMITS,
      clock: systemClock,
      rates: new MemoryRates(),
    }),
    watch: { ...watch, unready: () => told.unready },
    page: page(),
    ...options,
  });
  onTestFinished(() => site.close());
  return Object.assign(told, { site, origin: `${scheme}://${site.address}`, taken });
}

/** How a WebSocket attempt ended: `open`, or status and code of the refusal. */
async function dial(url: string, headers: Record<string, string> = {}) {
  const socket = new WebSocket(url, { headers, rejectUnauthorized: false });
  onTestFinished(() => socket.terminate());
  return await new Promise<unknown>((resolve, reject) => {
    socket.on("open", () => resolve("open"));
    socket.on("error", reject);
    socket.on("unexpected-response", (_request, response) => {
      let body = "";
      response.on("data", (part) => (body += part));
      response.on("end", () => resolve([response.statusCode, JSON.parse(body).error.code]));
    });
  });
}

function get(url: string, host: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { headers: { host } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    asked.on("error", reject).end();
  });
}

describe("the page", () => {
  it("comes with headers that keep it to its own code and server, and is asked for anew", async () => {
    const { origin } = await scene();
    const response = await fetch(`${origin}/`);
    expect(response.status).toBe(200);
    expect(await response.text()).toContain("<title>Parley</title>");
    const policy = response.headers.get("content-security-policy");
    for (const part of [
      "default-src 'none'",
      "script-src 'self' blob: 'wasm-unsafe-eval'",
      "style-src 'self'",
      `connect-src 'self' ${origin.replace("http", "ws")} https://127.0.0.1:4480`,
      "frame-ancestors 'none'",
    ])
      expect(policy).toContain(part);
    expect(policy).not.toMatch(/'unsafe-(inline|eval)'/);
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    expect(response.headers.get("cache-control")).toBe("no-cache");
  });

  it("has parts that are kept for good where their names change with their content", async () => {
    const { origin } = await scene();
    const response = await fetch(`${origin}/assets/index-B1a2C3d4.js`);
    expect(response.headers.get("content-type")).toMatch(/javascript/);
    expect(response.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
  });

  it("is nothing but its own folder", async () => {
    const { origin } = await scene();
    for (const path of ["/../secret.txt", "/%2e%2e/secret.txt", "/assets/..%2f..%2fsecret.txt", "/nothing"]) {
      const response = await fetch(`${origin}${path}`);
      expect(response.status).toBeGreaterThanOrEqual(400);
      expect(await response.text()).not.toContain("not the page's");
    }
  });

  it("that is not built says how to build it", async () => {
    const { origin } = await scene({ page: page(false) });
    const response = await fetch(`${origin}/`);
    expect(response.status).toBe(503);
    expect(await response.text()).toContain("npm run build:page");
  });

  it("is told where to connect, and no page elsewhere is", async () => {
    const { origin } = await scene();
    const response = await fetch(`${origin}/connect.json`, { headers: { origin: ELSEWHERE } });
    expect(await response.json()).toMatchObject({
      websocket: { url: `${origin.replace("http", "ws")}/agtp` },
    });
    expect(response.headers.get("access-control-allow-origin")).toBeNull();
    expect(response.headers.get("cross-origin-resource-policy")).toBe("same-origin");
    expect(response.headers.get("cache-control")).toBe("no-store");
  });
});

describe("a request under a name that is not the server's", () => {
  it.each(["/", "/connect.json", "/metrics", "/healthz", "/nothing"])("is refused: %s", async (path) => {
    const { origin } = await scene();
    expect(await get(`${origin}${path}`, new URL(origin).host)).not.toBe(421);
    expect(await get(`${origin}${path}`, "attacker.example")).toBe(421);
  });
});

describe("who watches", () => {
  it("reads health, readiness and metrics", async () => {
    const told = await scene();
    expect(await (await fetch(`${told.origin}/healthz`)).json()).toEqual({ status: "up", agent_id: "ab" });
    expect((await fetch(`${told.origin}/readyz`)).status).toBe(200);
    expect(await (await fetch(`${told.origin}/metrics`)).text()).toBe("up 1\n");
    const asked = async (query: string) => await (await fetch(`${told.origin}/events${query}`, SHOWN)).json();
    expect(await asked("?after=7&count=3")).toEqual({ events: [], last: 7, more: false });
    const without = await fetch(`${told.origin}/events`);
    expect([without.status, (await without.json()).error.code]).toEqual([401, "events-token-required"]);
    // As many as it may at the most.
    expect(await asked("?count=9999")).toEqual({ events: [], last: -1, more: true });
    for (const wrong of ["?after=x", "?count=0", "?after=-2", "?since=1", "?count=1e3"])
      expect(await asked(wrong), wrong).toMatchObject({ error: { code: "field-invalid" } });
    told.unready = "The server stops.";
    const unready = await fetch(`${told.origin}/readyz`);
    expect(unready.status).toBe(503);
    expect(await unready.json()).toEqual({ status: "not-ready", why: "The server stops." });
    expect((await fetch(`${told.origin}/healthz`)).status).toBe(200);
  });

  it.each([
    [false, 421],
    [true, 200],
  ])(
    "reads nothing under the name that a proxy shows, unless told everywhere (%s)",
    async (everywhere, status) => {
      const { origin } = await scene({
        origins: (address) => [...originsOf(address, "http"), "https://media.example"],
        watch: { ...watch, everywhere },
      });
      const { port } = new URL(origin);
      for (const path of ["/healthz", "/readyz", "/metrics", "/events"]) {
        const here = path === "/events" ? 401 : 200;
        expect(await get(`${origin}${path}`, "media.example"), path).toBe(everywhere ? here : status);
        expect(await get(`${origin}${path}`, `localhost:${port}`), path).toBe(here);
      }
      expect(await get(`${origin}/`, "media.example")).toBe(200);
    },
  );
});

describe("through a proxy that hands on whatever its clients call it", () => {
  it.each(["x-forwarded-for", "forwarded", "via", "x-real-ip", "x-forwarded-host", "x-forwarded-proto"])(
    "nobody watches: %s",
    async (header) => {
      const { origin } = await scene();
      const asked = await fetch(`${origin}/metrics`, { headers: { [header]: "203.0.113.9" } });
      expect([asked.status, (await asked.json()).error.code]).toEqual([421, "host-refused"]);
    },
  );
});

describe("one address", () => {
  const LIMITS = { ...DEFAULT_ADDRESS_LIMITS, upgradeRate: { perSecond: 1, burst: 2 } };
  const addresses = (limits: typeof LIMITS) =>
    new AddressBook({ limits, clock: systemClock, rates: new MemoryRates(), exempt: () => false });

  it("is refused by name when it asks for WebSockets too often", async () => {
    const { site, origin } = await scene({ addresses: addresses(LIMITS), maxSockets: 9 });
    const url = `${origin.replace("http", "ws")}/agtp`;
    expect([await dial(url), await dial(url)]).toEqual(["open", "open"]);
    expect(await dial(url)).toEqual([429, "rate-limited"]);
    expect(site.refused).toMatchObject({ "address-upgrade-rate": 1 });
  });

  it("is told when to ask again", async () => {
    const { origin } = await scene({
      addresses: addresses({ ...LIMITS, upgradeRate: { perSecond: 1, burst: 1 } }),
    });
    await dial(`${origin.replace("http", "ws")}/agtp`);
    const { port } = new URL(origin);
    const headers = { connection: "upgrade", upgrade: "websocket", host: `127.0.0.1:${port}` };
    const refused = await new Promise<IncomingMessage>((resolve, reject) => {
      request({ port, path: "/agtp", headers }, resolve).once("error", reject).end();
    });
    expect([refused.statusCode, refused.headers["retry-after"]]).toEqual([429, "1"]);
    const body = JSON.parse(Buffer.concat(await refused.toArray()).toString());
    expect(body.error).toMatchObject({
      code: "rate-limited",
      details: { retry_after_ms: expect.any(Number) },
    });
  });

  it.each([
    ["address-sockets", { ...LIMITS, sockets: 2 }],
    ["address-socket-rate", { ...LIMITS, socketRate: { perSecond: 1, burst: 2 } }],
  ])("is dropped before TLS with too many connections: %s", async (reason, limits) => {
    const tls = await tlsParts();
    const { site, origin } = await scene({ tls, addresses: addresses(limits), maxSockets: 9 });
    const url = `${origin.replace("https", "wss")}/agtp`;
    expect([await dial(url), await dial(url)]).toEqual(["open", "open"]);
    await expect(dial(url)).rejects.toThrow();
    expect(site.refused).toMatchObject({ [reason]: 1 });
  });
});

describe("a WebSocket", () => {
  it("is taken from no browser, from the server's own page and from allowed ones, its token out of sight", async () => {
    const { origin, taken } = await scene({ maxSockets: 3 });
    const url = `${origin.replace("http", "ws")}/agtp?token=secret`;
    expect(await dial(url)).toBe("open");
    expect(await dial(url, { origin })).toBe("open");
    expect(await dial(url, { origin: ELSEWHERE })).toBe("open");
    expect(taken.map(({ url: dialled }) => dialled)).toEqual(
      Array(3).fill(`${origin.replace("http", "ws")}/agtp`),
    );
    expect(taken[0]?.peerAddress).toMatch(/^127\.0\.0\.1:\d+$/);
  });

  it("is refused by name: origin, host, path, number, and while the server is not ready", async () => {
    const told = await scene();
    const base = told.origin.replace("http", "ws");
    expect(await dial(`${base}/agtp`, { origin: "https://attacker.example" })).toEqual([
      403,
      "origin-refused",
    ]);
    expect(await dial(`${base}/agtp`, { origin: "null" })).toEqual([403, "origin-refused"]);
    expect(await dial(`${base}/agtp`, { host: "attacker.example" })).toEqual([421, "host-refused"]);
    expect(await dial(`${base}/other`)).toEqual([404, "not-found"]);
    expect([await dial(`${base}/agtp`), await dial(`${base}/agtp`)]).toEqual(["open", "open"]);
    expect(await dial(`${base}/agtp`)).toEqual([503, "capacity"]);
    told.unready = "The server stops.";
    expect(await dial(`${base}/agtp`)).toEqual([503, "draining"]);
    expect(told.site.refused).toMatchObject({ origin: 2, host: 1, path: 1, full: 1, stopping: 1 });
    const plain = await fetch(`${told.origin}/agtp`);
    expect([plain.status, (await plain.json()).error.code]).toEqual([426, "upgrade-required"]);
  });
});

describe("over TLS", () => {
  it("takes version 1.3 and http/1.1, and nothing older or other", async () => {
    const tls = await tlsParts();
    const { site, origin } = await scene({ tls });
    expect(await dial(`${origin.replace("https", "wss")}/agtp`)).toBe("open");
    const port = Number(new URL(origin).port);
    const shake = async (options: object) => {
      const socket = connectTls({ host: "127.0.0.1", port, rejectUnauthorized: false, ...options });
      onTestFinished(() => void socket.destroy());
      return await once(socket, "secureConnect").then(
        () => [socket.getProtocol(), socket.alpnProtocol],
        (error: NodeJS.ErrnoException) => error.code,
      );
    };
    expect(await shake({ ALPNProtocols: ["h2", "http/1.1"] })).toEqual(["TLSv1.3", "http/1.1"]);
    expect(await shake({})).toEqual(["TLSv1.3", false]);
    expect(await shake({ maxVersion: "TLSv1.2" })).toMatch(/^ERR_SSL|ECONNRESET/);
    expect(await shake({ ALPNProtocols: ["h2"] })).toMatch(/^ERR_SSL|ECONNRESET/);
    await site.close();
  });
});

it("drops who does not finish a request's head", async () => {
  const { origin } = await scene();
  const socket = createConnection(Number(new URL(origin).port), "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  socket.write("GET / HTTP/1.1\r\nHost:");
  let said = "";
  socket.on("data", (part) => (said += part));
  await once(socket, "close");
  expect(said).toMatch(/^HTTP\/1\.1 408 /);
}, 15_000);
