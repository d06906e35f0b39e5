/** The foreign WebRTC peers of other tests, with each other: what one sends the other keeps. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parseIvf } from "../../codecs/ivf.ts";
import { until } from "../waiting.ts";
import { DataChannelPeer } from "../webrtc/data-channel-peer.ts";
import type { ForeignPeer, ForeignPeerOptions } from "../webrtc/foreign-peer.ts";
import { WeriftPeer } from "../webrtc/werift-peer.ts";

const ivf = parseIvf(
  new Uint8Array(readFileSync(new URL("../vectors/ffmpeg/vp8-small.ivf", import.meta.url))),
);
if (!ivf.ok) throw new Error(ivf.fault.message);
const UNITS = ivf.value.frames.slice(0, 10).map(({ data }) => data);
const WORDS = Array.from({ length: 25 }, (_, index) => Uint8Array.of(0x78, index));
const BOTH: ForeignPeerOptions = { audio: "sendrecv", video: "sendrecv", channels: ["control", "data"] };

describe.each([
  ["libdatachannel", "werift", DataChannelPeer, WeriftPeer],
  ["werift", "libdatachannel", WeriftPeer, DataChannelPeer],
] as const)("%s, which offers, and %s", (_, __, Offers, Answers) => {
  it("hear and see each other, and pass messages", async () => {
    await using one = new Offers(BOTH);
    await using other = new Answers(BOTH);
    await connect(one, other);
    for (const [from, to] of [
      [one, other],
      [other, one],
    ] as const) {
      await Promise.all([from.speak(WORDS), from.show(UNITS, 30)]);
      from.message(0, "hello");
      from.message(1, Uint8Array.of(1, 2, 3));
      await until("all of it", () => {
        const isHeard = to.heard.audio.length >= WORDS.length && to.pictures.length >= UNITS.length;
        return isHeard && to.messages.length === 2 && to.reports.length > 0;
      });
      expect(to.heard.audio.map(({ payload }) => payload)).toEqual(WORDS);
      expect(to.pictures.map(({ data }) => data)).toEqual(UNITS);
      expect(to.messages).toEqual([
        { stream: 0, message: "hello" },
        { stream: 1, message: Uint8Array.of(1, 2, 3) },
      ]);
      to.requestKeyFrame();
      await until("a request for a key frame", () => from.keyFramesAsked > 0);
      expect(from.fingerprint).toMatch(/^[0-9a-f]{64}$/);
    }
  });

  it("do not connect where one of them has another certificate than it says", async () => {
    await using one = new Offers({ ...BOTH, wrongFingerprint: true });
    await using other = new Answers(BOTH);
    const failed = connect(one, other).then(
      () => "connected",
      () => "failed",
    );
    expect(await failed).toBe("failed");
  });
});

async function connect(one: ForeignPeer, other: ForeignPeer): Promise<void> {
  const offer = await one.offer();
  await one.accept(await other.answer(offer));
  await Promise.all([one.connected(), other.connected()]);
}
