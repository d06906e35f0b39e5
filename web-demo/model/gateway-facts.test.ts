import type { PeerStats } from "@parley-rt/parley/agent";
import { expect, it } from "vitest";
import {
  gatewayCaption,
  gatewayHeardRows,
  gatewaySeenRows,
  gatewaySentRows,
  gatewayShownRows,
} from "./gateway-facts.ts";

const received = { packets: 980, lost: 20, jitter: 4.26, bitsPerSecond: 31_700, delay: 60 };
const sent = { packets: 500, bitsPerSecond: 800_000, lost: 5, lossShare: 0.012, jitter: 3 };
const STATS: PeerStats = {
  roundTrip: 25,
  room: 1_250_000,
  heard: { ...received, codec: "opus", samples: 96_000, concealed: 960 },
  spoken: { ...sent, codec: "opus", bitsPerSecond: undefined },
  seen: {
    ...received,
    codec: "VP8",
    ...{ width: 640, height: 480, framesPerSecond: 24.6 },
    ...{ decoded: 120, dropped: 2, keyFrames: 3, keysAsked: 1, freezes: 2, frozen: 1_400 },
  },
  shown: {
    ...sent,
    codec: "VP9",
    ...{ width: 1280, height: 720, framesPerSecond: 30, encoded: 400, keyFrames: 4, limitedBy: "bandwidth" },
  },
};
const NOTHING: PeerStats = {
  roundTrip: undefined,
  room: undefined,
  heard: undefined,
  spoken: undefined,
  seen: undefined,
  shown: undefined,
};
const texts = (rows: readonly (readonly [string, string, string])[]) => rows.map(([, , text]) => text);

it("tells what the browser measured of each direction", () => {
  expect(texts(gatewayHeardRows(STATS))).toEqual(["Opus, 32 kbit/s", "20, 2.0 %", "4.3 ms", "960, 1.0 %"]);
  expect(texts(gatewaySentRows(STATS))).toEqual(["Opus", "1.2 %", "3.0 ms", "about 1.3 Mbit/s"]);
  expect(texts(gatewaySeenRows(STATS))).toEqual([
    "640 × 480, 25 a second",
    "VP8, 32 kbit/s",
    "120, 2",
    "20, 2.0 %",
    "3, 1",
    "1.4 s in 2 stops",
  ]);
  expect(texts(gatewayShownRows(STATS))).toEqual([
    "1280 × 720, 30 a second",
    "VP9, 800 kbit/s",
    "400, 4",
    "1.2 %",
    "the way out",
  ]);
  expect(gatewayCaption(STATS.shown)).toBe("1280 × 720 · 30 a second · VP9");
});

it("says so where nothing flows, and of pictures nothing at all", () => {
  for (const facts of [undefined, NOTHING]) {
    expect(texts(gatewayHeardRows(facts))).toEqual(["nothing yet"]);
    expect(texts(gatewaySentRows(facts))).toEqual(["nothing yet"]);
    expect([gatewaySeenRows(facts), gatewayShownRows(facts)]).toEqual([[], []]);
    expect(gatewayCaption(facts?.seen)).toBe("");
  }
});
