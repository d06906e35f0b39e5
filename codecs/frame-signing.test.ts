import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createSigner, verifier } from "../platform/node/sodium.ts";
import { bitFlips, frameFields } from "../test/generators/media.ts";
import {
  buildFrame,
  FRAME_DOMAIN,
  type FrameFields,
  FrameSigningContext,
  FrameView,
  frameDigest,
  parseFrame,
  signFrame,
  verifyFrame,
} from "./frame.ts";

const signer = createSigner(new Uint8Array(32).fill(1));
const digest = new Uint8Array(32).fill(0xd1);
const fields: FrameFields = {
  profile: "frame",
  keyGeneration: 1,
  sequence: 0x1_0000_0001,
  captureSeconds: 0xe9000000,
  captureFraction: 7,
  payloadType: 111,
  marker: true,
  timestamp: 960,
  ssrc: 0xdecafbad,
  info: { keyFrame: true },
  epoch: 1,
  audioLevel: { level: 20, voice: true },
  recorded: { sessionDigest: digest, stream: 1, sequence: 2, capture: { seconds: 3, fraction: 4 } },
  payload: new Uint8Array(20).fill(0x55),
};

const context = () => new FrameSigningContext(digest, 0, 1);

function signed(some: FrameFields = fields, headroom = 0): Uint8Array {
  const bytes = buildFrame(some, headroom);
  signFrame(context(), bytes, signer, headroom);
  return bytes;
}

function verdict(bytes: Uint8Array, under = context(), key = signer.publicKey, offset = 0): boolean {
  const view = new FrameView();
  return parseFrame(bytes, offset, view) === undefined && verifyFrame(under, bytes, view, key, verifier);
}

describe("a signed frame", () => {
  it("verifies, with or without a flow identifier before it, of any content and length", () => {
    fc.assert(
      fc.property(frameFields, fc.nat(8), fc.constantFrom(0, 1, 1200, 5000), (some, headroom, more) => {
        const payload = new Uint8Array(some.payload.length + more).fill(9);
        const bytes = signed({ ...some, payload, profile: "frame" }, headroom);
        expect(verdict(bytes, context(), signer.publicKey, headroom)).toBe(true);
        expect(verdict(bytes.subarray(headroom))).toBe(true);
      }),
    );
  });

  it("does not verify, or does not parse, with any one bit turned over", () => {
    const bytes = signed();
    expect(verdict(bytes)).toBe(true);
    for (const flipped of bitFlips(bytes)) {
      expect(verdict(flipped.bytes), `bit ${flipped.bit}`).toBe(false);
    }
  });

  it("does not verify cut or lengthened", () => {
    const bytes = signed();
    for (let length = 0; length < bytes.length; length++)
      expect(verdict(bytes.subarray(0, length))).toBe(false);
    const longer = new Uint8Array(bytes.length + 1);
    longer.set(bytes);
    expect(verdict(longer)).toBe(false);
  });

  it("does not verify in another session, leg or stream, or under another key", () => {
    const bytes = signed();
    const other = digest.slice();
    other[31] = 0;
    expect(verdict(bytes, new FrameSigningContext(other, 0, 1))).toBe(false);
    expect(verdict(bytes, new FrameSigningContext(digest, 1, 1))).toBe(false);
    expect(verdict(bytes, new FrameSigningContext(digest, 0, 2))).toBe(false);
    expect(verdict(bytes, new FrameSigningContext(digest, 0, 0x10001))).toBe(false);
    expect(verdict(bytes, context(), createSigner(new Uint8Array(32).fill(2)).publicKey)).toBe(false);
  });

  it("covers domain, session, leg, stream and the packet with a zero tag, in that order", () => {
    const unsigned = buildFrame(fields);
    const bytes = unsigned.slice();
    const covered = signFrame(new FrameSigningContext(digest, 0x0102, 0x03040506), bytes, signer);
    expect(covered).toEqual(
      Uint8Array.from([
        ...new TextEncoder().encode("\0parley frame v1\0"),
        ...digest,
        ...[1, 2, 3, 4, 5, 6],
        ...unsigned,
      ]),
    );
    expect(FRAME_DOMAIN.charCodeAt(0)).toBe(0);
    expect(bytes).not.toEqual(unsigned);
  });

  it("has the digest of its signed bytes, the same at both ends and whatever the tag", () => {
    const bytes = buildFrame(fields);
    const ours = frameDigest(signFrame(context(), bytes, signer));
    const view = new FrameView();
    expect(parseFrame(bytes, 0, view)).toBeUndefined();
    const covered = context().signedBytes(bytes, view);
    expect(frameDigest(covered)).toEqual(ours);
    expect(ours).toEqual(new Uint8Array(createHash("sha256").update(covered).digest().subarray(0, 16)));
    const payloadChanged = bytes.slice();
    payloadChanged[bytes.length - 1] = 0;
    expect(frameDigest(context().signedBytes(payloadChanged, view))).not.toEqual(ours);
    bytes.fill(0xff, view.tagOffset, view.tagOffset + 64);
    expect(frameDigest(context().signedBytes(bytes, view))).toEqual(ours);
  });

  it("leaves no trace of a longer one signed before it in the same context", () => {
    const shared = context();
    const long = buildFrame({ ...fields, payload: new Uint8Array(3000).fill(1) });
    signFrame(shared, long, signer);
    const short = buildFrame(fields);
    expect(signFrame(shared, short, signer).slice()).toEqual(signFrame(context(), short.slice(), signer));
    expect(verdict(short)).toBe(true);
    expect(verdict(long, shared)).toBe(true);
  });
});

describe("signing", () => {
  it("refuses what is no frame, and frames of profile chain", () => {
    const malformed = expect.objectContaining({ code: "frame-malformed" });
    expect(() => signFrame(context(), new Uint8Array(200), signer)).toThrow(malformed);
    expect(() => signFrame(context(), buildFrame({ ...fields, profile: "chain" }), signer)).toThrow(
      malformed,
    );
  });

  it("never accepts a frame of profile chain", () => {
    expect(verdict(buildFrame({ ...fields, profile: "chain" }))).toBe(false);
  });

  it("needs a digest, a leg and a stream in range", () => {
    const invalid = (at: string) => expect.objectContaining({ code: "field-invalid", at });
    expect(() => new FrameSigningContext(new Uint8Array(31), 0, 0)).toThrow(invalid("sessionDigest"));
    expect(() => new FrameSigningContext(digest, 0x10000, 0)).toThrow(invalid("leg"));
    expect(() => new FrameSigningContext(digest, 0, 2 ** 32)).toThrow(invalid("stream"));
  });
});
