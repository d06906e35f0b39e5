import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createSigner, verifier } from "../platform/node/sodium.ts";
import { bitFlips, bytes, ntpTime, u16, u32 } from "../test/generators/media.ts";
import {
  encodeInterrupt,
  type Interrupt,
  interruptDigest,
  parseInterrupt,
  verifyInterrupt,
} from "./interrupt.ts";
import { encodeReceipt } from "./receipt.ts";

const signer = createSigner(new Uint8Array(32).fill(1));
const other = createSigner(new Uint8Array(32).fill(2));

const base: Interrupt = {
  sessionDigest: new Uint8Array(32).fill(0xd1),
  leg: 1,
  speakerLeg: 0,
  stream: 2,
  keyGeneration: 3,
  epoch: 4,
  time: { seconds: 10, fraction: 5 },
};
/** Offsets in the wire form. */
const GENERATION = 40;
const EPOCH = 41;
const LENGTH = 53 + 64;

const interrupts: fc.Arbitrary<Interrupt> = fc.record({
  sessionDigest: bytes(32),
  leg: u16,
  speakerLeg: u16,
  stream: u32,
  keyGeneration: fc.nat(15),
  epoch: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
  time: ntpTime,
});

function faultOf(wire: Uint8Array): string {
  const read = parseInterrupt(wire);
  return read.ok ? "none" : `${read.fault.code} ${read.fault.at}`;
}

function holds(wire: Uint8Array, publicKey = signer.publicKey): boolean {
  return verifyInterrupt(wire, publicKey, verifier);
}

describe("an interrupt", () => {
  it("says after the wire what it said before, and verifies", () => {
    fc.assert(
      fc.property(interrupts, (some) => {
        const wire = encodeInterrupt(some, signer);
        expect(wire.length).toBe(LENGTH);
        expect(parseInterrupt(wire)).toEqual({ ok: true, value: some });
        expect(holds(wire)).toBe(true);
      }),
    );
  });

  it("is signed with its domain before it, and in no other", () => {
    const wire = encodeInterrupt(base, signer);
    const domain = (name: string) => new TextEncoder().encode(`\0parley ${name} v1\0`);
    const covered = Uint8Array.from([...domain("interrupt"), ...wire.subarray(0, -64)]);
    expect(verifier.verify(signer.publicKey, covered, wire.subarray(-64))).toBe(true);
    for (const name of ["receipt", "checkpoint", "frame"]) {
      const body = wire.subarray(0, -64);
      const foreign = signer.sign(Uint8Array.from([...domain(name), ...body]));
      expect(holds(Uint8Array.from([...body, ...foreign])), name).toBe(false);
    }
    expect(holds(Uint8Array.from([...wire.subarray(0, -64), ...signer.sign(wire.subarray(0, -64))]))).toBe(
      false,
    );
  });

  it("is no other signed statement", () => {
    const receipt = encodeReceipt(
      {
        sessionDigest: base.sessionDigest,
        listenerLeg: 1,
        speakerLeg: 0,
        stream: 2,
        keyGeneration: 3,
        final: false,
        index: 0,
        previous: new Uint8Array(32),
        time: base.time,
        totals: { received: 0, heard: 0, concealed: 0, late: 0, refused: 0 },
        received: [],
        heard: [],
      },
      signer,
    );
    expect([faultOf(receipt), holds(receipt)]).toEqual([`interrupt-malformed byte ${receipt.length}`, false]);
  });

  it("does not verify, or does not parse, with any one bit turned over", () => {
    for (const { bit, bytes: flipped } of bitFlips(encodeInterrupt(base, signer))) {
      expect(parseInterrupt(flipped).ok && holds(flipped), `bit ${bit}`).toBe(false);
    }
  });

  it("is its signer's alone", () => {
    const wire = encodeInterrupt(base, signer);
    expect(holds(wire, other.publicKey)).toBe(false);
    expect(holds(encodeInterrupt(base, other))).toBe(false);
    for (const key of [new Uint8Array(0), new Uint8Array(32), signer.publicKey.subarray(1)])
      expect(holds(wire, key)).toBe(false);
  });

  it("is named in records by SHA-256 of all its bytes", () => {
    const wire = encodeInterrupt(base, signer);
    expect(interruptDigest(wire)).toEqual(new Uint8Array(createHash("sha256").update(wire).digest()));
  });

  it("lives on when the bytes it was read from are used again", () => {
    const wire = encodeInterrupt(base, signer);
    const read = parseInterrupt(wire);
    wire.fill(0);
    expect(read).toEqual({ ok: true, value: base });
  });
});

describe("parsing", () => {
  it("refuses every shorter and longer run of bytes", () => {
    const wire = encodeInterrupt(base, signer);
    for (let length = 0; length < wire.length; length++) {
      expect(faultOf(wire.subarray(0, length))).toBe(`interrupt-malformed byte ${length}`);
    }
    expect(faultOf(Uint8Array.from([...wire, 0]))).toBe(`interrupt-malformed byte ${wire.length + 1}`);
  });

  it("refuses a key generation of 16, and epoch 0, which nothing begins", () => {
    const wire = encodeInterrupt(base, signer);
    expect(faultOf(wire.with(GENERATION, 16))).toBe(`interrupt-malformed byte ${GENERATION}`);
    expect(faultOf(wire.with(EPOCH + 3, 0))).toBe(`interrupt-malformed byte ${EPOCH}`);
  });

  it("of any bytes never throws", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 150 }), bytes(LENGTH), (junk, sized) => {
        for (const some of [junk, sized]) {
          expect(typeof parseInterrupt(some).ok).toBe("boolean");
          expect(holds(some)).toBe(false);
        }
      }),
    );
  });
});

it.each<[string, Partial<Interrupt>]>([
  ["sessionDigest", { sessionDigest: new Uint8Array(31) }],
  ["leg", { leg: 65_536 }],
  ["speakerLeg", { speakerLeg: -1 }],
  ["stream", { stream: 2 ** 32 }],
  ["keyGeneration", { keyGeneration: 16 }],
  ["epoch", { epoch: 0 }],
  ["epoch", { epoch: 2 ** 32 }],
  ["epoch", { epoch: 1.5 }],
  ["time", { time: { seconds: 2 ** 32, fraction: 0 } }],
  ["time", { time: { seconds: 0, fraction: -1 } }],
])("encoding refuses a wrong %s", (at, wrong) => {
  expect(() => encodeInterrupt({ ...base, ...wrong }, signer)).toThrow(
    expect.objectContaining({ code: "field-invalid", at }),
  );
});

it("the first and the last epoch there can be are interrupts like any other", () => {
  for (const epoch of [1, 2 ** 32 - 1]) {
    expect(parseInterrupt(encodeInterrupt({ ...base, epoch }, signer))).toMatchObject({ value: { epoch } });
  }
});
