/** What a packet that verified is taken apart into. */
import { describe, expect, it } from "vitest";
import { buildFrame, type FrameFields, FrameView, parseFrame } from "../codecs/frame.ts";
import { writeRed } from "../codecs/red.ts";
import { unpackFrames } from "./unpacking.ts";

const ROW = { payloadType: 0, redPayloadType: 121, clockRate: 8_000, clockOffset: 25 };
const OWN = new Uint8Array(160).fill(3);

/** Frame 102 with the two before it, as RED. */
function red(payloadType = ROW.payloadType): Uint8Array {
  const earlier = [1, 2].map((byte) => ({
    payloadType,
    timestampOffset: (3 - byte) * 160,
    payload: new Uint8Array(160).fill(byte),
  }));
  return writeRed({ earlier, payloadType, payload: OWN });
}

function unpacked(fields: Partial<FrameFields>) {
  const bytes = buildFrame({
    ...{
      profile: "chain",
      keyGeneration: 0,
      sequence: 102,
      captureSeconds: 4_000_000_000,
      captureFraction: 0,
    },
    ...{ payloadType: ROW.redPayloadType, timestamp: 100, ssrc: 7, epoch: 4, payload: red() },
    ...fields,
  });
  const view = new FrameView();
  expect(parseFrame(bytes, 0, view)).toBeUndefined();
  const { own, earlier } = unpackFrames(view, bytes, ROW);
  return {
    own: [own.sequence, own.payload],
    earlier: earlier.map(({ sequence, payload, carrier, epoch, timestamp }) => {
      return { sequence, carrier, epoch, timestamp, byte: payload[0] };
    }),
  };
}

describe("a frame that carries the ones before it", () => {
  it("gives its own payload and theirs, each by its number, its carrier and its place", () => {
    expect(unpacked({})).toEqual({
      own: [102, OWN],
      earlier: [
        { sequence: 100, carrier: 102, epoch: 4, timestamp: 2 ** 32 - 220, byte: 1 },
        { sequence: 101, carrier: 102, epoch: 4, timestamp: 2 ** 32 - 60, byte: 2 },
      ],
    });
  });

  it("gives nothing to hear where it is marked as recorded: what it carries would be heard without the mark", () => {
    const capture = { seconds: 1, fraction: 2 };
    const recorded = { sessionDigest: new Uint8Array(32), stream: 1, sequence: 9, capture };
    expect(unpacked({ recorded })).toEqual({ own: [102, new Uint8Array(0)], earlier: [] });
  });

  it.each([
    ["is not laid out so", Uint8Array.of(0x80)],
    ["carries another format", red(8)],
  ])("gives nothing to hear where it %s", (_, payload) => {
    expect(unpacked({ payload })).toEqual({ own: [102, new Uint8Array(0)], earlier: [] });
  });
});

it("a frame of its own is taken as it is", () => {
  expect(unpacked({ payloadType: ROW.payloadType, payload: OWN })).toEqual({ own: [102, OWN], earlier: [] });
});
