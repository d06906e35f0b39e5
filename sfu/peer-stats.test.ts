import { describe, expect, it } from "vitest";
import { PeerMeter } from "./peer-stats.ts";

const TRANSPORT = [
  { id: "T", type: "transport", timestamp: 0, selectedCandidatePairId: "P" },
  {
    ...{ id: "P", type: "candidate-pair", timestamp: 0, state: "succeeded" },
    ...{ currentRoundTripTime: 0.025, availableOutgoingBitrate: 300_000 },
  },
  { id: "C1", type: "codec", timestamp: 0, mimeType: "audio/opus" },
  { id: "C2", type: "codec", timestamp: 0, mimeType: "video/VP8" },
];

function heardAt(timestamp: number, seconds: number) {
  return {
    ...{ id: "IA", type: "inbound-rtp", kind: "audio", codecId: "C1", timestamp },
    ...{ packetsReceived: 50 * seconds, packetsLost: -1, bytesReceived: 4_000 * seconds, jitter: 0.004 },
    ...{ jitterBufferDelay: 48_000 * seconds * 0.06, jitterBufferEmittedCount: 48_000 * seconds },
    ...{ totalSamplesReceived: 48_000 * seconds, concealedSamples: 480 },
  };
}

describe("what a peer connection measured", () => {
  it("is nothing before anything flows", () => {
    const silent = { ...heardAt(1_000, 0), packetsReceived: 0 };
    expect(new PeerMeter().read([silent])).toEqual({
      roundTrip: undefined,
      room: undefined,
      heard: undefined,
      spoken: undefined,
      seen: undefined,
      shown: undefined,
    });
  });

  it("has the round trip and the room of the pair of addresses in use, and rates from the second look on", () => {
    const meter = new PeerMeter();
    const first = meter.read([...TRANSPORT, heardAt(1_000, 1)]);
    expect(first).toMatchObject({ roundTrip: 25, room: 300_000 });
    expect(first.heard).toEqual({
      codec: "opus",
      packets: 50,
      lost: 0,
      jitter: 4,
      bitsPerSecond: undefined,
      delay: 60,
      samples: 48_000,
      concealed: 480,
    });
    expect(meter.read([...TRANSPORT, heardAt(3_000, 3)]).heard).toMatchObject({
      bitsPerSecond: 32_000,
      delay: 60,
    });
  });

  it("has what the other end reported of a stream that goes", () => {
    const shown = {
      ...{ id: "OV", type: "outbound-rtp", kind: "video", codecId: "C2", timestamp: 0, remoteId: "RV" },
      ...{ packetsSent: 200, bytesSent: 1, frameWidth: 640, frameHeight: 480, framesPerSecond: 25 },
      ...{ framesEncoded: 50, keyFramesEncoded: 2, qualityLimitationReason: "bandwidth" },
    };
    const told = { id: "RV", type: "remote-inbound-rtp", packetsLost: 4, fractionLost: 0.02, jitter: 0.003 };
    expect(new PeerMeter().read([...TRANSPORT, shown, told]).shown).toEqual({
      codec: "VP8",
      packets: 200,
      bitsPerSecond: undefined,
      lost: 4,
      lossShare: 0.02,
      jitter: 3,
      width: 640,
      height: 480,
      framesPerSecond: 25,
      encoded: 50,
      keyFrames: 2,
      limitedBy: "bandwidth",
    });
  });
});
