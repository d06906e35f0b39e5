/** Pictures over real sockets, on each carrier: shown at twice the pace of their file, they arrive bit-exact and verified, and stand in the evidence. */
import { setTimeout as passing } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Agent, type Call, createIdentity } from "../../agent/node.ts";
import { verifier } from "../../platform/node/sodium.ts";
import { verifyEvidence } from "../../signaling/evidence/verify.ts";
import { connectCall } from "../calling.ts";
import { realServer } from "../exchanges/ways.ts";
import { type FilmUnit, film } from "../scenario/showing.ts";
import { until, within } from "../waiting.ts";

type On = "webtransport" | "websocket" | "tls";

let server: Awaited<ReturnType<typeof realServer>>;
const agents: Agent[] = [];
beforeAll(async () => {
  server = await realServer();
});
afterAll(async () => {
  await Promise.all(agents.map((agent) => agent.close()));
  await server.stop();
});

async function agent(name: string, carrier: On): Promise<Agent> {
  const { url, certificateHashes } = server;
  const { identity } = createIdentity({ name });
  const made = await Agent.connect(url, { identity, certificateHashes, carrier });
  agents.push(made);
  return made;
}

/** Sends units at twice the pace that they were made for; resolves with what became of each. */
async function show(call: Call, units: readonly FilmUnit[]): Promise<unknown[]> {
  const fates: (Promise<unknown> | undefined)[] = [];
  const start = performance.now();
  for (const { at, data } of units) {
    await passing(Math.max(0, start + at / 2 - performance.now()));
    fates.push(call.video?.send({ data }));
  }
  return await Promise.all(fates);
}

/** The next so many units that a call's picture shows. */
async function watch(call: Call, count: number): Promise<Uint8Array[]> {
  const seen: Uint8Array[] = [];
  for await (const { data } of call.video ?? []) if (seen.push(data) === count) break;
  return seen;
}

it.each<readonly [On, On]>([
  ["webtransport", "webtransport"],
  ["websocket", "websocket"],
  ["tls", "tls"],
  ["webtransport", "tls"],
])("a picture from %s to %s", async (from, to) => {
  const [ada, bob] = await Promise.all([agent("Ada", from), agent("Bob", to)]);
  // Without layers: a unit of one that can be spared is, where a busy machine lets it be overtaken.
  const { ivf, units } = film("vp8-small");
  const options = {
    audio: false,
    video: { codecs: ["vp8"], maxWidth: ivf.width, maxHeight: ivf.height },
    adaptation: false,
  } as const;
  const { call, answered } = await connectCall(ada, bob, options, options);
  const watching = watch(answered, units.length);
  // Over TLS media has a connection of its own, which the other end may have yet to open: until then pictures go nowhere.
  await until("somebody who watches", () => call.video?.wants.keyFrame === true);
  expect(await within("the units", show(call, units))).toEqual(units.map(() => "sent"));
  expect(await within("the last unit", watching)).toEqual(units.map(({ data }) => data));
  expect(answered.video?.stats().heard).toMatchObject([
    { verified: units.length, refused: {}, undecodable: 0, malformed: 0 },
  ]);
  await within("the end", call.end());
  await answered.settled;
  const file = await within("the evidence", call.evidence());
  const { report } = verifyEvidence(file, { issuerKeys: [], agentIds: [server.agentId] }, verifier);
  expect(report.faults).toEqual([]);
  const shown = report.streams.find(({ leg, modality }) => leg === 0 && modality === "video");
  const { length } = units;
  expect(shown).toMatchObject({ frames: length, received: length, heard: length, closedBySpeaker: true });
});

it("a picture and latest values are opened in mid-call over TLS, used, closed, and proved", async () => {
  const [ada, bob] = await Promise.all([agent("Ada", "tls"), agent("Bob", "tls")]);
  const scope = ["communication:bilateral"];
  const options = { audio: { codecs: ["pcmu"] }, adaptation: false, scope } as const;
  const { call, answered } = await connectCall(ada, bob, options, { ...options, streams: () => true });
  const { units } = film("vp8-small");
  const few = units.slice(0, 16);
  const picture = await within(
    "the picture",
    call.open({ modality: "video", codecs: ["vp8"], direction: "sendonly", maxHeight: 360 }),
  );
  await until("the picture at the other end", () => answered.video !== undefined);
  const watching = watch(answered, few.length);
  await until("somebody who watches", () => call.video?.wants.keyFrame === true);
  expect(await within("the units", show(call, few))).toEqual(few.map(() => "sent"));
  expect(await within("the last unit", watching)).toEqual(few.map(({ data }) => data));
  const latest = await within(
    "the values",
    call.open({ modality: "data", delivery: "latest", deadlineMs: 2_000 }),
  );
  expect(await within("a value", latest.send(7))).toBe("sent");
  const opened = () => answered.streams.find(({ modality }) => modality === "data");
  await until("the values at the other end", () => opened() !== undefined);
  const data = opened() as unknown as AsyncIterable<{ value: unknown }>;
  const next = await within("the value", data[Symbol.asyncIterator]().next());
  expect(next.value?.value).toBe(7);
  await within("both closed", Promise.all([picture.close(), latest.close()]));
  await within("the end", call.end());
  await answered.settled;
  const file = await within("the evidence", call.evidence());
  const { report } = verifyEvidence(file, { issuerKeys: [], agentIds: [server.agentId] }, verifier);
  expect(report.faults).toEqual([]);
  const shown = report.streams.find(({ leg, modality }) => leg === 0 && modality === "video");
  expect(shown).toMatchObject({ openedBy: 0, closedBy: 0, frames: few.length, received: few.length });
});
