import { describe, expect, test } from "vitest";
import { must } from "../test/signed-call.ts";
import type { VideoCapabilities } from "./negotiate-video.ts";
import { checkOfferHeaders, counterProposal, negotiate } from "./negotiation.ts";
import type { VideoCodec, VideoOfferStream } from "./video-stream.ts";

const vp9: VideoCodec = {
  name: "vp9",
  clock_rate: 90_000,
  payload_type: 102,
  max_width: 1280,
  max_height: 720,
  max_frame_rate: 30,
};
const vp8: VideoCodec = { ...vp9, name: "vp8", payload_type: 101 };
const camera: VideoOfferStream = {
  stream: 3,
  modality: "video",
  direction: "sendrecv",
  ssrc: 5,
  codecs: [vp9, vp8],
};
/** The same picture three times: 720, 360 and 180 lines. */
const renditions: readonly VideoOfferStream[] = [1, 2, 4].map((part, rendition) => ({
  ...{ stream: 3 + rendition, modality: "video", direction: "sendonly", ssrc: 5 + rendition },
  codecs: [vp9, vp8].map((codec) => ({
    ...codec,
    max_width: 1280 / part,
    max_height: 720 / part,
  })),
  ...{ source: 1, rendition },
}));

const able = (changes: Partial<VideoCapabilities> = {}): VideoCapabilities => ({
  codecs: ["vp8", "vp9", "av1"].map((name) => ({ name, maxWidth: 1920, maxHeight: 1080, maxFrameRate: 60 })),
  send: true,
  receive: true,
  ...changes,
});
const answer = (
  streams: readonly VideoOfferStream[],
  video: VideoCapabilities | undefined,
  scopes: { readonly offered?: readonly string[]; readonly limits?: Record<string, number> } = {},
) =>
  negotiate(
    { profiles: ["frame"], streams, ...(scopes.offered === undefined ? {} : { scope: scopes.offered }) },
    { profiles: ["frame"], video, limits: scopes.limits },
    (stream) => 100 + stream,
  );
const only = (capability: Partial<{ maxWidth: number; maxHeight: number; maxFrameRate: number }>) =>
  able({ codecs: [{ name: "vp8", maxWidth: 1920, maxHeight: 1080, maxFrameRate: 60, ...capability }] });

test("a picture is answered with the first codec in the offer's order that is known here", () => {
  expect(must(answer([camera], able())).streams).toEqual([
    { stream: 3, modality: "video", direction: "sendrecv", ssrc: 103, codec: vp9 },
  ]);
  expect(must(answer([camera], able({ forbiddenCodecs: ["vp9"] }))).streams).toMatchObject([{ codec: vp8 }]);
});

describe("height, width and frame rate are cut", () => {
  test("to what this end can", () => {
    const small = only({ maxWidth: 640, maxHeight: 480, maxFrameRate: 15 });
    expect(must(answer([camera], small)).streams).toMatchObject([
      { codec: { ...vp8, max_width: 640, max_height: 480, max_frame_rate: 15 } },
    ]);
  });

  test("to what the scope of each end lets it send, and that alone", () => {
    const capped = ["communication:bilateral", "communication:limit:height:240"];
    const mine = { "frame-rate": 10 };
    const codec = (direction: VideoOfferStream["direction"]) =>
      must(answer([{ ...camera, direction }], able(), { offered: capped, limits: mine })).streams[0];
    expect(codec("sendonly")).toMatchObject({ codec: { max_height: 240, max_frame_rate: 30 } });
    expect(codec("recvonly")).toMatchObject({ codec: { max_height: 720, max_frame_rate: 10 } });
    expect(codec("sendrecv")).toMatchObject({ codec: { max_height: 240, max_frame_rate: 10 } });
  });

  test("to nothing where the scope leaves no picture", () => {
    expect(answer([camera], able(), { limits: { height: 8 } }).ok).toBe(false);
    expect(answer([camera], able(), { limits: { "frame-rate": 0 } }).ok).toBe(false);
  });
});

describe("of several renditions", () => {
  const taken = (video: VideoCapabilities, limits = {}) =>
    must(answer(renditions, video, { offered: ["communication:bilateral"], limits })).streams.map((stream) =>
      stream.modality === "video" ? [stream.rendition, stream.codec.max_height] : [],
    );

  test("all are taken where they fit, with one codec", () => {
    const { streams } = must(answer(renditions, able()));
    expect(streams).toMatchObject(
      [0, 1, 2].map((rendition) => ({ source: 1, rendition, codec: { name: "vp9" } })),
    );
  });

  test("those that need no cut, the best first", () => {
    expect(taken(only({ maxHeight: 500 }))).toEqual([
      [1, 360],
      [2, 180],
    ]);
    expect(taken(able({ renditions: 2 }))).toEqual([
      [0, 720],
      [1, 360],
    ]);
  });

  test("the least of them, cut, where all would have to be", () => {
    expect(taken(only({ maxHeight: 100 }))).toEqual([[2, 100]]);
  });

  test("a codec that only some have leaves the others out", () => {
    const [best, ...rest] = renditions as [VideoOfferStream, ...VideoOfferStream[]];
    const mixed = [best, ...rest.map((each) => ({ ...each, codecs: each.codecs.slice(1) }))];
    expect(must(answer(mixed, able())).streams).toMatchObject([{ rendition: 0, codec: { name: "vp9" } }]);
  });
});

describe("463", () => {
  test.each<[string, readonly VideoOfferStream[], VideoCapabilities | undefined, string]>([
    ["no video at all", [camera], undefined, "composition-impossible"],
    ["no codec in common", [camera], able({ codecs: [] }), "composition-impossible"],
    ["codecs that policy forbids", [camera], able({ forbiddenCodecs: ["vp8", "vp9"] }), "policy-refused"],
    [
      "no direction",
      [{ ...camera, direction: "sendonly" }],
      able({ receive: false }),
      "composition-impossible",
    ],
    [
      "a rendition twice",
      [camera, camera].map((each, i) => ({ ...each, stream: i, ssrc: i, source: 1, rendition: 0 })),
      able(),
      "ambiguous",
    ],
    ["a rendition of nothing", [{ ...camera, rendition: 1 }], able(), "ambiguous"],
  ])("%s", (_what, streams, local, reason) => {
    expect(answer(streams, local)).toMatchObject({
      fault: { code: "proposal-rejected", details: { reason } },
    });
  });

  test("says what video would do", () => {
    const local = { profiles: ["frame"], video: only({ maxHeight: 480 }) } as const;
    expect(counterProposal(local)).toMatchObject({
      modalities: ["video"],
      codecs: [],
      video_directions: ["sendrecv", "sendonly", "recvonly"],
      video_codecs: [{ name: "vp8", max_width: 1920, max_height: 480, max_frame_rate: 60 }],
    });
  });
});

test.each([
  [{ videoCodecs: ["vp9", "vp8"], modalities: ["video"] }, true],
  [{ videoCodecs: ["vp8", "vp9"] }, false],
  [{ videoCodecs: [] }, false],
])("headers %j agree with the offer: %s", (headers, agrees) => {
  expect(checkOfferHeaders({ streams: [camera] }, headers, { profiles: ["frame"] }).ok).toBe(agrees);
});
