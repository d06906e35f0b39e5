/** The data folder of a server that carried a call, searched for what was said. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { connectCall, say } from "../calling.ts";
import { type RealServer, startRealServer } from "../real-server.ts";
import { utterance } from "../scenario/talking.ts";
import { SpokenOctets } from "../spoken-octets.ts";

let server: RealServer;
beforeAll(async () => {
  server = await startRealServer();
});
afterAll(async () => {
  expect(server.faults).toEqual([]);
  await server.stop();
});

it("a data folder holds who spoke and how much, and nothing of what was said", async () => {
  const [ada, bob] = await Promise.all([server.agent("Ada"), server.agent("Bob")]);
  const { call, answered } = await connectCall(ada, bob, { audio: { codecs: ["pcmu"] } });
  const pcm = utterance(1, 8_000);
  await say(call, pcm);
  await call.end();
  await answered.settled;
  expect(answered.stats().heard?.verified).toBeGreaterThan(40);
  const evidence = await call.evidence();

  const files = readdirSync(server.folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name)));
  const octets = Buffer.concat(files);
  expect(octets.includes(ada.id), "it is the folder of that call").toBe(true);
  const spoken = new SpokenOctets(pcm);
  expect(spoken.countIn(octets)).toBe(0);
  expect(spoken.countIn(evidence)).toBe(0);
});
