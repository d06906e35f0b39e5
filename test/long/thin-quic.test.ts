/** A voice over QUIC on a way that carries less than it takes. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { expect, it } from "vitest";
import { Agent, createIdentity } from "../../agent/node.ts";
import { FrameView, parseFrame } from "../../codecs/frame.ts";
import { startUdpEmulator } from "../../src/emulation/udp-emulator.ts";
import { realServer } from "../exchanges/ways.ts";
import { utterance } from "../scenario/talking.ts";
import { pause } from "../waiting.ts";

const CLEAR = { delay: 20 };
/** Half of what G.711 takes with its signatures and the headers of QUIC, UDP and IP; the router keeps ten seconds of it. */
const THIN = { delay: 20, rate: 60_000, queue: 10_000 };
const SPEECH_SECONDS = 15;
/** After this the way must be known. */
const LEARNT_MS = 4_000;
const VOICE = { audio: { codecs: ["pcmu"] } } as const;

it("is late by a fraction of a second, but for what its checkpoints take, and never grows later", async () => {
  const port = await freePort();
  const server = await realServer({ origins: [`https://127.0.0.1:${port}`] });
  const emulator = await startUdpEmulator({
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
    });
  const ada = await online("Ada", server.url);
  const bob = await online("Bob", `https://127.0.0.1:${port}/agtp`);
  const arrivals: { readonly at: number; readonly age: number }[] = [];
  const view = new FrameView();
  const tap = ({ bytes }: { readonly bytes: Uint8Array }) => {
    parseFrame(bytes, 0, view);
    arrivals.push({ at: Date.now(), age: Date.now() - view.captureMs });
  };
  bob.onCall(async (incoming) => void (await incoming.accept({ ...VOICE, tap })));
  const call = await ada.call(bob.id, VOICE);
  emulator.change({ toClient: THIN });
  const thinFrom = Date.now();
  await call.audio.write(utterance(SPEECH_SECONDS, 8_000));
  await pause(1_500);
  const learnt = arrivals.filter(({ at }) => at > thinFrom + LEARNT_MS).map(({ age }) => age);
  learnt.sort((one, other) => one - other);
  expect(learnt.length).toBeGreaterThan(100);
  expect(learnt[learnt.length >> 1]).toBeLessThan(800);
  expect(learnt[Math.floor(learnt.length * 0.9)]).toBeLessThan(1_000);
  await call.end();
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
