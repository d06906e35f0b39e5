/** An erasure whose process is killed at any moment is gone on with, whole, when the log is opened again. */
import { fork } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it, onTestFinished } from "vitest";
import { verifyServerChain } from "../../signaling/record-chain.ts";
import { makeTombstone } from "../../signaling/tombstone.ts";
import { SeededRandom } from "../../src/emulation/seeded-random.ts";
import { openLmdbLog } from "../../store/lmdb-log.ts";
import { strictVerifier } from "../keys.ts";
import { CALL_TIME, must, SERVER } from "../signed-call.ts";

const ERASER = fileURLToPath(new URL("../processes/eraser.ts", import.meta.url));
const LIVES = 20;
/** Longer than an erasure takes here, ms. */
const MOST_MS = 400;

it("in twenty lives: every record that names the agent is erased, none other, and the file holds nothing of it", async () => {
  const random = new SeededRandom(8);
  let brokenOff = 0;
  for (let life = 0; life < LIVES; life += 1) {
    const folder = mkdtempSync(join(tmpdir(), "parley-kill-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const child = fork(ERASER, [folder], { execArgv: ["--conditions=source"] });
    const over = new Promise((resolve) => child.once("exit", resolve));
    await new Promise((resolve) => child.once("message", resolve));
    await new Promise((resolve) => setTimeout(resolve, random.integer(MOST_MS)));
    child.kill("SIGKILL");
    await over;

    const log = await openLmdbLog(folder);
    const pending = log.pendingErasures();
    brokenOff += pending.length;
    for (const { target, number } of pending) {
      const outcome = await log.erase(
        target,
        (record) => makeTombstone(record, SERVER.identity, CALL_TIME),
        number,
      );
      expect(outcome.records).toBe(750);
      await log.append([{ kind: "erased", erasure: number }]);
    }
    const places = must(
      verifyServerChain(log.chain(0, 10_000), { publicKey: SERVER.identity.publicKey }, strictVerifier),
    );
    expect(places).toHaveLength(1_500);
    const erased = places.filter(({ kind }) => kind === "erased");
    // Killed before it began, nothing is; else all that names the agent.
    const isBegun = [...log.forgotten()].length > 0;
    expect(erased).toHaveLength(isBegun ? 750 : 0);
    await log.close();
    if (isBegun) expect(readFileSync(join(folder, "data.mdb")).includes("a".repeat(64))).toBe(false);
  }
  expect(brokenOff).toBeGreaterThan(0);
}, 120_000);
