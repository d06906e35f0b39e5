import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ROOT, textOf } from "./tree.ts";

describe("the look at Node's version", () => {
  it.each(["v0.12.18", "v8.17.0", "v18.20.4", "v23.11.1"])("stops %s with one line", (version) => {
    const { status, stderr } = pretend(version);
    expect(status).toBe(1);
    expect(stderr).toMatch(new RegExp(`^Parley needs Node 24 or newer and this is ${version}: .+\n$`));
  });

  it.each(["v24.0.0", "v26.10.0", "v100.0.0"])("lets %s through without a word", (version) => {
    expect(pretend(version)).toMatchObject({ status: 0, stdout: "", stderr: "" });
  });

  it("parses on the oldest of them", () => {
    expect(textOf("scripts/require-node.cjs")).not.toMatch(
      /\b(const|let|class|import|await)\b|=>|\?\?|\?\.|`|,\s*\)/,
    );
  });

  function pretend(version: string): SpawnSyncReturns<string> {
    const script = `Object.defineProperty(process, "version", { value: "${version}" }); require("./scripts/require-node.cjs");`;
    return spawnSync(process.execPath, ["--input-type=commonjs", "-e", script], {
      cwd: ROOT,
      encoding: "utf8",
    });
  }
});

describe("the set-up of Debian packages", () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "parley-set-up-"));
    for (const program of ["env", "true", "sh", "touch", "chmod"])
      symlinkSync(`/usr/bin/${program}`, join(folder, program));
    writeProgram("sudo", 'shift\nexec "$@"');
  });

  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it("is silent when everything is there", () => {
    for (const program of PROGRAMS) writeProgram(program, "exit 0");
    writeProgram("apt-get", "exit 1");
    expect(setUp()).toMatchObject({ status: 0, stdout: "", stderr: "" });
  });

  it("installs what is missing", () => {
    writeProgram("apt-get", `echo "$@" >>"${folder}/log"\n${installing()}`);
    expect(setUp()).toMatchObject({
      status: 0,
      stdout: `Installing for the tests: ${PACKAGES.join(", ")}\n`,
    });
    expect(readFileSync(join(folder, "log"), "utf8")).toMatch(
      /^-q -y .*install --no-install-recommends tshark chromium espeak-ng ffmpeg simple-whip-client openssl\n$/,
    );
  });

  it("fetches the package lists when the machine has none yet", () => {
    const steps = [
      'case "$*" in',
      `  *update*) touch "${folder}/lists" ;;`,
      `  *) [ -e "${folder}/lists" ] || exit 100; ${installing().replace("\n", "; ")} ;;`,
      "esac",
    ];
    writeProgram("apt-get", steps.join("\n"));
    expect(setUp().status).toBe(0);
  });

  it("prints the one line to type and fails where it may not install", () => {
    expect(setUp()).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(
        /\n {2}sudo apt-get update && sudo apt-get install -y .*tshark chromium espeak-ng ffmpeg simple-whip-client openssl\n$/,
      ),
    });
    writeProgram("apt-get", "exit 100");
    expect(setUp().status).toBe(1);
  });

  /** What an apt-get does that installs everything. */
  function installing(): string {
    const paths = PROGRAMS.map((program) => `"${folder}/${program}"`).join(" ");
    return `touch ${paths}\nchmod +x ${paths}`;
  }

  function setUp(): SpawnSyncReturns<string> {
    return spawnSync(process.execPath, [join(ROOT, "scripts/setup-packages.ts")], {
      encoding: "utf8",
      env: { PATH: folder },
    });
  }

  function writeProgram(name: string, body: string): void {
    const path = join(folder, name);
    writeFileSync(path, `#!/bin/sh\n${body}\n`);
    chmodSync(path, 0o755);
  }
});

/** What the tests run, and the Debian packages that bring it. */
const PROGRAMS = ["tshark", "chromium", "espeak-ng", "ffmpeg", "whip-client", "openssl"];
const PACKAGES = ["tshark", "chromium", "espeak-ng", "ffmpeg", "simple-whip-client", "openssl"];
