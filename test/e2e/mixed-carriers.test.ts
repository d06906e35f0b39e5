/** One conversation, whatever carriers its two ends are on and whoever calls. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { Agent, type Call, createIdentity } from "../../agent/node.ts";
import { verifier } from "../../platform/node/sodium.ts";
import { verifyEvidence } from "../../signaling/evidence/verify.ts";
import { connectCall, say } from "../calling.ts";
import { realServer } from "../exchanges/ways.ts";
import { CallListener } from "../listener.ts";
import { utterance } from "../scenario/talking.ts";
import { until, within } from "../waiting.ts";

type On = "webtransport" | "websocket" | "tls";

/** How alike what was heard is to what was said, at least: of a busy machine's few late frames there is silence. */
const LIKENESS = 0.7;
/** Share of the frames that must arrive, at least: datagrams may be lost even here. */
const LEAST_ARRIVING = 0.9;
const SECONDS = 0.6;
/** A voice that follows a busy machine would change the terms as well. */
const STEADY = { adaptation: false } as const;

let server: Awaited<ReturnType<typeof realServer>>;
const agents: Agent[] = [];
beforeAll(async () => {
  server = await realServer();
});
afterAll(async () => {
  await Promise.all(agents.map((agent) => agent.close()));
  await server.stop();
});

it.each<readonly [On, On, "caller" | "callee"]>([
  ["webtransport", "websocket", "caller"],
  ["websocket", "webtransport", "callee"],
  ["webtransport", "tls", "callee"],
  ["tls", "webtransport", "caller"],
  ["websocket", "tls", "caller"],
  ["tls", "websocket", "callee"],
  ["tls", "tls", "caller"],
  ["tls", "tls", "callee"],
])(
  "a call from %s to %s is talked, written, interrupted, narrowed, ended by the %s, and proved",
  async (from, to, ends) => {
    const [ada, bob] = await Promise.all([agent("Ada", from), agent("Bob", to)]);
    const { call, answered } = await connectCall(ada, bob, { data: true, ...STEADY }, STEADY);
    const listeners = [new CallListener(answered), new CallListener(call)] as const;
    await talk(call, answered, listeners);
    await write(call, answered);
    await interrupt(call, answered);
    await narrow(answered, call);
    const [last, other] = ends === "caller" ? [call, answered] : [answered, call];
    await within("the end", last.end("said-everything"));
    expect(await within("the other end", other.ended)).toEqual({ reason: "said-everything", by: "peer" });
    await Promise.all([call.settled, answered.settled, ...listeners.map(({ over }) => over)]);
    for (const end of [call, answered]) {
      expect(end.stats().heard).toMatchObject({ refused: {}, undecodable: 0, checkpoints: { bad: 0 } });
    }
    const evidence = await within("the evidence", last.evidence());
    const { report } = verifyEvidence(evidence, { issuerKeys: [], agentIds: [server.agentId] }, verifier);
    expect(report.faults).toEqual([]);
    expect(report.streams.filter(({ modality }) => modality === "audio")).toMatchObject([
      { leg: 0, closedBySpeaker: true, closedByListener: true },
      { leg: 1, closedBySpeaker: true, closedByListener: true },
    ]);
  },
);

async function agent(name: string, carrier: On): Promise<Agent> {
  const { url, certificateHashes } = server;
  const made = await Agent.connect(url, {
    identity: createIdentity({ name }).identity,
    certificateHashes,
    carrier,
  });
  agents.push(made);
  expect(made.carrier.kind).toBe(carrier);
  return made;
}

/** Both at once. */
async function talk(
  call: Call,
  answered: Call,
  listeners: readonly [CallListener, CallListener],
): Promise<void> {
  const said = utterance(SECONDS, 48_000);
  await Promise.all([say(call, said), say(answered, said)]);
  await until("both turns heard", () => listeners.every(({ turns }) => turns === 1));
  for (const [index, [speaker, hearer]] of [
    [call, answered],
    [answered, call],
  ].entries()) {
    expect(listeners[index]?.compare(said).correlation).toBeGreaterThanOrEqual(LIKENESS);
    const sent = speaker?.stats().sent?.sent ?? Number.NaN;
    expect(sent).toBeGreaterThanOrEqual((SECONDS * 1_000) / 20);
    expect(hearer?.stats().heard?.verified).toBeGreaterThanOrEqual(LEAST_ARRIVING * sent);
  }
}

async function write(call: Call, answered: Call): Promise<void> {
  const values = Array.from({ length: 10 }, (_, number) => ({ number }));
  const directions = [
    [call, answered],
    [answered, call],
  ] as const;
  const read = await Promise.all(
    directions.map(async ([writer, reader]) => {
      const reading = within("the messages", readAll(reader, values.length));
      for (const value of values) await writer.data?.send(value);
      return await reading;
    }),
  );
  expect(read).toEqual([values, values]);
}

/** The listener cuts the caller short. */
async function interrupt(call: Call, answered: Call): Promise<void> {
  const told = new Promise((resolve) => {
    const remove = call.on("interrupted", (event) => {
      remove();
      resolve(event);
    });
  });
  const before = answered.stats().heard?.verified ?? 0;
  const speaking = call.audio.write(utterance(5, 48_000)).catch(() => undefined);
  await until("the long speech", () => (answered.stats().heard?.verified ?? 0) > before + 5);
  await within("the interrupt's record", answered.interrupt());
  await within("the interrupt", told);
  await within("silence", speaking);
}

/** One end gives up its right to send data, and the other is told. */
async function narrow(end: Call, other: Call): Promise<void> {
  const told = new Promise<unknown>((resolve) => other.on("terms-changed", resolve));
  await within("the narrowing", end.narrow(["communication:audio:capture", "communication:audio:transmit"]));
  await within("news of the narrowing", told);
  expect(other.terms.number).toBe(2);
}

async function readAll(call: Call, count: number): Promise<unknown[]> {
  const values: unknown[] = [];
  for await (const { value } of call.data ?? []) if (values.push(value) === count) break;
  return values;
}
