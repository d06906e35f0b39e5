import { mkdtempSync, rmSync } from "node:fs";
import { get, type IncomingMessage } from "node:http";
import { get as getSecurely } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { parseJson } from "../../codecs/canonical-json.ts";
import { loadIdentity } from "../../platform/node/identity-file.ts";
import { verifier } from "../../platform/node/sodium.ts";
import { readGenesis } from "../../signaling/genesis.ts";
import { verifyManifest } from "../../signaling/manifest.ts";
import { SERVER_IDENTITY_FILE } from "../server/own-papers.ts";
import { type ServeOptions, serve } from "../server/serve.ts";
import { wellKnownDocument } from "./well-known.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "parley-well-known-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function running(options: ServeOptions = {}) {
  const server = await serve({
    dataFolder: folder,
    port: 0,
    httpPort: 0,
    webTransport: false,
    residents: false,
    logLevel: "silent",
    ...options,
  });
  onTestFinished(() => server.stop(0));
  return server;
}

/** Asks a server under another name than it is dialled by. */
function ask(url: string, host: string): Promise<{ response: IncomingMessage; body: string }> {
  const { protocol } = new URL(url);
  return new Promise((resolve, reject) => {
    const asked = (protocol === "https:" ? getSecurely : get)(
      url,
      { headers: { host }, agent: false, rejectUnauthorized: false } as object,
      (response) => {
        let body = "";
        response.on("data", (part) => (body += part));
        response.on("end", () => resolve({ response, body }));
      },
    );
    asked.on("error", reject);
  });
}

describe("/.well-known/agtp", () => {
  it("tells under the name it was asked by where AGTP is, over HTTP and HTTPS", async () => {
    const server = await running({ origins: ["https://media.example", "https://media.example:4480"] });
    const secure = server.agtpUrl?.replace("agtp:", "https:") as string;
    for (const [url, host, agtp] of [
      [server.httpUrl, new URL(server.httpUrl as string).host, server.agtpUrl],
      [server.httpUrl, "media.example", "agtp://media.example:4480"],
      [secure, new URL(secure).host, server.agtpUrl],
      [secure, "media.example:4480", "agtp://media.example:4480"],
    ] as const) {
      const { response, body } = await ask(`${url}/.well-known/agtp`, host);
      expect(response.statusCode).toBe(200);
      expect(response.headers["content-type"]).toMatch(/^application\/json/);
      expect(JSON.parse(body)).toMatchObject({
        agtp_version: "1.0",
        endpoint: agtp,
        issuer: server.agentId,
        verification: { dns_anchor: null, log_anchor: null },
        discovery: {
          bindings: { tls: agtp, webtransport: null },
          certificate_hashes: [server.certificateHash],
        },
      });
    }
  });

  it("may be read by pages anywhere under a public name, and by no page from this machine's loopback", async () => {
    const { httpUrl } = await running({ origins: ["https://media.example"] });
    for (const path of ["/.well-known/agtp", "/.well-known/agtp/manifest"]) {
      const open = await ask(`${httpUrl}${path}`, "media.example");
      expect(open.response.headers).toMatchObject({
        "access-control-allow-origin": "*",
        "cross-origin-resource-policy": "cross-origin",
        "cache-control": "public, max-age=300",
      });
      const own = await ask(`${httpUrl}${path}`, new URL(httpUrl as string).host);
      expect(own.response.headers["access-control-allow-origin"]).toBeUndefined();
      expect(own.response.headers["cross-origin-resource-policy"]).toBe("same-origin");
      const led = await ask(`${httpUrl}${path}`, "attacker.example");
      expect(led.response.statusCode).toBe(421);
    }
  });

  it("leads to the manifest, which the server signed", async () => {
    const { httpUrl } = await running();
    const found = await (await fetch(`${httpUrl}/.well-known/agtp`)).json();
    const response = await fetch(found.discovery.manifest);
    expect(response.headers.get("content-type")).toBe("application/vnd.agtp.manifest+json");
    const parsed = parseJson(new Uint8Array(await response.arrayBuffer()));
    const { genesis } = await loadIdentity(join(folder, SERVER_IDENTITY_FILE));
    const read = readGenesis(genesis, verifier);
    if (!parsed.ok || !read.ok) throw new Error("unreadable");
    expect(verifyManifest(parsed.value as never, read.value.agentKey, verifier)).toBe(true);
  });

  it("can be switched off", async () => {
    const { httpUrl } = await running({ wellKnown: false });
    for (const path of ["/.well-known/agtp", "/.well-known/agtp/manifest"])
      expect((await fetch(`${httpUrl}${path}`)).status).toBe(404);
  });

  it("names no endpoint where there is no TLS port, and the port itself where a proxy has a public name", () => {
    const facts = { agentId: "ab", webTransport: undefined, tls: undefined };
    const origin = "https://media.example";
    expect(wellKnownDocument(facts, origin)).toMatchObject({
      endpoint: null,
      namespace_root: "agtp://media.example",
      discovery: { bindings: { tls: null, websocket: "wss://media.example/agtp" } },
    });
    const tls = { origins: ["https://127.0.0.1:4481", origin], certificateHashes: [] };
    expect(wellKnownDocument({ ...facts, tls }, origin)).toMatchObject({
      endpoint: "agtp://media.example:4481",
    });
  });
});
