import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { loadBinding, writeRebound } from "./binding.ts";

const require = createRequire(import.meta.url);
/** The package brings the binary of every platform, so this one is there on all of them. */
const binary = join(
  dirname(dirname(require.resolve("@moq/web-transport"))),
  "web-transport.linux-x64-gnu.node",
);
const glibc = (process.report.getReport() as { header: { glibcVersionRuntime?: string } }).header
  .glibcVersionRuntime;
const run = promisify(execFile);

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "parley-binding-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Loads the binding in a process of its own with the given folder and prints what came of it. */
async function loadElsewhere(bindingFolder: string): Promise<string> {
  const module = new URL("./binding.ts", import.meta.url).href;
  const script = `
    const { loadBinding } = await import(${JSON.stringify(module)});
    try { console.log(typeof loadBinding(${JSON.stringify(bindingFolder)}).NapiServer.bind); }
    catch (error) { console.log(error.code, error.message); }`;
  return (await run(process.execPath, ["--input-type=module", "-e", script])).stdout.trim();
}

describe("the QUIC binding", () => {
  test("loads on this machine, once", () => {
    const binding = loadBinding();
    expect(typeof binding.NapiServer.bind).toBe("function");
    expect(typeof binding.NapiClient.withCertificateHashes).toBe("function");
    expect(loadBinding("/another/folder")).toBe(binding);
  });

  test("loads from a given folder, which gets a private copy only where glibc is too old", async () => {
    const data = join(folder, "data");
    expect(await loadElsewhere(data)).toBe("function");
    const old = glibc !== undefined && Number(glibc.split(".")[1]) < 38;
    const left = await readdir(data).catch(() => []);
    expect(left.length).toBe(old ? 1 : 0);
    if (!old) return;
    expect((await stat(data)).mode & 0o777).toBe(0o700);
    expect((await stat(join(data, left[0] ?? ""))).mode & 0o777).toBe(0o700);
    expect(await loadElsewhere(data)).toBe("function");
    expect(await readdir(data)).toEqual(left);
  });
});

describe("the rebound copy", () => {
  test("is written once, and written again when somebody changed it", async () => {
    const path = writeRebound(binary, folder);
    const good = await readFile(path);
    const { mtimeMs } = await stat(path);
    expect(writeRebound(binary, folder)).toBe(path);
    expect((await stat(path)).mtimeMs).toBe(mtimeMs);
    await writeFile(path, good.subarray(0, 1000));
    expect(writeRebound(binary, folder)).toBe(path);
    expect((await readFile(path)).equals(good)).toBe(true);
    expect((await readdir(folder)).length).toBe(1);
  });

  test("has native-unavailable for a folder that cannot be written, and leaves nothing behind", async () => {
    const blocked = join(folder, "file");
    await writeFile(blocked, "");
    expect(() => writeRebound(binary, join(blocked, "data"))).toThrow(
      expect.objectContaining({ code: "native-unavailable" }),
    );
    // A folder where the copy should be: the last step fails.
    const path = writeRebound(binary, join(folder, "a"));
    await rm(path);
    await mkdir(join(path, "x"), { recursive: true });
    await chmod(path, 0o700);
    expect(() => writeRebound(binary, join(folder, "a"))).toThrow(
      expect.objectContaining({ code: "native-unavailable" }),
    );
    expect((await readdir(join(folder, "a"))).length).toBe(1);
  });
});
