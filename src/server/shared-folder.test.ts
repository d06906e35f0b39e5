import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { Agent, createIdentity } from "../../agent/node.ts";
import { createClock } from "../../platform/node/clock.ts";
import { parseServerConfig, type ServerSettings } from "../config.ts";
import { SILENT_LOG } from "./event-log.ts";
import { serve } from "./serve.ts";
import { openSharedFolder } from "./shared-folder.ts";

const agentRate = { burst: 20, perSecond: 1 };

/**
 * An agent asks a server as much as it may; gives how many requests another server would take of it then, and how many it may have got back
 * by then.
 */
async function leftElsewhere(settings: (folder: string) => ServerSettings) {
  const folder = mkdtempSync(join(tmpdir(), "parley-two-servers-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const server = await serve({
    ...{ dataFolder: join(folder, "one"), port: 0, webTransport: false, httpPort: "off", residents: false },
    ...{ registration: "open", webrtc: "off", events: SILENT_LOG, limits: { agentRate } },
    ...settings(folder),
  });
  onTestFinished(() => server.stop(0));
  const parsed = parseServerConfig({ dataFolder: join(folder, "other"), ...settings(folder) });
  if (!parsed.ok) throw new Error(parsed.fault.message);
  const clock = createClock();
  const elsewhere = await openSharedFolder(parsed.value, clock, SILENT_LOG);
  onTestFinished(() => elsewhere.close());
  const began = performance.now();
  const { identity } = createIdentity({ name: "Ada" });
  const agent = await Agent.connect(server.url, { identity, certificateHashes: [server.certificateHash] });
  onTestFinished(() => agent.close());
  const refusal = async () => {
    for (;;) await agent.sessions();
  };
  await expect(refusal()).rejects.toMatchObject({ code: "rate-limited" });
  const claim = { name: `agent ${agent.id}`, rate: agentRate };
  let left = 0;
  while (elsewhere.rates.take([claim], clock.wall()).ok) left += 1;
  return { left, regained: Math.ceil((performance.now() - began) / 1_000) };
}

it("servers that name one folder spend an agent's rate together", async () => {
  const { left, regained } = await leftElsewhere((folder) => ({ sharedFolder: join(folder, "shared") }));
  expect(left).toBeLessThanOrEqual(regained);
});

it("each has its own where nothing is said", async () => {
  expect((await leftElsewhere(() => ({}))).left).toBeGreaterThanOrEqual(agentRate.burst);
});
