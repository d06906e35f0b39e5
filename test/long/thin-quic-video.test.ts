/** A picture and a voice over QUIC, on a way that falls from 2.5 to 0.3 Mbit/s. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { expect, it } from "vitest";
import { Agent, createIdentity } from "../../agent/node.ts";
import { FrameView, parseFrame } from "../../codecs/frame.ts";
import { settingOf } from "../../signaling/terms-change.ts";
import { startUdpEmulator } from "../../src/emulation/udp-emulator.ts";
import { realServer } from "../exchanges/ways.ts";
import { utterance } from "../scenario/talking.ts";
import { vp8Frame } from "../vp8-frame.ts";
import { pause } from "../waiting.ts";

const WIDE = { delay: 20, rate: 2_500_000, queue: 300 };
const NARROW = { ...WIDE, rate: 300_000 };
const [BEFORE_MS, AFTER_MS] = [12_000, 10_000];
/** After this the way must be known again. */
const LEARNT_MS = 4_000;
const OPTIONS = { audio: { codecs: ["opus"] }, video: { codecs: ["vp8"] } } as const;

it("gives way with the picture by agreement, and the voice stays in time", async () => {
  const port = await freePort();
  const server = await realServer({ origins: [`https://127.0.0.1:${port}`] });
  const emulator = await startUdpEmulator({
    target: `127.0.0.1:${server.port}`,
    toServer: WIDE,
    toClient: { delay: 20 },
    seed: 1,
    port,
  });
  const online = (name: string, url: string) =>
    Agent.connect(url, {
      identity: createIdentity({ name }).identity,
      certificateHashes: server.certificateHashes,
      carrier: "webtransport",
    });
  const ada = await online("Ada", `https://127.0.0.1:${port}/agtp`);
  const bob = await online("Bob", server.url);
  const voice: { readonly at: number; readonly age: number }[] = [];
  const view = new FrameView();
  const tap = ({ stream, bytes }: { readonly stream: number; readonly bytes: Uint8Array }) => {
    parseFrame(bytes, 0, view);
    if (stream === 1) voice.push({ at: Date.now(), age: Date.now() - view.captureMs });
  };
  const shown: number[] = [];
  let steppedAt = Number.POSITIVE_INFINITY;
  let narrowFrom = Number.POSITIVE_INFINITY;
  let before = 0;
  bob.onCall(async (incoming) => {
    const answered = await incoming.accept({ ...OPTIONS, tap });
    answered.on("terms-changed", () => {
      const rate = settingOf(answered.terms, 0, answered.video?.id ?? 0)?.bitrate_bps;
      if (Date.now() > narrowFrom && rate !== undefined && rate < 0.5 * before)
        steppedAt = Math.min(steppedAt, Date.now());
    });
    for await (const _ of answered.video ?? []) shown.push(Date.now());
  });
  const call = await ada.call(bob.id, OPTIONS);
  const camera = setInterval(() => {
    const { bitsPerSecond, keyFrame, maxHeight } = call.video?.wants ?? {};
    const bytes = Math.round((bitsPerSecond ?? 0) / 8 / 25) * (keyFrame === true ? 4 : 1);
    if (bytes > 0)
      void call.video?.send({ data: vp8Frame(keyFrame === true, Math.max(40, bytes), maxHeight) });
  }, 40);
  void call.audio.write(utterance((BEFORE_MS + AFTER_MS) / 1_000, 48_000)).catch(() => undefined);
  await pause(BEFORE_MS);
  before = call.video?.wants.bitsPerSecond ?? 0;
  emulator.change({ toServer: NARROW });
  narrowFrom = Date.now();
  await pause(AFTER_MS);
  clearInterval(camera);
  const learnt = voice.filter(({ at }) => at > narrowFrom + LEARNT_MS).map(({ age }) => age);
  learnt.sort((one, other) => one - other);
  const after = call.video?.wants.bitsPerSecond ?? 0;
  const seen = shown.filter((at) => at > narrowFrom + LEARNT_MS).length;
  expect(before).toBeGreaterThan(500_000);
  expect(steppedAt - narrowFrom).toBeLessThan(2_000);
  expect(after).toBeLessThan(NARROW.rate);
  expect(learnt.length).toBeGreaterThan(200);
  expect(learnt[learnt.length >> 1]).toBeLessThan(200);
  expect(learnt[Math.floor(learnt.length * 0.9)]).toBeLessThan(500);
  expect(seen).toBeGreaterThan(20);
  await call.end();
  await Promise.all([ada.close(), bob.close()]);
  await emulator.close();
  await server.stop();
}, 90_000);

async function freePort(): Promise<number> {
  const socket = createSocket("udp4");
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const { port } = socket.address();
  socket.close();
  return port;
}
