/** Calls over QUIC through a network that loses everything for a while. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { expect, it } from "vitest";
import { Agent, type Call, createIdentity } from "../../agent/node.ts";
import { startUdpEmulator, type UdpEmulator } from "../../src/emulation/udp-emulator.ts";
import { connectCall, say } from "../calling.ts";
import { realServer } from "../exchanges/ways.ts";
import { CallListener } from "../listener.ts";
import { utterance } from "../scenario/talking.ts";
import { pause, until, within } from "../waiting.ts";

const CLEAR = { delay: 5 };
const DARK = { delay: 5, loss: 1 };
/** Longer than either side waits for a sign of life (15 s), and than a message stays fresh enough to go again as it is (20 s). */
const DARK_MS = 25_000;

it("goes on when the network is back, after both sides have given the connection up", async () => {
  const port = await freePort();
  const server = await realServer({ origins: [`https://127.0.0.1:${port}`] });
  const emulator: UdpEmulator = await startUdpEmulator({
    target: `127.0.0.1:${server.port}`,
    toServer: CLEAR,
    toClient: CLEAR,
    seed: 1,
    port,
  });
  const online = (name: string, url: string) =>
    Agent.connect(url, {
      identity: createIdentity({ name }).identity,
      certificateHashes: server.certificateHashes,
      carrier: "webtransport",
      reconnect: { firstDelay: 500, maxDelay: 2_000 },
    });
  const ada = await online("Ada", `https://127.0.0.1:${port}/agtp`);
  const bob = await online("Bob", server.url);
  const { call, answered } = await connectCall(ada, bob, { data: true, model: "persistent" });
  const told = numbers(answered);
  await call.data?.send(0);
  await say(call, utterance(0.5, 48_000));
  const peer: string[] = [];
  answered.on("peer-detached", () => peer.push("peer-detached"));
  answered.on("peer-attached", () => peer.push("peer-attached"));
  emulator.change({ toServer: DARK, toClient: DARK });
  const sent = [1, 2, 3].map((number) => call.data?.send(number));
  await pause(DARK_MS);
  expect([call.state, ada.isOnline]).toEqual(["detached", false]);
  emulator.change({ toServer: CLEAR, toClient: CLEAR });
  await until("the call's return", () => call.state === "active");
  await within("the messages", Promise.all(sent));
  const listener = new CallListener(answered);
  const pcm = utterance(1, 48_000);
  await say(call, pcm);
  await until("the voice", () => listener.verified > 20);
  await until("the messages at the other end", () => told.length === 4);
  expect(told).toEqual([0, 1, 2, 3]);
  expect(peer).toEqual(["peer-detached", "peer-attached"]);
  await within("the end", call.end());
  await Promise.all([ada.close(), bob.close()]);
  await emulator.close();
  await server.stop();
});

async function freePort(): Promise<number> {
  const socket = createSocket("udp4");
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const { port } = socket.address();
  socket.close();
  return port;
}

function numbers(call: Call): unknown[] {
  const told: unknown[] = [];
  void (async () => {
    for await (const { value } of call.data ?? []) told.push(value);
  })();
  return told;
}
