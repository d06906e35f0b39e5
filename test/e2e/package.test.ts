/** The package as npm packs it, in a folder where nothing else of ours is: it makes a call from Node and a page with Vite. */
import { execFile } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cloneProject } from "../clone.ts";
import { ROOT } from "../house/tree.ts";

const PACKING_MS = 120_000;
const run = promisify(execFile);
const env = {
  ...process.env,
  PATH: `${join(ROOT, "node_modules/.bin")}${delimiter}${process.env.PATH}`,
  NODE_OPTIONS: "",
};

let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "parley-installed-"));
  const clone = cloneProject();
  try {
    await run("npm", ["pack", "--pack-destination", folder], { cwd: clone.folder, env });
  } finally {
    clone.remove();
  }
  await install(folder);
}, PACKING_MS);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the installed package", () => {
  it("holds what is published and nothing else", () => {
    const installed = join(folder, "node_modules/@parley-rt/parley");
    expect(readdirSync(installed).sort()).toEqual(
      expect.arrayContaining([
        "CHANGELOG.md",
        "LICENSE",
        "NOTICE",
        "README.md",
        "dist",
        "docs",
        "package.json",
      ]),
    );
    const paths = readdirSync(installed, { recursive: true }).map(String);
    expect(paths.filter((path) => /(?<!\.d)\.ts$|\.test\.|^test|^bench/.test(path))).toEqual([]);
  });

  it("makes a call from Node, between two agents, through a server of its own", async () => {
    writeFileSync(join(folder, "call.js"), CALL);
    const { stdout } = await run(process.execPath, ["call.js"], { cwd: folder, env });
    expect(JSON.parse(stdout)).toMatchObject({ peer: "Bob", reason: "done", refused: {} });
    expect(JSON.parse(stdout).verified).toBeGreaterThan(20);
  });

  it("has types for both entries", async () => {
    writeFileSync(join(folder, "page.ts"), PAGE);
    writeFileSync(join(folder, "program.ts"), PROGRAM);
    for (const [file, condition] of [
      ["page.ts", ["--moduleResolution", "bundler", "--customConditions", "browser", "--module", "esnext"]],
      // The server's own types stand on those of Node and ws, which a program brings where it wants them checked.
      ["program.ts", ["--module", "nodenext", "--skipLibCheck"]],
    ] as const) {
      const options = [
        "--noEmit",
        "--strict",
        "--target",
        "es2024",
        "--lib",
        "es2025,dom,esnext",
        "--types",
        "",
      ];
      const checked = run(join(ROOT, "node_modules/.bin/tsc"), [...options, ...condition, file], {
        cwd: folder,
        env,
      });
      await expect(checked.catch((error: { stdout: string }) => error)).resolves.toMatchObject({
        stdout: "",
      });
    }
  });

  it("builds a page with Vite, with the browser's entry in it", async () => {
    writeFileSync(join(folder, "page.js"), PAGE.replaceAll(": string", ""));
    writeFileSync(
      join(folder, "index.html"),
      '<!doctype html><script type="module" src="/page.js"></script>',
    );
    const vite = join(ROOT, "node_modules/vite/bin/vite.js");
    const { stderr } = await run(process.execPath, [vite, "build", "--outDir", "page"], { cwd: folder, env });
    const externalized = stderr
      .split("\n")
      .filter((line) => line.includes("externalized for browser compatibility"));
    // The branches of libsodium and Opus that only Node enters: see scripts/check-browser-entry.ts.
    for (const line of externalized) expect(line).toMatch(/"(?:node:module|crypto)"|libsodium|libopus-wasm/);
    const scripts = readdirSync(join(folder, "page/assets")).filter((name) => name.endsWith(".js"));
    const page = scripts.map((name) => readFileSync(join(folder, "page/assets", name), "utf8")).join("");
    expect(page).toContain("parley-loudspeaker");
    expect(page).not.toMatch(/sodium-native|from"node:|lmdb/);
  });
});

/** Unpacks the tarball as npm does. The dependencies it declares, and no others, are those of this checkout: no network. */
async function install(where: string): Promise<void> {
  const tarball = readdirSync(where).find((name) => name.endsWith(".tgz")) as string;
  const installed = join(where, "node_modules/@parley-rt/parley");
  mkdirSync(installed, { recursive: true });
  await run("tar", ["-xzf", tarball, "-C", installed, "--strip-components=1"], { cwd: where });
  const { dependencies } = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"));
  for (const name of Object.keys(dependencies)) {
    const [scope] = name.split("/");
    if (name.startsWith("@")) mkdirSync(join(where, "node_modules", scope as string), { recursive: true });
    symlinkSync(join(ROOT, "node_modules", name), join(where, "node_modules", name));
  }
  writeFileSync(join(where, "package.json"), '{ "private": true, "type": "module" }');
}

const CALL = `
import { serve } from "@parley-rt/parley";
import { Agent, createIdentity } from "@parley-rt/parley/agent";

const server = await serve({ dataFolder: "data", port: 0, httpPort: "off", tcpPort: "off", registration: "open", logLevel: "silent" });
const online = (name) =>
  Agent.connect(server.url, { identity: createIdentity({ name }).identity, certificateHashes: [server.certificateHash] });
const [ada, bob] = [await online("Ada"), await online("Bob")];
bob.onCall((incoming) => incoming.accept());
const call = await ada.call(bob.id);
const [answered] = bob.calls;
await call.audio.write(Int16Array.from({ length: 48_000 }, (_, at) => 8_000 * Math.sin(at / 17)));
await call.audio.endTurn();
await new Promise((resolve) => setTimeout(resolve, 300));
const { heard } = answered.stats();
await call.end();
const { reason } = await answered.ended;
await answered.settled;
console.log(JSON.stringify({ peer: call.peer.name, reason, verified: heard.verified, refused: heard.refused }));
await Promise.all([ada.close(), bob.close()]);
await server.stop();
`;

const PAGE = `
import { openIdentity, openLoudspeaker, openMicrophone, ParleyError } from "@parley-rt/parley/agent";

export async function begin(name: string) {
  const identity = await openIdentity(name);
  const [microphone, loudspeaker] = await Promise.all([openMicrophone(), openLoudspeaker()]);
  for await (const pcm of microphone) loudspeaker.play(pcm);
  throw new ParleyError({ code: "closed", message: identity.agentId });
}
Object.assign(globalThis, { begin });
`;

const PROGRAM = `
import { DEFAULT_SERVER_CONFIG } from "@parley-rt/parley";
import { Agent, type Call } from "@parley-rt/parley/agent";

export const call = async (url: string, id: string): Promise<Call> =>
  await (await Agent.connect(url, { identity: "ada.key" })).call(id);
export const port: number = DEFAULT_SERVER_CONFIG.port;
`;
