import { expect, it } from "vitest";
import type { RtpCodec } from "./description.ts";
import { repetitionOf, routerCodecs } from "./router-codecs.ts";

const OPUS: RtpCodec = { ...codec("audio/opus", 111), clockRate: 48_000, channels: 2 };
const SEND_TIME = { uri: "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time", id: 4 };
const MID = { uri: "urn:ietf:params:rtp-hdrext:sdes:mid", id: 1 };

function codec(mimeType: string, payloadType: number, apt?: number): RtpCodec {
  return {
    ...{ mimeType, payloadType, clockRate: 90_000, rtcpFeedback: [] },
    parameters: apt === undefined ? {} : { apt },
  };
}

it.each([
  { video: 96, rtx: 97 },
  { video: 120, rtx: 124 },
  { video: 96, rtx: 100 },
  { video: 100, rtx: 101 },
])("leaves $rtx as the first free payload type for the repetitions of $video", ({ video, rtx }) => {
  const codecs = routerCodecs([OPUS, codec("video/VP8", video), codec("video/rtx", rtx, video)]);
  const taken = codecs.map(({ preferredPayloadType }) => preferredPayloadType);
  const pool = [...Array.from({ length: 28 }, (_, index) => 100 + index), 96, 97, 98, 99];
  expect(pool.find((type) => !taken.includes(type))).toBe(rtx);
  expect(new Set(taken).size).toBe(taken.length);
  // What is named first is what a voice is taken for.
  expect(codecs[0]).toMatchObject({ mimeType: "audio/opus", preferredPayloadType: 111 });
  expect(codecs.at(-1)).toMatchObject({ mimeType: "video/VP8", preferredPayloadType: video });
});

it("takes up no payload type where nothing is repeated, or under a number that no router gives", () => {
  expect(routerCodecs([OPUS, codec("video/VP8", 96)])).toHaveLength(2);
  expect(routerCodecs([OPUS, codec("video/AV1", 45), codec("video/rtx", 46, 45)])).toHaveLength(2);
});

it("repeats as rtx, else as it was where that is the same packet, else not at all", () => {
  const vp8 = codec("video/VP8", 96);
  expect(repetitionOf([vp8, codec("video/rtx", 97, 96)], [MID, SEND_TIME])).toBe("rtx");
  expect(repetitionOf([vp8], [MID])).toBe("same");
  expect(repetitionOf([vp8], [MID, SEND_TIME])).toBe("none");
  expect(repetitionOf([codec("video/AV1", 45), codec("video/rtx", 46, 45)], [SEND_TIME])).toBe("none");
});
