/** Peers of a real server's WebSocket that break its rules: each is closed by name, and the call that is up goes on. */
import { afterAll, beforeAll, expect, it } from "vitest";
import type { MuxFrame } from "../../transports/mux/frames.ts";
import { BesiegedServer, HostileSocket } from "../hostile-socket.ts";
import { within } from "../waiting.ts";

/** Share of the frames that must arrive: everything runs on one machine. */
const LEAST_ARRIVING = 0.9;
const MOST_MEMORY_MIB = 400;

let server: BesiegedServer;
beforeAll(async () => {
  server = await BesiegedServer.start();
});
afterAll(async () => {
  const { sent, verified } = server.frames;
  expect(verified).toBeGreaterThan(LEAST_ARRIVING * (sent - 50));
  expect(await server.stop()).toBe(0);
});

const stream = (index: number): MuxFrame => ({ type: "open", stream: 4 * index + 2 });
const data = (index: number, length: number): MuxFrame => ({
  type: "data",
  stream: 4 * index + 2,
  bytes: new Uint8Array(length).fill(0xff),
});

const attacks: Readonly<Record<string, readonly [(peer: HostileSocket) => Promise<void> | void, string]>> = {
  "opens a flood of streams": [
    (peer) => peer.repeats(1_000, (index) => [stream(index)]),
    "1 more streams than are allowed",
  ],
  "allows streams beyond number": [
    (peer) => peer.says({ type: "streams", kind: "stream", limit: Number.MAX_SAFE_INTEGER }),
    "1 more streams allowed than may be unfinished",
  ],
  "tells of more bytes than there are": [
    (peer) => peer.says({ type: "taken", total: Number.MAX_SAFE_INTEGER }),
    "1 feedback on bytes that were never sent",
  ],
  "sends tiny chunks past a stream's credit": [
    async (peer) => {
      peer.says(stream(0));
      await peer.repeats(5_000, () => [data(0, 16)]);
    },
    "1 a stream carries more than its credit",
  ],
  "sends a message that is too large": [(peer) => peer.sends(new Uint8Array(100_000)), "websocket 1009"],
  "sends text": [(peer) => peer.sends("hello"), "1 a message that is not binary"],
  "sends a message of no type": [
    (peer) => peer.sends(Uint8Array.of(200)),
    "1 The message is malformed: no such type.",
  ],
};

it.each(Object.entries(attacks))(
  "a peer that %s is closed, and the call goes on",
  async (_, [attack, closed]) => {
    const peer = await HostileSocket.open(server.url);
    try {
      await attack(peer);
      expect(await within("the close", peer.closed)).toBe(closed);
      await server.goesOn();
      expect(server.memory).toBeLessThan(MOST_MEMORY_MIB);
    } finally {
      peer.leave();
    }
  },
);
