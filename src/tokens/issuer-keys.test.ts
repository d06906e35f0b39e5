import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import { strictVerifier } from "../../test/keys.ts";
import { VirtualClock } from "../../test/net/virtual-clock.ts";
import { CALL_TIME } from "../../test/signed-call.ts";
import { bringing, ISSUER, issuerKey, SERVER_ID, tokenOf } from "../../test/token-maker.ts";
import { Wrong } from "../setting-parsers.ts";
import { COOLDOWN_MS, FRESH_MS, IssuerKeys, STALE_MS } from "./issuer-keys.ts";
import { loadKeyDocument, MAX_DOCUMENT_BYTES } from "./key-document.ts";
import { readTokenIssuers } from "./token-issuers.ts";
import { TokenJudge } from "./token-judge.ts";
import { readKeys } from "./verification-keys.ts";

const FIRST = issuerKey("EdDSA", "first");
const SECOND = issuerKey("EdDSA", "second");
const jwks = (...keys: readonly (typeof FIRST)[]) => JSON.stringify({ keys: keys.map(({ jwk }) => jwk) });

let issuer: Server;
let url: string;
let asked: string[] = [];
let answer: (response: ServerResponse, path: string) => void;
const folder = mkdtempSync(join(tmpdir(), "parley-jwks-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

beforeEach(async () => {
  asked = [];
  answer = (response) => void response.end(jwks(FIRST));
  issuer = createServer((request, response) => {
    asked.push(request.url ?? "");
    answer(response, request.url ?? "");
  });
  await new Promise<void>((resolve) => issuer.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(issuer.address() as AddressInfo).port}/jwks`;
});
afterEach(() => {
  issuer.closeAllConnections();
  issuer.close();
});

function keysOf() {
  const clock = new VirtualClock();
  const failures: unknown[] = [];
  const keys = new IssuerKeys({
    load: () => loadKeyDocument(url),
    read: (document) => readKeys(document, ["EdDSA"], strictVerifier),
    clock,
    failed: (error) => failures.push(error),
  });
  const find = async (kid: string, connection = 1) => {
    const found = await keys.find((key) => key.keyId === kid, connection);
    return found.ok ? found.value.length : found.fault.code;
  };
  return { clock, failures, keys, find };
}

describe("an issuer's keys", () => {
  it("are fetched once for many tokens, and again after an hour", async () => {
    const { clock, find } = keysOf();
    expect(await Promise.all([find("first"), find("first"), find("first")])).toEqual([1, 1, 1]);
    await clock.advance(FRESH_MS - 1);
    expect(await find("first")).toBe(1);
    expect(asked).toHaveLength(1);
    await clock.advance(1);
    expect(await find("first")).toBe(1);
    expect(asked).toHaveLength(2);
  });

  it("are fetched again for a name that nobody knows, and not soon again", async () => {
    const { clock, find } = keysOf();
    expect(await find("first")).toBe(1);
    answer = (response) => void response.end(jwks(FIRST, SECOND));
    expect([await find("second"), await find("second")], "too soon").toEqual([0, 0]);
    await clock.advance(COOLDOWN_MS);
    expect(await find("second")).toBe(1);
    for (let index = 0; index < 50; index += 1) expect(await find(`unknown ${index}`)).toBe(0);
    expect(asked).toHaveLength(2);
  });

  it("that were taken back are gone with the next document", async () => {
    const { clock, find } = keysOf();
    expect(await find("first")).toBe(1);
    answer = (response) => void response.end(jwks(SECOND));
    await clock.advance(FRESH_MS);
    expect([await find("second"), await find("first")]).toEqual([1, 0]);
  });

  it("replaced under their name make tokens of the old ones void, those that held before too", async () => {
    const named = (key: typeof FIRST) => ({ ...key, kid: "same", jwk: { ...key.jwk, kid: "same" } });
    answer = (response) => void response.end(jwks(named(FIRST)));
    const clock = new VirtualClock({ wall: CALL_TIME + 5_000 });
    const judge = new TokenJudge({
      issuers: [{ issuer: ISSUER, jwks: url }],
      server: { agentId: "f".repeat(64), publicKey: new Uint8Array(32), serverId: SERVER_ID },
      verifier: strictVerifier,
      clock,
      keyOf: () => undefined,
      failed: () => {},
    });
    const verdict = async (token: string) => {
      const judged = await judge.judge(bringing(token), [], 1);
      return judged?.ok === true ? "held" : judged?.fault.details?.claim;
    };
    const token = tokenOf(named(FIRST));
    expect([await verdict(token), await verdict(token)]).toEqual(["held", "held"]);
    answer = (response) => void response.end(jwks(named(SECOND)));
    await clock.advance(COOLDOWN_MS);
    expect(await verdict(tokenOf(FIRST)), "which has them fetched again").toBe("kid");
    expect(await verdict(token)).toBe("signature");
    expect(await verdict(tokenOf(named(SECOND)))).toBe("held");
  });

  it("count for a day while the issuer cannot be reached, and then no more", async () => {
    const { clock, find, failures } = keysOf();
    expect(await find("first")).toBe(1);
    answer = (response) => void response.writeHead(500).end();
    await clock.advance(STALE_MS - 1);
    expect(await find("first")).toBe(1);
    await clock.advance(COOLDOWN_MS);
    expect(await find("first")).toBe("token-issuer-unavailable");
    expect(failures).toHaveLength(2);
    answer = (response) => void response.end(jwks(FIRST));
    expect(await find("first"), "not tried again at once").toBe("token-issuer-unavailable");
    await clock.advance(COOLDOWN_MS);
    expect(await find("first")).toBe(1);
  });

  it("that were never had are unavailable, and when to come again is said", async () => {
    answer = (response) => void response.destroy();
    const { keys } = keysOf();
    expect(await keys.find(() => true, 1)).toMatchObject({
      fault: { code: "token-issuer-unavailable", details: { retry_after_ms: COOLDOWN_MS } },
    });
  });
});

describe("a document of keys", () => {
  const refused = (place = url, timeout?: number) =>
    expect(loadKeyDocument(place, timeout)).rejects.toMatchObject({ code: "token-issuer-unavailable" });

  it("is not looked for where a redirect points", async () => {
    answer = (response, path) =>
      path === "/jwks"
        ? void response.writeHead(302, { location: "/elsewhere" }).end()
        : void response.end(jwks(FIRST));
    await refused();
    expect(asked).toEqual(["/jwks"]);
  });

  it("of ten megabytes is broken off", async () => {
    let sent = 0;
    answer = (response) => {
      const more = () => {
        while (sent < 10_000_000 && !response.destroyed) {
          sent += 10_000;
          if (!response.write(Buffer.alloc(10_000, " "))) return;
        }
        response.end();
      };
      response.on("drain", more);
      more();
    };
    await refused();
    expect(sent).toBeLessThan(10_000_000);
  });

  it("that drips is given up", async () => {
    answer = (response) => {
      const drip = setInterval(() => response.write(" "), 20);
      response.once("close", () => clearInterval(drip));
    };
    await refused(url, 150);
  });

  it("that never begins is given up", async () => {
    answer = () => {};
    await refused(url, 100);
  });

  it.each(["[]", "{", "", "null", '"keys"'])("that reads %s is none", async (text) => {
    answer = (response) => void response.end(text);
    await refused();
  });

  it("comes from a file as well, of the same length at most", async () => {
    const path = join(folder, "jwks.json");
    writeFileSync(path, jwks(FIRST));
    expect(await loadKeyDocument(path)).toEqual(JSON.parse(jwks(FIRST)));
    writeFileSync(path, Buffer.alloc(MAX_DOCUMENT_BYTES + 1, " "));
    await refused(path);
    await refused(join(folder, "none.json"));
  });
});

describe("the setting tokenIssuers", () => {
  const read = (...entries: readonly unknown[]) => {
    const issuers = readTokenIssuers(entries);
    return issuers instanceof Wrong ? issuers.expected : issuers;
  };

  it.each([
    { issuer: "https://login.example", jwks: "https://login.example/jwks.json" },
    { issuer: "backend", jwks: "keys/backend.json", algorithms: ["EdDSA"] },
    { issuer: "backend", jwks: { keys: [] }, algorithms: ["EdDSA", "ES256", "RS256"] },
    { issuer: "local", jwks: "http://127.0.0.1:8080/jwks" },
    { issuer: "local", jwks: "http://[::1]:8080/jwks" },
    { issuer: "inside", jwks: "https://10.0.0.7/jwks" },
  ])("takes %o", (issuer) => {
    expect(read(issuer)).toEqual([issuer]);
  });

  it.each<readonly [unknown, RegExp]>([
    [{ issuer: "a", jwks: "http://10.0.0.7/jwks" }, /https URL/],
    [{ issuer: "a", jwks: "http://169.254.169.254/latest/meta-data" }, /https URL/],
    [{ issuer: "a", jwks: "file:///etc/passwd" }, /https URL/],
    [{ issuer: "a", jwks: "https://user:secret@login.example/jwks" }, /https URL/],
    [{ issuer: "a", jwks: "http://127.0.0.1.evil.example/jwks" }, /https URL/],
    [{ issuer: "a", jwks: {} }, /list of keys/],
    [{ issuer: "a" }, /https URL, a file/],
    [{ jwks: { keys: [] } }, /issuer/],
    [{ issuer: "f".repeat(64), jwks: { keys: [] } }, /no Agent-ID/],
    [{ issuer: "a", jwks: { keys: [] }, algorithms: ["HS256"] }, /algorithms/],
    [{ issuer: "a", jwks: { keys: [] }, algorithms: ["none"] }, /algorithms/],
    [{ issuer: "a", jwks: { keys: [] }, algorithms: [] }, /algorithms/],
    [{ issuer: "a", jwks: { keys: [] }, audience: "x" }, /no member "audience"/],
    ["https://login.example", /an object/],
  ])("refuses %o", (issuer, expected) => {
    expect(read(issuer)).toMatch(expected);
  });

  it("names each issuer once", () => {
    const one = { issuer: "a", jwks: { keys: [] } };
    expect(read(one, one)).toMatch(/twice/);
  });
});
