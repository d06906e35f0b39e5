import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { discardLeft, takeCopy } from "./compaction.ts";

const OLD_BYTES = 24 * 1024 * 1024 + 7;

test("the copy takes the file's place, and zeros are written over the old one while everything else goes on", async () => {
  const folder = mkdtempSync(join(tmpdir(), "parley-compaction-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const data = join(folder, "data.mdb");
  writeFileSync(data, "erased");
  truncateSync(data, OLD_BYTES);
  const watched = openSync(data, "r");
  onTestFinished(() => closeSync(watched));
  mkdirSync(join(folder, "compacting"));
  writeFileSync(join(folder, "compacting", "data.mdb"), "kept");

  takeCopy(folder);
  expect(readFileSync(data, "utf8")).toBe("kept");
  let turns = 0;
  const turning = setInterval(() => turns++, 0);
  await discardLeft(folder);
  clearInterval(turning);

  const old = Buffer.alloc(OLD_BYTES + 1, 1);
  expect(readSync(watched, old, 0, OLD_BYTES + 1, 0)).toBe(OLD_BYTES);
  expect(old.subarray(0, OLD_BYTES).every((byte) => byte === 0)).toBe(true);
  expect(existsSync(join(folder, "compacting"))).toBe(false);
  expect(turns).toBeGreaterThan(1);
});
