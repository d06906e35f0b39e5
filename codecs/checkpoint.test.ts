import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createSigner, verifier } from "../platform/node/sodium.ts";
import { bitFlips, bytes, ntpTime, u16, u32, u48 } from "../test/generators/media.ts";
import {
  type Checkpoint,
  checkpointDigest,
  digestOf,
  encodeCheckpoint,
  MAX_CHECKPOINT_BYTES,
  MAX_CHECKPOINT_FRAMES,
  parseCheckpoint,
  verifyCheckpoint,
} from "./checkpoint.ts";
import { compareNtp } from "./ntp.ts";

const signer = createSigner(new Uint8Array(32).fill(1));
const zeros = new Uint8Array(32);

const base: Checkpoint = {
  sessionDigest: new Uint8Array(32).fill(0xd1),
  leg: 1,
  stream: 2,
  keyGeneration: 3,
  final: false,
  index: 0,
  previous: zeros,
  firstSequence: 1000,
  digests: [new Uint8Array(16).fill(0xa1), new Uint8Array(16).fill(0xa2)],
  firstCapture: { seconds: 10, fraction: 0 },
  lastCapture: { seconds: 10, fraction: 5 },
  epoch: 4,
  totalFrames: 500,
};

const checkpoints: fc.Arbitrary<Checkpoint> = fc
  .record({
    sessionDigest: bytes(32),
    leg: u16,
    stream: u32,
    keyGeneration: fc.nat(15),
    final: fc.boolean(),
    index: u32,
    previous: bytes(32),
    firstSequence: u48,
    digests: fc.array(bytes(16), { maxLength: 20 }),
    firstCapture: ntpTime,
    lastCapture: ntpTime,
    epoch: u32,
    totalFrames: u48,
  })
  .map((some) => ({
    ...some,
    previous: some.index === 0 ? zeros : Uint8Array.from(some.previous, (byte) => byte | 1),
    final: some.final || some.digests.length === 0,
  }))
  .filter(
    (some) =>
      compareNtp(some.firstCapture, some.lastCapture) <= 0 &&
      some.totalFrames >= some.digests.length &&
      some.firstSequence + some.digests.length <= 2 ** 48,
  );

function faultOf(wire: Uint8Array, profile: "frame" | "chain" = "frame"): string {
  const read = parseCheckpoint(wire, profile);
  return read.ok ? "none" : `${read.fault.code} ${read.fault.at}`;
}

describe("a checkpoint", () => {
  it("says after the wire what it said before, and verifies", () => {
    fc.assert(
      fc.property(checkpoints, (some) => {
        const wire = encodeCheckpoint(some, signer);
        expect(wire.length).toBe(174 + 16 * some.digests.length);
        expect(parseCheckpoint(wire)).toEqual({ ok: true, value: some });
        expect(verifyCheckpoint(wire, signer.publicKey, verifier)).toBe(true);
      }),
    );
  });

  it("is signed with its domain before it", () => {
    const wire = encodeCheckpoint(base, signer);
    const covered = Uint8Array.from([
      ...new TextEncoder().encode("\0parley checkpoint v1\0"),
      ...wire.subarray(0, -64),
    ]);
    expect(verifier.verify(signer.publicKey, covered, wire.subarray(-64))).toBe(true);
    expect(verifier.verify(signer.publicKey, wire.subarray(0, -64), wire.subarray(-64))).toBe(false);
  });

  it("does not verify, or does not parse, with any one bit turned over", () => {
    for (const { bit, bytes: flipped } of bitFlips(encodeCheckpoint(base, signer))) {
      const accepted = parseCheckpoint(flipped).ok && verifyCheckpoint(flipped, signer.publicKey, verifier);
      expect(accepted, `bit ${bit}`).toBe(false);
    }
  });

  it("does not verify under another key, or when there is hardly anything", () => {
    const other = createSigner(new Uint8Array(32).fill(2)).publicKey;
    expect(verifyCheckpoint(encodeCheckpoint(base, signer), other, verifier)).toBe(false);
    expect(verifyCheckpoint(new Uint8Array(63), signer.publicKey, verifier)).toBe(false);
    expect(verifyCheckpoint(new Uint8Array(64), signer.publicKey, verifier)).toBe(false);
  });

  it("is named in the next one by SHA-256 of all its bytes", () => {
    const wire = encodeCheckpoint(base, signer);
    expect(checkpointDigest(wire)).toEqual(new Uint8Array(createHash("sha256").update(wire).digest()));
    const next = encodeCheckpoint({ ...base, index: 1, previous: checkpointDigest(wire) }, signer);
    const read = parseCheckpoint(next);
    expect(read.ok && read.value.previous).toEqual(checkpointDigest(wire));
  });

  it("knows which digest belongs to which sequence number", () => {
    expect(digestOf(base, 999)).toBeUndefined();
    expect(digestOf(base, 1000)).toEqual(base.digests[0]);
    expect(digestOf(base, 1001)).toEqual(base.digests[1]);
    expect(digestOf(base, 1002)).toBeUndefined();
  });

  it("lives on when the bytes it was read from are used again", () => {
    const wire = encodeCheckpoint(base, signer);
    const read = parseCheckpoint(wire);
    wire.fill(0);
    expect(read).toEqual({ ok: true, value: base });
  });
});

describe("the caps", () => {
  const of = (count: number): Checkpoint => ({
    ...base,
    digests: Array.from({ length: count }, () => new Uint8Array(16)),
  });

  it("allow 500 frames in profile frame, 60 in chain", () => {
    const full = encodeCheckpoint(of(MAX_CHECKPOINT_FRAMES.frame), signer);
    expect(full.length).toBe(MAX_CHECKPOINT_BYTES);
    expect(faultOf(full)).toBe("none");
    expect(faultOf(encodeCheckpoint(of(60), signer), "chain")).toBe("none");
    expect(faultOf(encodeCheckpoint(of(61), signer), "chain")).toBe("checkpoint-malformed byte 82");
    expect(() => encodeCheckpoint(of(501), signer)).toThrow(
      expect.objectContaining({ code: "field-invalid", at: "digests.length" }),
    );
  });
});

describe("parsing", () => {
  it("refuses every shorter and longer run of bytes", () => {
    const wire = encodeCheckpoint(base, signer);
    for (let length = 0; length < wire.length; length++) {
      expect(faultOf(wire.subarray(0, length))).toMatch(/^checkpoint-malformed/);
    }
    expect(faultOf(Uint8Array.from([...wire, 0]))).toBe(`checkpoint-malformed byte ${wire.length}`);
  });

  it.each<[string, number, number, number]>([
    ["an unknown flag", 39, 2, 39],
    ["a key generation of 16", 38, 16, 38],
    ["a previous digest in the first", 44, 1, 44],
    ["no previous digest in a later one", 43, 1, 44],
    ["a last capture before the first", 95, 9, 92],
    ["a total below what it lists", 108, 0, 104],
  ])("refuses %s", (_name, offset, value, at) => {
    const wire = encodeCheckpoint({ ...base, totalFrames: 257 }, signer);
    wire[offset] = value;
    expect(faultOf(wire)).toBe(`checkpoint-malformed byte ${at}`);
  });

  it("refuses an empty one that is not the last, and a range past 48 bits", () => {
    const empty = encodeCheckpoint({ ...base, digests: [], final: true }, signer);
    expect(faultOf(empty)).toBe("none");
    empty[39] = 0;
    expect(faultOf(empty)).toBe("checkpoint-malformed byte 82");
    const wire = encodeCheckpoint({ ...base, firstSequence: 2 ** 48 - 2 }, signer);
    expect(faultOf(wire)).toBe("none");
    wire[81] = 0xff;
    expect(faultOf(wire)).toBe("checkpoint-malformed byte 76");
  });

  it("of any bytes never throws", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (junk) => {
        expect(typeof parseCheckpoint(junk).ok).toBe("boolean");
        expect(verifyCheckpoint(junk, signer.publicKey, verifier)).toBe(false);
      }),
    );
  });
});

it.each<[string, Partial<Checkpoint>]>([
  ["sessionDigest", { sessionDigest: new Uint8Array(31) }],
  ["leg", { leg: 65_536 }],
  ["stream", { stream: -1 }],
  ["keyGeneration", { keyGeneration: 16 }],
  ["index", { index: 2 ** 32 }],
  ["previous", { previous: new Uint8Array(32).fill(1) }],
  ["previous", { index: 1 }],
  ["firstSequence", { firstSequence: 2 ** 48 }],
  ["firstSequence", { firstSequence: 2 ** 48 - 1 }],
  ["digests", { digests: [new Uint8Array(32)] }],
  ["digests", { digests: [] }],
  ["lastCapture", { lastCapture: { seconds: 9, fraction: 0 } }],
  ["firstCapture", { firstCapture: { seconds: 2 ** 32, fraction: 0 } }],
  ["epoch", { epoch: 1.5 }],
  ["totalFrames", { totalFrames: 1 }],
])("encoding refuses a wrong %s", (at, wrong) => {
  expect(() => encodeCheckpoint({ ...base, ...wrong }, signer)).toThrow(
    expect.objectContaining({ code: "field-invalid", at }),
  );
});
