import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, onTestFinished } from "vitest";
import { parley, parleyAgain, RunningCommand } from "../../test/command-line.ts";
import type { Finding } from "../doctor/finding.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "parley-doctor-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));
const at = (name: string): string => join(folder, name);

async function examined(...args: readonly string[]) {
  const { code, stdout } = await parleyAgain("doctor", "--json", ...args);
  const { fit, findings } = JSON.parse(stdout) as { readonly fit: boolean; readonly findings: Finding[] };
  const of = (name: string) => findings.find((finding) => finding.name === name);
  return { code, fit, findings, of };
}

it("finds a machine fit on which the tests run, one line each, and leaves nothing behind", async () => {
  const { code, stdout } = await parley(
    ...["doctor", "--port", "0", "--http-port", "0", "--data-folder", at("data")],
  );
  expect(code).toBe(0);
  const lines = stdout.trimEnd().split("\n");
  const names = lines.map((line) => /^(ok|warning) +(\S+) +\S/.exec(line)?.[2]);
  expect(names).toEqual([
    ...[
      "node",
      "clock",
      "sodium",
      "lmdb",
      "quic",
      "opus",
      "webrtc",
      "page",
      "store",
      "certificate",
      "udp",
      "tcp",
      "http",
    ],
  ]);
  for (const line of lines) if (line.startsWith("warning")) expect(line).toMatch(/\. Fix: \S/);
  expect(stdout).toMatch(/ QUIC reached it in \d+ ms$/m);
  expect(stdout).toMatch(/ TLS reached it in \d+ ms$/m);
  expect(existsSync(at("data"))).toBe(false);
});

it("names what does not work, with a fix for each, and exits with 24", async () => {
  const blocker = createServer().listen(0, "127.0.0.1");
  await once(blocker, "listening");
  onTestFinished(() => void blocker.close());
  const { port } = blocker.address() as AddressInfo;
  await mkdir(at("data"));
  await writeFile(at("data/data.mdb"), "this is not a record log, it is a shopping list");
  await writeFile(at("data/webtransport-certificate.pem"), "rubbish");
  const { code, fit, findings, of } = await examined(
    ...["--port", "0", "--http-port", String(port), "--data-folder", at("data")],
  );
  expect({ code, fit }).toEqual({ code: 24, fit: false });
  expect(of("http")).toMatchObject({ state: "failed", found: expect.stringContaining(`127.0.0.1:${port}`) });
  expect(of("store")).toMatchObject({ state: "failed", found: expect.stringMatching(/not a record log/) });
  expect(of("certificate")).toMatchObject({ state: "failed" });
  for (const { state, fix } of findings) expect(fix === undefined).toBe(state === "ok");
});

it("tells the running server of the same folder from somebody else", async () => {
  const server = new RunningCommand([
    "serve",
    "--port",
    "0",
    "--http-port",
    "0",
    "--data-folder",
    at("data"),
    "--json",
  ]);
  const up = JSON.parse((await server.says(/^\{"url".*\}$/m))[0]);
  const ports = ["--port", new URL(up.url).port, "--http-port", new URL(up.http_url).port];
  const ours = await examined(...ports, "--data-folder", at("data"));
  expect(ours.findings.filter(({ state }) => state === "failed")).toEqual([]);
  expect(ours.of("udp")?.found).toMatch(/the running server's, and QUIC reached another one/);
  expect(ours.of("tcp")?.found).toMatch(/the running server's, and AGTP over TLS reached it in \d+ ms/);
  expect(ours.of("store")?.found).toMatch(/used by the server that runs/);
  const others = await examined(...ports, "--data-folder", at("other"));
  expect(others.findings.filter(({ state }) => state === "failed").map(({ name }) => name)).toEqual([
    ...["udp", "tcp", "http"],
  ]);
  server.kill("SIGTERM");
  expect((await server.finished).code).toBe(0);
});

it("refuses settings that are none", async () => {
  await writeFile(at("config.json"), '{"prot": 1}');
  expect((await parleyAgain("doctor", "--config", at("config.json"))).code).toBe(2);
});
