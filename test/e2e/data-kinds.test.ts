/** Latest values, texts and requests over real sockets, on every carrier. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { Agent, type Call, createIdentity } from "../../agent/node.ts";
import { verifier } from "../../platform/node/sodium.ts";
import { verifyEvidence } from "../../signaling/evidence/verify.ts";
import { connectCall } from "../calling.ts";
import { realServer } from "../exchanges/ways.ts";
import { within } from "../waiting.ts";

const POSITION = { label: "position", delivery: "latest", deadlineMs: 2_000 } as const;

let server: Awaited<ReturnType<typeof realServer>>;
const agents: Agent[] = [];
beforeAll(async () => {
  server = await realServer();
});
afterAll(async () => {
  await Promise.all(agents.map((agent) => agent.close()));
  await server.stop();
});

async function agent(name: string, carrier: "webtransport" | "websocket" | "tls"): Promise<Agent> {
  const { url, certificateHashes } = server;
  const { identity } = createIdentity({ name });
  const made = await Agent.connect(url, { identity, certificateHashes, carrier });
  agents.push(made);
  return made;
}

/** The newest values that a reader gets, up to and including `last`. */
async function newest(call: Call, last: number): Promise<number[]> {
  const values: number[] = [];
  for await (const { value } of call.data ?? []) if (values.push(value as number) && value === last) break;
  return values;
}

it.each([
  ["webtransport", "webtransport"],
  ["websocket", "tls"],
  ["tls", "webtransport"],
] as const)("from %s to %s", async (from, to) => {
  const [ada, bob] = await Promise.all([agent("Ada", from), agent("Bob", to)]);
  const options = { audio: false, data: [POSITION], text: true, rpc: true } as const;
  const { call, answered } = await connectCall(ada, bob, options, {});
  answered.onRpc("double", (params) => 2 * (params as number));
  const reading = newest(answered, 9);
  const hearing = answered.texts[Symbol.asyncIterator]().next();
  const text = call.text();
  for (const token of ["one ", "two ", "three"]) await text.append(token);
  await within("the text", text.finish());
  expect(await within("the answer", call.rpc("double", 21))).toBe(42);
  for (let at = 0; at < 10; at += 1) {
    expect(await call.data?.send(at)).toBe("sent");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  // Each may be lost even here.
  let isRead = false;
  const read = reading.finally(() => {
    isRead = true;
  });
  while (!isRead) {
    await call.data?.send(9);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const values = await within("the last value", read);
  expect(values).toEqual(values.toSorted((left, right) => left - right));
  const heard = await hearing;
  expect([await heard.value?.ended(), heard.value?.text]).toEqual(["finished", "one two three"]);
  await within("the end", call.end());
  await answered.settled;
  const { report } = verifyEvidence(
    await within("the evidence", call.evidence()),
    { issuerKeys: [], agentIds: [server.agentId] },
    verifier,
  );
  expect(report.faults).toEqual([]);
  expect(report.streams.filter(({ leg }) => leg === 0).map(({ modality }) => modality)).toEqual(
    Array(3).fill("data"),
  );
});
