import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { DEFAULT_LIMITS } from "../signaling/switchboard/config.ts";
import { DEFAULT_SERVER_CONFIG, parseServerConfig, readConfigFile, trustOf } from "./config.ts";
import { DEFAULT_ADDRESS_LIMITS } from "./http/address-limits.ts";

function faultOf(...sources: Readonly<Record<string, unknown>>[]) {
  const parsed = parseServerConfig(...sources);
  if (parsed.ok) throw new Error("it was accepted");
  return parsed.fault;
}

describe("parseServerConfig", () => {
  it("gives the documented defaults for nothing: this machine alone, registration closed", () => {
    expect(parseServerConfig()).toEqual({ ok: true, value: DEFAULT_SERVER_CONFIG });
    expect(DEFAULT_SERVER_CONFIG).toMatchObject({
      host: "127.0.0.1",
      port: 4480,
      registration: "closed",
      grace: 10,
    });
  });

  it("has agents of tier 2 talk without a certificate only where registration is open or the operator says so, and tier 3 only then", () => {
    const trust = (settings: Readonly<Record<string, unknown>>) => {
      const parsed = parseServerConfig(settings);
      if (!parsed.ok) throw new Error(parsed.fault.message);
      return trustOf(parsed.value);
    };
    expect(trust({})).toEqual({ trustFloor: "verified", genesisIssuers: "any" });
    expect(trust({ registration: "open" })).toEqual({ trustFloor: "org-asserted", genesisIssuers: [] });
    expect(trust({ registration: "open", trustFloor: "verified" }).trustFloor).toBe("verified");
    expect(trust({ trustFloor: "experimental" }).trustFloor).toBe("experimental");
  });

  it("lets later sources win, and keeps what they leave out", () => {
    const parsed = parseServerConfig({ port: 1, grace: 3 }, { port: 2, host: undefined });
    expect(parsed).toMatchObject({ ok: true, value: { port: 2, grace: 3, host: "127.0.0.1" } });
  });

  it("takes single limits and keeps the rest", () => {
    const parsed = parseServerConfig({ limits: { sessions: 5, boundRate: { perSecond: 1, burst: 2 } } });
    expect(parsed).toMatchObject({
      ok: true,
      value: { limits: { ...DEFAULT_LIMITS, sessions: 5, boundRate: { perSecond: 1, burst: 2 } } },
    });
  });

  it.each([
    ["prot", 4480],
    ["constructor", 1],
    ["host", "media.example"],
    ["port", "4480"],
    ["port", 65_536],
    ["port", 1.5],
    ["dataFolder", ""],
    ["name", "Grüße"],
    ["serverId", "two words"],
    ["registration", "maybe"],
    ["origins", ["http://media.example"]],
    ["origins", ["https://media.example/agtp"]],
    ["origins", "https://media.example"],
    ["webTransport", "no"],
    ["tcpPort", "on"],
    ["httpPort", 65_536],
    ["allowedOrigins", ["https://pages.example/"]],
    ["page", 1],
    ["webhooks", ["http://hooks.example/parley"]],
    ["webhooks", ["https://user:secret@hooks.example/"]],
    ["webhooks", Array(9).fill("https://hooks.example/")],
    ["residents", "off"],
    ["urlTokens", "always"],
    ["grace", -1],
    ["logLevel", "loud"],
    ["policyScope", ["audio"]],
    ["trustFloor", "none"],
    ["genesisIssuers", ["no key"]],
    ["agentDisclosure", "secret"],
    ["scopeViolationCode", 403],
    ["limits", { sessions: 0 }],
    ["limits", { session: 1 }],
    ["limits", { toString: 1 }],
    ["limits", { boundRate: 5 }],
    ["limits", null],
    ["addressLimits", { sockets: 0 }],
    ["addressLimits", { connections: 9 }],
    ["tlsLimits", { handshakes: 0 }],
    ["clientCertificates", "required"],
    ["certificateAuthorities", "ca.pem"],
    ["certificateAuthorities", [""]],
    ["watching", "public"],
  ])("refuses %s = %j and names it", (name, value) => {
    expect(faultOf({ [name]: value })).toMatchObject({ code: "usage", at: name });
  });

  it("lays limits over the default ones", () => {
    const addressLimits = { sockets: 9, upgradeRate: { perSecond: 1, burst: 2 } };
    expect(parseServerConfig({ addressLimits })).toMatchObject({
      value: { addressLimits: { ...DEFAULT_ADDRESS_LIMITS, ...addressLimits }, limits: DEFAULT_LIMITS },
    });
  });

  it("takes ports that are off, but not all of them", () => {
    const off = { webTransport: false, tcpPort: "off" };
    expect(parseServerConfig(off)).toMatchObject({ ok: true, value: { ...off, httpPort: 8480 } });
    expect(faultOf({ ...off, httpPort: "off" })).toMatchObject({ code: "usage" });
  });

  it("takes certificate authorities where clients are asked for certificates, and nowhere else", () => {
    const certificateAuthorities = ["ca.pem"];
    expect(faultOf({ certificateAuthorities })).toMatchObject({ code: "usage" });
    expect(parseServerConfig({ certificateAuthorities, clientCertificates: "asked" })).toMatchObject({
      value: { certificateAuthorities },
    });
  });

  it("wants a certificate and its key together", () => {
    expect(faultOf({ certificateKeyFile: "key.pem" })).toMatchObject({ code: "usage" });
    expect(parseServerConfig({ certificateFile: "a.pem" }, { certificateKeyFile: "b.pem" }).ok).toBe(true);
  });
});

describe("readConfigFile", () => {
  it("reads a JSON object and refuses everything else by name", async () => {
    const folder = await mkdtemp(join(tmpdir(), "parley-config-"));
    const path = join(folder, "config.json");
    await writeFile(path, '{"port": 5}');
    expect(await readConfigFile(path)).toEqual({ port: 5 });
    for (const text of ["[]", "{", ""]) {
      await writeFile(path, text);
      await expect(readConfigFile(path)).rejects.toMatchObject({ code: "usage" });
    }
    await expect(readConfigFile(join(folder, "none"))).rejects.toThrow(/ENOENT/);
    await rm(folder, { recursive: true });
  });
});
