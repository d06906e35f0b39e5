/** What is made of a call's media for WebRTC peers, and of theirs, through a real worker and foreign peers: byte for byte, both ways. */
import { readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { parseIvf } from "../../codecs/ivf.ts";
import { encodeSenderReport } from "../../codecs/rtcp-report.ts";
import { parseRtpPacket } from "../../codecs/rtp-packet.ts";
import type { VideoFormatName } from "../../codecs/video-formats.ts";
import { readVideoUnit } from "../../codecs/video-payload.ts";
import { RtpFrames } from "../../sfu/rtp-frames.ts";
import { OutgoingVideo } from "../../sfu/rtp-outgoing-video.ts";
import { OutgoingVoice } from "../../sfu/rtp-outgoing-voice.ts";
import { answerPeer } from "../answered-peer.ts";
import { mediaWorkers } from "../media-workers.ts";
import { pause, until } from "../waiting.ts";
import { DataChannelPeer } from "../webrtc/data-channel-peer.ts";
import { WeriftPeer } from "../webrtc/werift-peer.ts";

const workers = mediaWorkers();
afterAll(async () => {
  await workers.close();
  DataChannelPeer.cleanUp();
});

const WORDS = Array.from({ length: 12 }, (_, index) => Uint8Array.of(0x78, index));
const FIRST = { sequence: 65_530, timestamp: 2 ** 32 - 2_000 };

function clip(name: string): readonly { readonly data: Uint8Array; readonly key: boolean }[] {
  const file = new URL(`../vectors/ffmpeg/${name}.ivf`, import.meta.url);
  const ivf = parseIvf(new Uint8Array(readFileSync(file)));
  if (!ivf.ok) throw new Error(ivf.fault.message);
  return ivf.value.frames.slice(0, 12).map(({ data }) => {
    const facts = readVideoUnit(ivf.value.format, data);
    return { data, key: facts.ok && facts.value.key };
  });
}

describe.each([
  { made: "libdatachannel", Foreign: DataChannelPeer, format: "vp8", name: "vp8-layers" },
  { made: "libdatachannel", Foreign: DataChannelPeer, format: "vp9", name: "vp9-layers" },
  { made: "libdatachannel", Foreign: DataChannelPeer, format: "av1", name: "av1-libaom" },
  { made: "werift", Foreign: WeriftPeer, format: "vp8", name: "vp8-layers" },
] as const)("voice and $format of a peer on $made", ({ Foreign, format, name }) => {
  it("come out as they went in, both ways, with reports of their time", async () => {
    await using foreign = new Foreign({ audio: "sendrecv", video: "sendrecv", format });
    const units = clip(name);
    const heard: Uint8Array[] = [];
    const seen: Uint8Array[] = [];
    const frames = new RtpFrames(format as VideoFormatName);
    let isUp = false;
    let told = 0;
    const { peer, answer, outgoing } = await answerPeer(workers, await foreign.offer(), {
      connected: () => {
        isUp = true;
      },
      senderReport: () => {
        told += 1;
      },
      packet: (kind, bytes) => {
        const packet = parseRtpPacket(bytes);
        if (!packet.ok) throw new Error(packet.fault.message);
        if (kind === "audio") heard.push(new Uint8Array(packet.value.payload));
        else frames.insert(packet.value, performance.now());
        for (let unit = frames.next(0); unit !== undefined; unit = frames.next(0)) seen.push(unit.data);
      },
    });
    await foreign.accept(answer);
    await foreign.connected();
    await until("a connection", () => isUp);

    const [voiceWay, videoWay] = [outgoing.get("audio"), outgoing.get("video")];
    if (voiceWay === undefined || videoWay === undefined) throw new Error("no way to the peer");
    const voice = new OutgoingVoice({
      ...{ ssrc: voiceWay.ssrc, payloadType: voiceWay.payloadType, first: FIRST },
      ...{ clockRate: 48_000, frameTicks: 960 },
    });
    const video = new OutgoingVideo({
      ...{ ssrc: videoWay.ssrc, payloadType: videoWay.payloadType, first: FIRST },
      ...{ format, firstPicture: 32_760 },
    });
    const sending = Promise.all([
      foreign.speak(WORDS),
      foreign.show(
        units.map(({ data }) => data),
        20,
      ),
    ]);
    for (const [index, payload] of WORDS.entries()) {
      const capturedAt = Date.now();
      const words = voice.send({
        ...{ payload, sequence: index, timestamp: index * 960, epoch: 0, capturedAt },
        ...{ level: 30, voice: true, startOfTurn: false },
      });
      const pictures = video.send({ ...(units[index] as (typeof units)[number]), capturedAt });
      if (words === undefined || !pictures.ok) throw new Error("nothing to send");
      voiceWay.write(words);
      for (const packet of pictures.value) videoWay.write(packet);
      for (const [way, report] of [
        [voiceWay, voice.report(capturedAt)],
        [videoWay, video.report(capturedAt)],
      ] as const)
        if (report !== undefined) way.report(encodeSenderReport(report));
      await pause(20);
    }
    await sending;
    const isThere = () =>
      Math.min(heard.length, seen.length, foreign.heard.audio.length, foreign.pictures.length) >= 12;
    await until("all of it", isThere);
    expect(heard).toEqual(WORDS);
    expect(foreign.heard.audio.map(({ payload }) => payload)).toEqual(WORDS);
    expect(seen).toEqual(units.map(({ data }) => data));
    expect(foreign.pictures.map(({ data }) => data)).toEqual(units.map(({ data }) => data));
    await until("reports both ways", () => told > 0 && foreign.reports.length > 0);
    peer.close("done");
  });
});
