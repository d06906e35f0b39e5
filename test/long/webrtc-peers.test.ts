import { afterAll, expect, it } from "vitest";
import { answerPeer } from "../answered-peer.ts";
import { mediaWorkers } from "../media-workers.ts";
import { rtpPacket } from "../rtp-packet.ts";
import { pause, until } from "../waiting.ts";
import { DataChannelPeer } from "../webrtc/data-channel-peer.ts";

const PEERS = 50;
const SECONDS = 60;
const workers = mediaWorkers();

afterAll(async () => {
  await workers.close();
  DataChannelPeer.cleanUp();
});

it("holds 50 peers for a minute, each heard and hearing fifty packets a second, and none of them ends", async () => {
  const ends: string[] = [];
  let connected = 0;
  let heard = 0;
  const lines = await Promise.all(
    Array.from({ length: PEERS }, async () => {
      const foreign = new DataChannelPeer({ audio: "sendrecv" });
      const { peer, answer, outgoing } = await answerPeer(workers, await foreign.offer(), {
        connected: () => (connected += 1),
        packet: () => (heard += 1),
        closed: (reason) => ends.push(reason),
      });
      await foreign.accept(answer);
      const voice = outgoing.get("audio");
      if (voice === undefined) throw new Error("no way for voice");
      return { foreign, peer, voice };
    }),
  );
  await until("all peers", () => connected === PEERS);
  expect(workers.counts).toEqual({ running: 2, peers: PEERS, deaths: 0 });
  const packets = SECONDS * 50;
  for (let index = 0; index < packets; index += 1) {
    const due = performance.now() + 20;
    for (const { foreign, voice } of lines) {
      const numbers = { sequence: 100 + index, timestamp: 960 * index, payload: Buffer.alloc(80, index) };
      foreign.sendRtp("audio", { ...numbers, marker: false, extensions: [] });
      voice.write(rtpPacket({ payloadType: voice.payloadType, ssrc: voice.ssrc, ...numbers }));
    }
    await pause(Math.max(0, due - performance.now()));
  }
  await until("all packets", () => heard === PEERS * packets);
  await until("all at the peers", () => lines.every(({ foreign }) => foreign.heard.audio.length === packets));
  expect(ends).toEqual([]);
  for (const { foreign, peer } of lines) {
    peer.close("done");
    await foreign.close();
  }
}, 180_000);
