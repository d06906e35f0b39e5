import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parleyAgain, RunningCommand } from "../../test/command-line.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "parley-serve-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));
const at = (name: string): string => join(folder, name);

/** One line and nothing else: `parley: CODE: …`. */
function oneLine(code: string): RegExp {
  return new RegExp(`^parley: ${code}: [^\\n]+\\n$`);
}

async function refusal(...args: readonly string[]) {
  const { code, stdout, stderr } = await parleyAgain("serve", "--port", "0", "--http-port", "0", ...args);
  expect(stdout).toBe("");
  return { code, stderr };
}

describe("parley serve refuses to start, with one clear line,", () => {
  it("where the port is taken", async () => {
    const socket = createSocket("udp4");
    await new Promise<void>((resolve) =>
      socket.bind({ port: 0, address: "127.0.0.1", exclusive: true }, resolve),
    );
    const { port } = socket.address();
    const { code, stderr } = await refusal("--port", String(port), "--data-folder", at("data"));
    await new Promise<void>((resolve) => socket.close(() => resolve()));
    expect(code).toBe(20);
    expect(stderr).toMatch(oneLine("port-taken"));
    expect(stderr).toContain(String(port));
  });

  it("where a TCP port is taken, naming it", async () => {
    const taken = createServer().listen(0, "127.0.0.1");
    await once(taken, "listening");
    const { port } = taken.address() as AddressInfo;
    for (const flag of ["--http-port", "--tcp-port"]) {
      const { code, stderr } = await refusal(flag, String(port), "--data-folder", at("data"));
      expect(code).toBe(20);
      expect(stderr).toMatch(oneLine("port-taken"));
      expect(stderr).toContain(`TCP 127.0.0.1:${port}`);
    }
    taken.close();
  });

  it("where the data folder is a file, lies below one, or cannot be made", async () => {
    await writeFile(at("file"), "");
    for (const path of [at("file"), at("file/data"), "/proc/parley"]) {
      const { code, stderr } = await refusal("--data-folder", path);
      expect(code).toBe(21);
      expect(stderr).toMatch(oneLine("data-folder-unwritable"));
      expect(stderr).toContain(path);
    }
  });

  it("where the data folder holds something else", async () => {
    await mkdir(at("data"), { mode: 0o700 });
    await writeFile(at("data/data.mdb"), "this is not a record log, it is a shopping list");
    const { code, stderr } = await refusal("--data-folder", at("data"));
    expect(code).toBe(21);
    expect(stderr).toMatch(oneLine("data-folder-broken"));
  });

  it("where the certificate is missing or broken", async () => {
    await writeFile(at("broken.pem"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    for (const name of ["missing.pem", "broken.pem"]) {
      const pem = at(name);
      const args = ["--certificate-file", pem, "--certificate-key-file", pem];
      const { code, stderr } = await refusal("--data-folder", at("data"), ...args);
      expect(code).toBe(22);
      expect(stderr).toMatch(oneLine("certificate-broken"));
      expect(stderr).toContain(name);
    }
  });

  it("where the stored certificate or identity was damaged", async () => {
    await mkdir(at("data"), { mode: 0o700 });
    await writeFile(at("data/webtransport-certificate.pem"), "rubbish");
    const certificate = await refusal("--data-folder", at("data"));
    expect(certificate.code).toBe(22);
    expect(certificate.stderr).toMatch(oneLine("certificate-broken"));
    await writeFile(at("data/server-identity.json"), "{}");
    const identity = await refusal("--data-folder", at("data"));
    expect(identity.code).toBe(2);
    expect(identity.stderr).toMatch(oneLine("key-file-invalid"));
  });

  it("where a setting is unknown or out of range, naming it", async () => {
    await writeFile(at("config.json"), '{"prot": 4480}');
    const unknown = await refusal("--config", at("config.json"));
    expect(unknown.code).toBe(2);
    expect(unknown.stderr).toMatch(/^parley: usage: There is no setting "prot".*\n$/);
    const origin = await refusal("--data-folder", at("data"), "--origin", "http://media.example");
    expect(origin.stderr).toMatch(/origins such as https:.*\(origins\)\n$/);
    const half = await refusal("--certificate-file", "a.pem");
    expect(half.stderr).toMatch(/A certificate and its key go together/);
  });

  it("where a native part is missing", async () => {
    // As the loader of the missing part would fail on a machine without it.
    const hook = `
      import { registerHooks } from "node:module";
      registerHooks({ resolve(specifier, context, next) {
        if (specifier !== "sodium-native") return next(specifier, context);
        throw Object.assign(new Error("Cannot find addon 'sodium-native'\\nsearched here and there"), { code: "ADDON_NOT_FOUND" });
      } });`;
    const nodeArgs = ["--import", `data:text/javascript,${encodeURIComponent(hook)}`];
    const command = new RunningCommand(["serve", "--data-folder", at("data")], { nodeArgs });
    const { code, stderr } = await command.finished;
    expect(code).toBe(23);
    expect(stderr).toMatch(oneLine("native-unavailable"));
    expect(stderr).toContain("sodium-native");
  });
});

describe("parley serve", () => {
  it("tells where it listens, keeps its folder to itself, and stops in order", async () => {
    const args = [
      "--port",
      "0",
      "--http-port",
      "0",
      "--data-folder",
      at("data"),
      "--trust",
      at("trust.json"),
      "--json",
    ];
    const server = new RunningCommand(["serve", ...args]);
    const up = JSON.parse((await server.says(/^\{.*"url".*\}$/m))[0]);
    expect(up).toMatchObject({ registration: "closed", data_folder: at("data"), pid: server.child.pid });
    expect(up.url).toMatch(/^https:\/\/127\.0\.0\.1:\d+\/agtp$/);
    expect(up.certificate_hash).toMatch(/^[0-9a-f]{64}$/);
    expect(up.http_url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(up.websocket_url).toBe(up.url.replace("https:", "wss:"));
    expect(up.agtp_url).toBe(`agtp://${new URL(up.url).host}`);
    const named = [new URL(up.url).origin, up.http_url];
    expect(up.webrtc).toEqual({ ports: Array(availableParallelism()).fill(0) });
    expect(up.origins).toEqual(named.flatMap((name) => [name, name.replace("127.0.0.1", "localhost")]));
    expect(JSON.parse(await readFile(at("trust.json"), "utf8"))).toEqual({
      anchors: [{ type: "agent", value: up.agent_id }],
    });
    expect((await stat(at("data/server-identity.json"))).mode & 0o777).toBe(0o600);

    const { code, stderr } = await refusal("--data-folder", at("data"));
    expect(code).toBe(21);
    expect(stderr).toMatch(oneLine("data-folder-in-use"));

    server.kill("SIGTERM");
    const stopped = await server.finished;
    expect(stopped.code).toBe(0);
    const events = stopped.stderr
      .split("\n")
      .flatMap((line) => (line.startsWith("{") ? [JSON.parse(line)] : []));
    expect(events.map(({ event }) => event)).toEqual(
      expect.arrayContaining(["server-started", "server-stopped"]),
    );

    const again = new RunningCommand(["serve", ...args]);
    const same = JSON.parse((await again.says(/^\{.*"url".*\}$/m))[0]);
    expect(same).toMatchObject({ agent_id: up.agent_id, certificate_hash: up.certificate_hash });
    again.kill("SIGINT");
    expect((await again.finished).code).toBe(0);
  });

  it("leaves its folder free when it is killed, and warns of open registration", async () => {
    await writeFile(
      at("config.json"),
      JSON.stringify({
        ...{ registration: "open", port: 1, limits: { sessions: 5 } },
        ...{ webrtcPort: 5_004, webrtcWorkers: 2 },
      }),
    );
    const ports = ["--port", "0", "--http-port", "0"];
    const args = ["serve", ...ports, "--data-folder", at("data"), "--config", at("config.json")];
    const killed = new RunningCommand(args);
    await killed.says(/WARNING: registration is open/);
    await killed.says(/"event":"registration-open"/);
    killed.kill("SIGKILL");
    await killed.finished;
    const next = new RunningCommand(args);
    await next.says(/Parley listens on/);
    await next.says(/^ {2}WebRTC +on, up to 2 workers, UDP and TCP 5004 to 5005$/m);
    next.kill("SIGTERM");
    expect((await next.finished).code).toBe(0);
  });
});
