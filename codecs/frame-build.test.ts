import fc from "fast-check";
import { expect, it } from "vitest";
import { frameFields } from "../test/generators/media.ts";
import { buildFrame, type FrameFields, frameSize, MAX_FRAME_BYTES, writeFrame } from "./frame.ts";

const fields: FrameFields = {
  profile: "chain",
  keyGeneration: 0,
  sequence: 0,
  captureSeconds: 0,
  captureFraction: 0,
  payloadType: 0,
  timestamp: 0,
  ssrc: 0,
  payload: new Uint8Array(160),
};
const recorded = {
  sessionDigest: new Uint8Array(32),
  stream: 0,
  sequence: 0,
  capture: { seconds: 0, fraction: 0 },
};

it("costs a 20 ms voice frame the envelope that fit computations count on", () => {
  expect(frameSize(fields)).toBe(12 + 4 + 32 + 160);
  expect(frameSize({ ...fields, profile: "frame" })).toBe(12 + 4 + 80 + 160);
  expect(
    frameSize({ ...fields, profile: "frame", info: {}, epoch: 0, audioLevel: { level: 0, voice: false } }),
  ).toBe(12 + 4 + 92 + 160);
});

it("writes exactly its size, over whatever the target held, and nothing around it", () => {
  fc.assert(
    fc.property(frameFields, fc.nat(8), (some, offset) => {
      const target = new Uint8Array(offset + frameSize(some) + 5).fill(0xa5);
      const end = writeFrame(some, target, offset);
      expect(end).toBe(offset + frameSize(some));
      expect(target.subarray(offset, end)).toEqual(buildFrame(some));
      expect([...target.subarray(0, offset), ...target.subarray(end)].every((byte) => byte === 0xa5)).toBe(
        true,
      );
    }),
  );
});

it("leaves the headroom asked for", () => {
  const bytes = buildFrame(fields, 8);
  expect(bytes.length).toBe(8 + frameSize(fields));
  expect(bytes.subarray(8)).toEqual(buildFrame(fields));
});

it.each<[string, Partial<FrameFields>]>([
  ["payloadType", { payloadType: 128 }],
  ["keyGeneration", { keyGeneration: 16 }],
  ["sequence", { sequence: 2 ** 48 }],
  ["sequence", { sequence: -1 }],
  ["captureSeconds", { captureSeconds: 2 ** 32 }],
  ["captureFraction", { captureFraction: 0.5 }],
  ["timestamp", { timestamp: 2 ** 32 }],
  ["ssrc", { ssrc: Number.NaN }],
  ["info.layer", { info: { layer: 32 } }],
  ["info.needs", { info: { needs: 256 } }],
  ["epoch", { epoch: 2 ** 32 }],
  ["audioLevel.level", { audioLevel: { level: 128, voice: false } }],
  ["recorded.sessionDigest", { recorded: { ...recorded, sessionDigest: new Uint8Array(31) } }],
  ["recorded.stream", { recorded: { ...recorded, stream: 2 ** 32 } }],
  ["recorded.sequence", { recorded: { ...recorded, sequence: 2 ** 48 } }],
  ["recorded.capture", { recorded: { ...recorded, capture: { seconds: -1, fraction: 0 } } }],
  ["recorded.capture", { recorded: { ...recorded, capture: { seconds: 0, fraction: 2 ** 32 } } }],
  ["payload", { payload: new Uint8Array(MAX_FRAME_BYTES) }],
])("refuses %s out of range and writes nothing", (at, wrong) => {
  const target = new Uint8Array(frameSize({ ...fields, ...wrong })).fill(7);
  expect(() => writeFrame({ ...fields, ...wrong }, target, 0)).toThrow(
    expect.objectContaining({ code: "field-invalid", at }),
  );
  expect(target.every((byte) => byte === 7)).toBe(true);
});

it("refuses a target without room", () => {
  expect(() => writeFrame(fields, new Uint8Array(frameSize(fields)), 1)).toThrow(
    expect.objectContaining({ code: "field-invalid", at: "payload" }),
  );
});
