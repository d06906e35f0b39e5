/** What the signature of a frame covers, and how it is made, checked and digested. */
import { writeU16, writeU32 } from "./big-endian.ts";
import type { FrameMac } from "./chain-key.ts";
import { MAX_U16, MAX_U32, requireInteger, requireLength } from "./field-range.ts";
import { FRAME_DIGEST_BYTES, MAX_FRAME_BYTES, SESSION_DIGEST_BYTES } from "./frame-layout.ts";
import { describeFrameFault, parseFrame } from "./frame-parse.ts";
import { FrameView } from "./frame-view.ts";
import { ParleyError } from "./parley-error.ts";
import { portableSha256, type Sha256 } from "./sha256.ts";
import type { Signer, Verifier } from "./signer.ts";

/** First bytes of what a frame's signature or tag covers; never sent. */
export const FRAME_DOMAIN = "\0parley frame v1\0";

/**
 * Binds frames to one stream of one leg of one session. Leg and stream come from the holder's own table, never from a
 * packet, so a frame that was moved does not verify. Holds one buffer for the signed bytes that grows with the longest
 * frame seen, to at most `MAX_FRAME_BYTES` and the 55 bytes before it; longer frames do not parse, so none gets here.
 */
export class FrameSigningContext {
  #buffer: Uint8Array;
  /** What was given out last: a voice's frames have one length for long. */
  #signed: Uint8Array;

  /** `sessionDigest` has 32 bytes, `leg` 16 bits, `stream` 32 bits; throws `field-invalid` otherwise. */
  constructor(sessionDigest: Uint8Array, leg: number, stream: number) {
    requireLength(sessionDigest, SESSION_DIGEST_BYTES, "sessionDigest");
    requireInteger(leg, MAX_U16, "leg");
    requireInteger(stream, MAX_U32, "stream");
    this.#buffer = new Uint8Array(INITIAL_BUFFER_BYTES);
    this.#buffer.set(DOMAIN_BYTES, 0);
    this.#buffer.set(sessionDigest, DOMAIN_BYTES.length);
    const at = writeU16(this.#buffer, DOMAIN_BYTES.length + SESSION_DIGEST_BYTES, leg);
    writeU32(this.#buffer, at, stream);
    this.#signed = this.#buffer;
  }

  /**
   * The bytes a signature covers: domain, session digest, leg, stream, and the packet with its tag zeroed. `bytes` and
   * `view` are an array and what `parseFrame` made of it. The result is valid until the next call.
   */
  signedBytes(bytes: Uint8Array, view: FrameView): Uint8Array {
    const length = PREFIX_BYTES + view.end - view.start;
    if (length > this.#buffer.length) this.#grow(length);
    const whole = view.start === 0 && view.end === bytes.length;
    this.#buffer.set(whole ? bytes : bytes.subarray(view.start, view.end), PREFIX_BYTES);
    const tag = PREFIX_BYTES + view.tagOffset - view.start;
    this.#buffer.fill(0, tag, tag + view.tagLength);
    if (this.#signed.length !== length) this.#signed = this.#buffer.subarray(0, length);
    return this.#signed;
  }

  #grow(needed: number): void {
    const larger = new Uint8Array(Math.max(needed, Math.min(needed * 2, PREFIX_BYTES + MAX_FRAME_BYTES)));
    larger.set(this.#buffer.subarray(0, PREFIX_BYTES));
    this.#buffer = larger;
    this.#signed = larger;
  }
}

/** What a speaker's frames carry as proof: a signature of its media key, or a tag that only the two ends can make. */
export type FrameSeal =
  | { readonly profile: "frame"; readonly signer: Signer }
  | {
      readonly profile: "chain";
      readonly mac: FrameMac;
      /** Of `deriveTagKey`. */
      readonly key: Uint8Array;
    };

/**
 * Puts the proof into the frame that stands in `bytes` from `offset` to the end, in place. Returns the signed bytes (see
 * `FrameSigningContext.signedBytes`: valid until the next call) for `frameDigest`. Throws `frame-malformed` when there is
 * no frame of the seal's profile.
 */
export function sealFrame(
  context: FrameSigningContext,
  bytes: Uint8Array,
  seal: FrameSeal,
  offset: number = 0,
): Uint8Array {
  const view = new FrameView();
  const found = parseFrame(bytes, offset, view);
  if (found !== undefined) throw new ParleyError(describeFrameFault(found));
  if (view.profile !== seal.profile) {
    throw new ParleyError({
      code: "frame-malformed",
      message: `This is no frame of profile ${seal.profile}.`,
    });
  }
  const signed = context.signedBytes(bytes, view);
  const tag = seal.profile === "frame" ? seal.signer.sign(signed) : seal.mac.tag(seal.key, signed);
  bytes.set(tag, view.tagOffset);
  return signed;
}

/** `sealFrame` for a frame of profile `frame`. */
export function signFrame(
  context: FrameSigningContext,
  bytes: Uint8Array,
  signer: Signer,
  offset: number = 0,
): Uint8Array {
  return sealFrame(context, bytes, { profile: "frame", signer }, offset);
}

/**
 * True when the frame in `view`, parsed from `bytes`, is of profile `frame` and carries the signature of `publicKey`
 * (32 raw bytes) for this context. Never throws.
 */
export function verifyFrame(
  context: FrameSigningContext,
  bytes: Uint8Array,
  view: FrameView,
  publicKey: Uint8Array,
  verifier: Verifier,
): boolean {
  return (
    view.profile === "frame" && verifier.verify(publicKey, context.signedBytes(bytes, view), view.tag(bytes))
  );
}

/** 16 bytes by which checkpoints name a frame: the first half of SHA-256 over its signed bytes. A new array. */
export function frameDigest(signedBytes: Uint8Array, sha256: Sha256 = portableSha256): Uint8Array {
  return sha256(signedBytes).slice(0, FRAME_DIGEST_BYTES);
}

const DOMAIN_BYTES = new TextEncoder().encode(FRAME_DOMAIN);
const PREFIX_BYTES = DOMAIN_BYTES.length + SESSION_DIGEST_BYTES + 2 + 4;
/** Room for any frame that fits a datagram. */
const INITIAL_BUFFER_BYTES = PREFIX_BYTES + 1152;
