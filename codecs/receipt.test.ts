import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createSigner, verifier } from "../platform/node/sodium.ts";
import { bitFlips, bytes, ntpTime, u16, u32, u48 } from "../test/generators/media.ts";
import {
  encodeReceipt,
  MAX_RECEIPT_BYTES,
  MAX_RECEIPT_RANGES,
  parseReceipt,
  type Receipt,
  receiptDigest,
  type SequenceRange,
  verifyReceipt,
} from "./receipt.ts";

const signer = createSigner(new Uint8Array(32).fill(1));
const zeros = new Uint8Array(32);

const base: Receipt = {
  sessionDigest: new Uint8Array(32).fill(0xd1),
  listenerLeg: 1,
  speakerLeg: 0,
  stream: 2,
  keyGeneration: 3,
  final: false,
  index: 0,
  previous: zeros,
  time: { seconds: 10, fraction: 5 },
  totals: { received: 500, heard: 490, concealed: 3, late: 2, refused: 1 },
  received: [
    { first: 10, last: 20 },
    { first: 22, last: 22 },
  ],
  heard: [{ first: 10, last: 19 }],
};

const playing: Receipt = {
  ...base,
  played: { sequence: 19, samples: 480, epoch: 2, time: { seconds: 9, fraction: 7 } },
};

const ranges: fc.Arbitrary<SequenceRange[]> = fc
  .array(fc.tuple(fc.integer({ min: 2, max: 1000 }), fc.nat(1000)), { maxLength: 12 })
  .map((steps) => {
    let at = 0;
    return steps.map(([gap, length]) => {
      const first = at + gap;
      at = first + length;
      return { first, last: at };
    });
  });

const receipts: fc.Arbitrary<Receipt> = fc
  .record({
    sessionDigest: bytes(32),
    listenerLeg: u16,
    speakerLeg: u16,
    stream: u32,
    keyGeneration: fc.nat(15),
    final: fc.boolean(),
    index: u32,
    previous: bytes(32),
    time: ntpTime,
    totals: fc.record({ received: u48, heard: u48, concealed: u48, late: u48, refused: u48 }),
    played: fc.option(fc.record({ sequence: u48, samples: u32, epoch: u32, time: ntpTime }), {
      nil: undefined,
    }),
    received: ranges,
    heard: ranges,
  })
  .map((some) => ({
    ...some,
    previous: some.index === 0 ? zeros : Uint8Array.from(some.previous, (byte) => byte | 1),
  }))
  .map(({ played, ...some }) => (played === undefined ? some : { ...some, played }));

function faultOf(wire: Uint8Array): string {
  const read = parseReceipt(wire);
  return read.ok ? "none" : `${read.fault.code} ${read.fault.at}`;
}

describe("a receipt", () => {
  it("says after the wire what it said before, and verifies", () => {
    fc.assert(
      fc.property(receipts, (some) => {
        const wire = encodeReceipt(some, signer);
        expect(wire.length).toBe(
          (some.played === undefined ? 184 : 206) + 12 * (some.received.length + some.heard.length),
        );
        expect(parseReceipt(wire)).toEqual({ ok: true, value: some });
        expect(verifyReceipt(wire, signer.publicKey, verifier)).toBe(true);
      }),
    );
  });

  it("is signed with its domain before it", () => {
    const wire = encodeReceipt(base, signer);
    const covered = Uint8Array.from([
      ...new TextEncoder().encode("\0parley receipt v1\0"),
      ...wire.subarray(0, -64),
    ]);
    expect(verifier.verify(signer.publicKey, covered, wire.subarray(-64))).toBe(true);
  });

  it("does not verify, or does not parse, with any one bit turned over", () => {
    for (const some of [base, playing]) {
      for (const { bit, bytes: flipped } of bitFlips(encodeReceipt(some, signer))) {
        const accepted = parseReceipt(flipped).ok && verifyReceipt(flipped, signer.publicKey, verifier);
        expect(accepted, `bit ${bit}`).toBe(false);
      }
    }
  });

  it("is named in the next one by SHA-256 of all its bytes", () => {
    const wire = encodeReceipt(base, signer);
    expect(receiptDigest(wire)).toEqual(new Uint8Array(createHash("sha256").update(wire).digest()));
  });

  it("lives on when the bytes it was read from are used again", () => {
    const wire = encodeReceipt(base, signer);
    const read = parseReceipt(wire);
    wire.fill(0);
    expect(read).toEqual({ ok: true, value: base });
  });

  it("is refused where it says how far was played and is too short for that", () => {
    const short = encodeReceipt({ ...playing, received: [], heard: [] }, signer).slice(0, 190);
    expect(faultOf(short)).toBe("receipt-malformed byte 190");
  });

  it("holds 256 ranges of each kind and no more", () => {
    const of = (count: number) =>
      Array.from({ length: count }, (_, at) => ({ first: 3 * at, last: 3 * at + 1 }));
    const full = encodeReceipt(
      { ...playing, received: of(MAX_RECEIPT_RANGES), heard: of(MAX_RECEIPT_RANGES) },
      signer,
    );
    expect(full.length).toBe(MAX_RECEIPT_BYTES);
    expect(faultOf(full)).toBe("none");
    expect(() => encodeReceipt({ ...base, heard: of(257) }, signer)).toThrow(
      expect.objectContaining({ code: "field-invalid", at: "heard.length" }),
    );
  });
});

describe("parsing", () => {
  /** Offsets in the wire form of `base`. */
  const RECEIVED = 116;
  const HEARD = RECEIVED + 2 + 24;

  it("refuses every shorter and longer run of bytes", () => {
    const wire = encodeReceipt(base, signer);
    for (let length = 0; length < wire.length; length++) {
      expect(faultOf(wire.subarray(0, length))).toMatch(/^receipt-malformed/);
    }
    expect(faultOf(Uint8Array.from([...wire, 0]))).toBe(`receipt-malformed byte ${wire.length - 64}`);
  });

  it.each<[string, number, number, number]>([
    ["an unknown flag", 41, 4, 41],
    ["a key generation of 16", 40, 16, 40],
    ["a previous digest in the first", 46, 1, 46],
    ["no previous digest in a later one", 45, 1, 46],
    ["257 received ranges", RECEIVED, 2, RECEIVED],
    ["received ranges past the end", RECEIVED + 1, 9, RECEIVED],
    ["a range that ends before it begins", RECEIVED + 7, 21, RECEIVED + 2],
    ["ranges that touch", RECEIVED + 13, 21, RECEIVED + 14],
    ["ranges that overlap", RECEIVED + 19, 20, RECEIVED + 14],
    ["a heard range too many", HEARD + 1, 2, HEARD],
    ["a heard range too few", HEARD + 1, 0, HEARD + 2],
  ])("refuses %s", (_name, offset, value, at) => {
    const wire = encodeReceipt(base, signer);
    wire[offset] = value;
    expect(faultOf(wire)).toBe(`receipt-malformed byte ${at}`);
  });

  it("of any bytes never throws", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (junk) => {
        expect(typeof parseReceipt(junk).ok).toBe("boolean");
        expect(verifyReceipt(junk, signer.publicKey, verifier)).toBe(false);
      }),
    );
  });
});

it.each<[string, Partial<Receipt>]>([
  ["sessionDigest", { sessionDigest: new Uint8Array(31) }],
  ["listenerLeg", { listenerLeg: 65_536 }],
  ["speakerLeg", { speakerLeg: -1 }],
  ["stream", { stream: 2 ** 32 }],
  ["keyGeneration", { keyGeneration: 16 }],
  ["index", { index: 2 ** 32 }],
  ["previous", { previous: new Uint8Array(31) }],
  ["previous", { index: 1 }],
  ["time", { time: { seconds: 0, fraction: 2 ** 32 } }],
  ["totals.late", { totals: { ...base.totals, late: 2 ** 48 } }],
  ["received", { received: [{ first: 2, last: 1 }] }],
  ["received", { received: [{ first: 0, last: 2 ** 48 }] }],
  [
    "heard",
    {
      heard: [
        { first: 0, last: 1 },
        { first: 2, last: 3 },
      ],
    },
  ],
  [
    "heard",
    {
      heard: [
        { first: 5, last: 6 },
        { first: 1, last: 2 },
      ],
    },
  ],
])("encoding refuses a wrong %s", (at, wrong) => {
  expect(() => encodeReceipt({ ...base, ...wrong }, signer)).toThrow(
    expect.objectContaining({ code: "field-invalid", at }),
  );
});
