import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { openLmdbLog } from "../../store/lmdb-log.ts";
import { parseServerConfig } from "../config.ts";
import { folderChecks } from "./folder-checks.ts";

it("warns of a data folder that others may look into", async () => {
  const dataFolder = mkdtempSync(join(tmpdir(), "parley-doctor-"));
  onTestFinished(() => rmSync(dataFolder, { recursive: true, force: true }));
  const config = parseServerConfig({ dataFolder });
  if (!config.ok) throw new Error(config.fault.message);
  await (await openLmdbLog(dataFolder)).close();
  const [store] = folderChecks(config.value, async () => false);
  expect(await store?.look()).toMatchObject({ state: "ok" });
  chmodSync(dataFolder, 0o755);
  expect(await store?.look()).toMatchObject({
    state: "warning",
    fix: `Close it to them: chmod 700 ${dataFolder}`,
  });
});
