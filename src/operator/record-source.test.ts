import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { Agent, createIdentity, nodePlatform } from "../../agent/node.ts";
import { verifier } from "../../platform/node/sodium.ts";
import { verifyServerChain, verifySessionChain } from "../../signaling/record-chain.ts";
import { parleyAgain } from "../../test/command-line.ts";
import { until } from "../../test/waiting.ts";
import { serve } from "../server/serve.ts";
import { openChannel } from "./channel.ts";
import { openOperator } from "./operator.ts";
import { type RecordSource, sourceIn, sourceOn } from "./record-source.ts";

it("reads the same of a call from a server, as its agent and as operator, and from the folder; also over what was erased", async () => {
  const folder = mkdtempSync(join(tmpdir(), "parley-inspect-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const data = join(folder, "data");
  const server = await serve({
    dataFolder: data,
    port: 0,
    httpPort: 0,
    residents: false,
    registration: "open",
    logLevel: "silent",
  });
  onTestFinished(() => server.stop(0));
  const [ada, bob] = [createIdentity({ name: "Ada" }), createIdentity({ name: "Bob" })];
  const hashes = { certificateHashes: [server.certificateHash] };
  const caller = await Agent.connect(server.url, { identity: ada.identity, ...hashes });
  const callee = await Agent.connect(server.url, { identity: bob.identity, ...hashes });
  callee.onCall(async (incoming) => void (await incoming.accept()));
  const call = await caller.call(callee.id);
  await call.end("done");
  await until("the call is closed", async () => server.calls === 0);
  await Promise.all([caller.close(), callee.close()]);

  const asAgent = await openChannel(nodePlatform(), {
    identity: ada.identity,
    url: server.url,
    certificateHashes: [Uint8Array.from(Buffer.from(server.certificateHash, "hex"))],
  });
  const own = sourceOn(asAgent, async () => asAgent.close());
  const operator = await openOperator(data);
  const all = sourceOn(operator, () => operator.end());
  const ofCall = async (source: RecordSource) => {
    const records = await source.session(call.id);
    const expected = { publicKey: source.serverKey, sessionId: call.id };
    const places = verifySessionChain(records, expected, verifier);
    if (!places.ok) throw new Error(places.fault.message);
    return places.value.map(({ auditId, kind }) => `${kind} ${auditId}`);
  };
  expect(await own.sessions(caller.id)).toEqual([call.id]);
  await expect(own.sessions(callee.id)).rejects.toMatchObject({ code: "record-forbidden" });
  const told = await ofCall(own);
  expect(told.at(-1)).toMatch(/^record /);
  expect(await ofCall(all)).toEqual(told);

  await operator.ask({ method: "REDACT", path: "/records", parameters: { agent_id: callee.id } });
  const held = await ofCall(all);
  expect(held.map((place) => place.split(" ")[1])).toEqual(told.map((place) => place.split(" ")[1]));
  const gone = held.find((place) => place.startsWith("erased "))?.split(" ")[1] as string;
  expect(await all.record(gone)).not.toBe("");
  await Promise.all([own.close(), all.close()]);
  await server.stop(0);

  const offline = await sourceIn(data, () => {});
  expect(await ofCall(offline)).toEqual(held);
  let after: string | undefined;
  for await (const page of offline.chain()) {
    const places = verifyServerChain(
      page,
      { publicKey: offline.serverKey, ...(after && { after }) },
      verifier,
    );
    expect(places.ok).toBe(true);
    after = places.ok ? places.value.at(-1)?.auditId : after;
  }
  await offline.close();
  const shown = await parleyAgain("inspect", "session", call.id, "--data", data);
  expect(shown.code).toBe(0);
  expect(shown.stdout).toMatch(/ERASED/);
  expect(shown.stdout).toMatch(
    /the session's chain holds: \d+ records without a gap, [1-9]\d* of them erased/,
  );
}, 60_000);
