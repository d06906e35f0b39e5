import { expect, it } from "vitest";
import { deriveTerms, type Terms } from "../signaling/terms.ts";
import type { VideoCodec } from "../signaling/video-stream.ts";
import { ANSWER, OFFER } from "../test/signed-call.ts";
import { checkLayout, checkStream } from "./stream-layout.ts";
import type { VideoStreamParameters } from "./stream-parameters.ts";

const codec: VideoCodec = {
  ...{ name: "vp8", clock_rate: 90_000, payload_type: 96 },
  ...{ max_width: 640, max_height: 360, max_frame_rate: 30 },
};
const terms: Terms = {
  ...deriveTerms(OFFER, ANSWER),
  streams: [
    {
      ...{ stream: 3, modality: "video", directions: ["sendonly", "recvonly"], ssrcs: [31, 32] },
      ...{ codec, source: 1, rendition: 2 },
    },
  ],
};
const laidOut: VideoStreamParameters = {
  ...{ stream: 3, leg: 0, direction: "send", flow: 2, checkpointFlow: 3, receiptFlow: 4 },
  ...{ ssrc: 31, payloadType: 96, clockRate: 90_000, nextSequence: undefined, epoch: undefined },
  ...{ isSettled: true, isClosed: false, modality: "video", codec: "vp8" },
  ...{ maxWidth: 640, maxHeight: 360, maxFrameRate: 30, source: 1, rendition: 2 },
};

it("a picture is laid out as both ends signed it, for either end", () => {
  checkLayout(terms, 0, [laidOut]);
  checkStream(terms, 1, 3, [{ ...laidOut, direction: "receive" }]);
});

it.each<[keyof VideoStreamParameters, Partial<VideoStreamParameters>]>([
  ["stream", { stream: 4 }],
  ["leg", { leg: 1 }],
  ["direction", { direction: "receive" }],
  ["ssrc", { ssrc: 32 }],
  ["payloadType", { payloadType: 97 }],
  ["clockRate", { clockRate: 48_000 }],
  ["codec", { codec: "vp9" }],
  ["maxWidth", { maxWidth: 1_280 }],
  ["maxHeight", { maxHeight: 720 }],
  ["maxFrameRate", { maxFrameRate: 60 }],
  ["source", { source: undefined }],
  ["rendition", { rendition: 0 }],
])("a picture that the server lays out with another %s is refused", (_, changes) => {
  const refused = expect.objectContaining({ code: "session-core-mismatch" });
  expect(() => checkLayout(terms, 0, [{ ...laidOut, ...changes }])).toThrow(refused);
});

it("a picture that is laid out twice, or not at all, is refused", () => {
  const refused = expect.objectContaining({ code: "session-core-mismatch" });
  expect(() => checkLayout(terms, 0, [])).toThrow(refused);
  expect(() => checkLayout(terms, 0, [laidOut, laidOut])).toThrow(refused);
});
