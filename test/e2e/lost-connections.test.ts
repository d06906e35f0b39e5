/** Calls whose connection breaks in earnest, over each carrier, and that go on over the next one. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { connectAgent } from "../../agent/connect.ts";
import { type Agent, type Call, createIdentity, nodePlatform } from "../../agent/node.ts";
import { verifier } from "../../platform/node/sodium.ts";
import { CLOSE_CODES, type Connection } from "../../sfu/carrier.ts";
import { verifyEvidence } from "../../signaling/evidence/verify.ts";
import { connectCall, say } from "../calling.ts";
import { realServer } from "../exchanges/ways.ts";
import { CallListener } from "../listener.ts";
import { utterance } from "../scenario/talking.ts";
import { type TcpProxy, tcpProxy } from "../tcp-proxy.ts";
import { until, within } from "../waiting.ts";

type On = "webtransport" | "websocket" | "tls";

const SECONDS = 0.6;
/** Of its 30 frames, how many must arrive, and be played, at least. */
const LEAST_ARRIVING = 26;
const LEAST_HEARD = 5;
const SOON = { firstDelay: 50, maxDelay: 400 };

let proxy: TcpProxy;
let server: Awaited<ReturnType<typeof realServer>>;
const agents: Agent[] = [];
beforeAll(async () => {
  proxy = await tcpProxy();
  server = await realServer({ origins: [`https://127.0.0.1:${proxy.port}`] });
  proxy.leadTo(server.port);
});
afterAll(async () => {
  await Promise.all(agents.map((agent) => agent.close()));
  await proxy.stop();
  await server.stop();
});

it.each<On>(["webtransport", "websocket", "tls"])(
  "a call over %s is heard, written to and proved again after its connection broke",
  async (carrier) => {
    const connections: Connection[] = [];
    // QUIC outlives a network that fails for half a minute: its connection gives itself up here.
    const cut =
      carrier === "webtransport"
        ? () => connections.at(-1)?.close(CLOSE_CODES.livenessTimeout, "cut")
        : proxy.cut;
    const port = carrier === "webtransport" ? server.port : proxy.port;
    const ada = await online("Ada", carrier, port, connections);
    const bob = await online("Bob", "webtransport", server.port, []);
    const { call, answered } = await connectCall(ada, bob, { data: true });
    const told = { ada: numbers(call), bob: numbers(answered) };
    await Promise.all([say(call, utterance(0.2, 48_000)), call.data?.send(0), answered.data?.send(0)]);
    const events: string[] = [];
    call.on("detached", () => events.push("detached"));
    call.on("reattached", () => events.push("reattached"));
    cut();
    const sent = Promise.all([call.data?.send(1), answered.data?.send(1)]);
    await until("the call's return", () => events.includes("reattached"));
    expect(events).toEqual(["detached", "reattached"]);
    // Over TLS only the connections of its inbox and media were made anew.
    expect(connections).toHaveLength(carrier === "tls" ? 1 : 2);
    await within("the messages", sent);
    await Promise.all([call.data?.send(2), answered.data?.send(2)]);
    const listeners = [new CallListener(answered), new CallListener(call)] as const;
    const before = new Map([call, answered].map((end) => [end, end.stats().heard?.verified ?? 0]));
    const pcm = utterance(SECONDS, 48_000);
    await Promise.all([say(call, pcm), say(answered, pcm)]);
    // How it sounds is judged on virtual time: on a busy machine frames come too late to be played.
    const arrived = (end: Call) => (end.stats().heard?.verified ?? 0) - (before.get(end) ?? 0);
    await until("both voices", () => [call, answered].every((end) => arrived(end) >= LEAST_ARRIVING));
    await until("both to be heard", () => listeners.every(({ verified }) => verified >= LEAST_HEARD));
    await until("all messages", () => told.ada.length === 3 && told.bob.length === 3);
    expect(told).toEqual({ ada: [0, 1, 2], bob: [0, 1, 2] });
    await within("the end", call.end("said-everything"));
    await within("the other end", answered.settled);
    const { report } = verifyEvidence(
      await within("the evidence", answered.evidence()),
      { issuerKeys: [], agentIds: [server.agentId] },
      verifier,
    );
    expect(report.faults).toEqual([]);
    expect(report.statements.filter(({ text }) => text.includes("vanished"))).toEqual([]);
  },
);

async function online(name: string, choice: On, port: number, connections: Connection[]): Promise<Agent> {
  const platform = nodePlatform({ choice, webSocketUrl: `wss://127.0.0.1:${port}/agtp` });
  const carrier: typeof platform.carrier = {
    connect: async (...dialled) => {
      const connection = await platform.carrier.connect(...dialled);
      connections.push(connection);
      return connection;
    },
  };
  const agent = await connectAgent({ ...platform, carrier }, `https://127.0.0.1:${port}/agtp`, {
    identity: createIdentity({ name }).identity,
    certificateHashes: server.certificateHashes,
    reconnect: SOON,
  });
  agents.push(agent);
  expect(agent.carrier.kind).toBe(choice);
  return agent;
}

/** What comes as data. */
function numbers(call: Call): unknown[] {
  const told: unknown[] = [];
  void (async () => {
    for await (const { value } of call.data ?? []) told.push(value);
  })();
  return told;
}
