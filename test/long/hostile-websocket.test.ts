/** Peers of a real server's WebSocket that wear it out for a while: a call goes on meanwhile, and its memory has an end. */
import { afterEach, beforeEach, expect, it } from "vitest";
import type { MuxFrame } from "../../transports/mux/frames.ts";
import { BesiegedServer, HostileSocket } from "../hostile-socket.ts";
import { pause, within } from "../waiting.ts";

const SIEGE_MS = 12_000;
/** What a server of one call has no reason to hold more of, MiB. */
const MOST_MEMORY_MIB = 400;
/** Share of the frames that must arrive: everything runs on one machine. */
const LEAST_ARRIVING = 0.9;
const NO_END = 10_000_000;

let server: BesiegedServer;
beforeEach(async () => {
  server = await BesiegedServer.start();
});
afterEach(async () => {
  expect(await server.stop()).toBe(0);
});

const request = new TextEncoder().encode("AGTP/1.0 DISCOVER /\r\n\r\n");
const stream = (index: number): number => 4 * index + 2;
/** The beginning of an item of 64 KiB, whose bytes come one by one. */
const endless = Uint8Array.of(2, 0x80, 0x01, 0x00, 0x00);

const sieges: Readonly<Record<string, (peer: HostileSocket) => Promise<void>>> = {
  "opens streams and resets them": (peer) =>
    peer.repeats(NO_END, (index) => [
      { type: "open", stream: stream(index) },
      { type: "reset", stream: stream(index), code: 1 },
    ]),
  "sends single bytes on many streams": async (peer) => {
    const streams = Array.from({ length: 100 }, (_, index) => stream(index));
    peer.says(
      ...streams.map((id) => ({ type: "open", stream: id }) as const),
      ...streams.map((id) => ({ type: "data", stream: id, bytes: endless }) as const),
    );
    await peer.repeats(NO_END, (index) => [
      { type: "data", stream: streams[index % 100] as number, bytes: Uint8Array.of(0) },
    ]);
  },
  "asks without reading the answers": async (peer) => {
    peer.deafen();
    await peer.repeats(NO_END, (index): MuxFrame[] => [
      { type: "open", stream: 4 * index },
      { type: "data", stream: 4 * index, bytes: request },
      { type: "finish", stream: 4 * index },
    ]);
  },
  "sends datagrams of nobody's and reads nothing": async (peer) => {
    peer.deafen();
    await peer.repeats(NO_END, () => [{ type: "datagram", bytes: Uint8Array.of(5, 1, 2, 3) }]);
  },
};

it.each(Object.entries(sieges))("a peer that %s leaves a call alone", async (name, siege) => {
  const began = performance.now();
  let [sockets, most] = [0, 0];
  const closed = new Set<string>();
  while (performance.now() - began < SIEGE_MS) {
    const peer = await HostileSocket.open(server.url);
    sockets += 1;
    void peer.closed.then((why) => closed.add(why));
    const over = siege(peer);
    await Promise.race([over, pause(Math.max(0, SIEGE_MS - (performance.now() - began)))]);
    most = Math.max(most, server.memory);
    peer.leave();
    await within("the siege ending", over);
  }
  await server.goesOn();
  const { sent, verified } = server.frames;
  console.info(name, JSON.stringify({ sockets, most, sent, verified, closed: [...closed] }));
  expect(most).toBeLessThan(MOST_MEMORY_MIB);
  expect(verified).toBeGreaterThan(LEAST_ARRIVING * (sent - 50));
});
