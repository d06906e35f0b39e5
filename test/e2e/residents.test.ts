/** A server with its residents, over real sockets. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { Agent, createIdentity } from "../../agent/node.ts";
import { SILENT_LOG } from "../../src/server/event-log.ts";
import { serve } from "../../src/server/serve.ts";
import { until } from "../waiting.ts";

it("lists its residents for the page, and they answer over QUIC; without them it has none", async () => {
  const folder = mkdtempSync(join(tmpdir(), "parley-residents-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const settings = { dataFolder: folder, port: 0, tcpPort: 0, httpPort: 0, events: SILENT_LOG } as const;
  const server = await serve({ ...settings, registration: "open" });
  const { residents } = await (await fetch(new URL("/connect.json", server.httpUrl))).json();
  expect(residents).toEqual([
    { agent_id: expect.stringMatching(/^[0-9a-f]{64}$/), name: "Echo", kind: "echo" },
    { agent_id: expect.stringMatching(/^[0-9a-f]{64}$/), name: "Reader", kind: "reader" },
  ]);
  const agent = await Agent.connect(server.url, {
    identity: createIdentity({ name: "Ada" }).identity,
    certificateHashes: [server.certificateHash],
  });
  const online = (await agent.directory()).filter((listing) => listing.online);
  expect(online.map(({ name }) => name).sort()).toEqual(["Ada", "Echo", "Reader"]);
  const call = await agent.call(residents[1].agent_id);
  await until("the reader is heard", () => (call.stats().heard?.heard ?? 0) > 50);
  expect(call.stats().heard?.refused).toEqual({});
  await agent.close();
  await server.stop();

  const bare = await serve({ ...settings, residents: false });
  const info = await (await fetch(new URL("/connect.json", bare.httpUrl))).json();
  expect(info.residents).toEqual([]);
  expect(bare.connections).toBe(0);
  await bare.stop();
});
