/**
 * Checkpoints: the speaker's signed, chained statements of what was sent on one stream. Each covers a contiguous range
 * of frames by their digests. Layout in `docs/wire-media.md`.
 */
import { readU16, readU32, readU48, writeU16, writeU32, writeU48 } from "./big-endian.ts";
import { MAX_U16, MAX_U32, requireInteger, requireLength } from "./field-range.ts";
import {
  FRAME_DIGEST_BYTES,
  type FrameProfile,
  MAX_KEY_GENERATION,
  SESSION_DIGEST_BYTES,
} from "./frame-layout.ts";
import { compareNtp, type NtpTime } from "./ntp.ts";
import { ParleyError } from "./parley-error.ts";
import { ok, type Result, refuse } from "./result.ts";
import { MAX_SEQUENCE } from "./sequence.ts";
import {
  STATEMENT_SIGNATURE_BYTES,
  signatureHolds,
  signStatement,
  statementDigest,
} from "./signed-statement.ts";
import type { Signer, Verifier } from "./signer.ts";

/** First bytes of what a checkpoint's signature covers; never sent. */
const CHECKPOINT_DOMAIN = "\0parley checkpoint v1\0";

/** Most frames one checkpoint lists. */
export const MAX_CHECKPOINT_FRAMES = { frame: 500, chain: 60 } as const satisfies Record<
  FrameProfile,
  number
>;

/** Longest checkpoint, bytes: what a reader of its stream allows. */
export const MAX_CHECKPOINT_BYTES =
  110 + MAX_CHECKPOINT_FRAMES.frame * FRAME_DIGEST_BYTES + STATEMENT_SIGNATURE_BYTES;

/** What a checkpoint says. */
export interface Checkpoint {
  /** 32 bytes. */
  readonly sessionDigest: Uint8Array;
  /** The speaker's leg. */
  readonly leg: number;
  readonly stream: number;
  /** Generation of the media key that signs, 0 to 15. */
  readonly keyGeneration: number;
  /** The speaker's last one on this stream. Only it may list no frames. */
  readonly final: boolean;
  /** 0 for the first of the stream, then one more each. */
  readonly index: number;
  /** `checkpointDigest` of the one before, 32 bytes; zeros in the first and only there. */
  readonly previous: Uint8Array;
  /** Sequence number of the first frame listed; where it lists none, the next one that would have been sent. */
  readonly firstSequence: number;
  /** `frameDigest` of each frame, in sequence order without gaps, 16 bytes each. */
  readonly digests: readonly Uint8Array[];
  /** Capture times of the first and last frame listed. */
  readonly firstCapture: NtpTime;
  readonly lastCapture: NtpTime;
  /** Media epoch when it was made. */
  readonly epoch: number;
  /** Frames sent on this stream so far with this key, those listed here included. 48 bits. */
  readonly totalFrames: number;
}

/** The signed bytes of a checkpoint, new. Throws `field-invalid` naming the field that breaks a rule above. */
export function encodeCheckpoint(checkpoint: Checkpoint, signer: Signer): Uint8Array {
  checkFields(checkpoint);
  const body = new Uint8Array(FIXED_BYTES + checkpoint.digests.length * FRAME_DIGEST_BYTES);
  body.set(checkpoint.sessionDigest, 0);
  writeU16(body, LEG, checkpoint.leg);
  writeU32(body, STREAM, checkpoint.stream);
  body[GENERATION] = checkpoint.keyGeneration;
  body[FLAGS] = checkpoint.final ? FLAG_FINAL : 0;
  writeU32(body, INDEX, checkpoint.index);
  body.set(checkpoint.previous, PREVIOUS);
  writeU48(body, FIRST_SEQUENCE, checkpoint.firstSequence);
  writeU16(body, COUNT, checkpoint.digests.length);
  writeU32(body, FIRST_CAPTURE, checkpoint.firstCapture.seconds);
  writeU32(body, FIRST_CAPTURE + 4, checkpoint.firstCapture.fraction);
  writeU32(body, LAST_CAPTURE, checkpoint.lastCapture.seconds);
  writeU32(body, LAST_CAPTURE + 4, checkpoint.lastCapture.fraction);
  writeU32(body, EPOCH, checkpoint.epoch);
  writeU48(body, TOTAL, checkpoint.totalFrames);
  let at = FIXED_BYTES;
  for (const digest of checkpoint.digests) {
    body.set(digest, at);
    at += FRAME_DIGEST_BYTES;
  }
  return signStatement(CHECKPOINT_DOMAIN, body, signer);
}

/**
 * Reads a checkpoint that fills `bytes`; `profile` sets how many frames it may list (default `frame`, the larger).
 * Refuses with `checkpoint-malformed` and the byte at fault. Checks form only: see `verifyCheckpoint`. The result keeps
 * no reference to `bytes`. Never throws.
 */
export function parseCheckpoint(bytes: Uint8Array, profile: FrameProfile = "frame"): Result<Checkpoint> {
  if (bytes.length < FIXED_BYTES + STATEMENT_SIGNATURE_BYTES) return malformed("too short", bytes.length);
  const count = readU16(bytes, COUNT);
  if (count > MAX_CHECKPOINT_FRAMES[profile]) return malformed("too many frames", COUNT);
  const length = FIXED_BYTES + count * FRAME_DIGEST_BYTES + STATEMENT_SIGNATURE_BYTES;
  if (bytes.length !== length) return malformed(`${length} bytes expected`, Math.min(bytes.length, length));
  const flags = bytes[FLAGS] as number;
  if ((flags & ~FLAG_FINAL) !== 0) return malformed("unknown flag", FLAGS);
  if ((bytes[GENERATION] as number) > MAX_KEY_GENERATION) return malformed("key generation", GENERATION);
  const own = bytes.slice();
  const digests: Uint8Array[] = [];
  for (let at = FIXED_BYTES; digests.length < count; at += FRAME_DIGEST_BYTES) {
    digests.push(own.subarray(at, at + FRAME_DIGEST_BYTES));
  }
  const checkpoint: Checkpoint = {
    sessionDigest: own.subarray(0, SESSION_DIGEST_BYTES),
    leg: readU16(own, LEG),
    stream: readU32(own, STREAM),
    keyGeneration: own[GENERATION] as number,
    final: (flags & FLAG_FINAL) !== 0,
    index: readU32(own, INDEX),
    previous: own.subarray(PREVIOUS, PREVIOUS + 32),
    firstSequence: readU48(own, FIRST_SEQUENCE),
    digests,
    firstCapture: { seconds: readU32(own, FIRST_CAPTURE), fraction: readU32(own, FIRST_CAPTURE + 4) },
    lastCapture: { seconds: readU32(own, LAST_CAPTURE), fraction: readU32(own, LAST_CAPTURE + 4) },
    epoch: readU32(own, EPOCH),
    totalFrames: readU48(own, TOTAL),
  };
  const broken = brokenRule(checkpoint);
  return broken === undefined ? ok(checkpoint) : malformed(broken.message, broken.offset);
}

/** True when `bytes`, a whole checkpoint, carries the signature of `publicKey` (32 raw bytes). Never throws. */
export function verifyCheckpoint(bytes: Uint8Array, publicKey: Uint8Array, verifier: Verifier): boolean {
  return signatureHolds(CHECKPOINT_DOMAIN, bytes, publicKey, verifier);
}

/** What the next checkpoint names as `previous`: SHA-256 of the whole one, signature included. */
export function checkpointDigest(bytes: Uint8Array): Uint8Array {
  return statementDigest(bytes);
}

/** The digest a checkpoint lists for frame `sequence`; undefined when it is outside its range. */
export function digestOf(checkpoint: Checkpoint, sequence: number): Uint8Array | undefined {
  return checkpoint.digests[sequence - checkpoint.firstSequence];
}

interface BrokenRule {
  readonly field: keyof Checkpoint;
  readonly offset: number;
  readonly message: string;
}

/** The rules between fields, the same for encoder and parser. */
function brokenRule(checkpoint: Checkpoint): BrokenRule | undefined {
  const count = checkpoint.digests.length;
  if (count === 0 && !checkpoint.final) {
    return { field: "digests", offset: COUNT, message: "only a final checkpoint may list no frames" };
  }
  if (checkpoint.previous.every((byte) => byte === 0) !== (checkpoint.index === 0)) {
    return { field: "previous", offset: PREVIOUS, message: "zeros exactly in the first checkpoint" };
  }
  if (checkpoint.firstSequence + count - 1 > MAX_SEQUENCE) {
    return { field: "firstSequence", offset: FIRST_SEQUENCE, message: "the range passes 48 bits" };
  }
  if (compareNtp(checkpoint.firstCapture, checkpoint.lastCapture) > 0) {
    return { field: "lastCapture", offset: LAST_CAPTURE, message: "the last capture is before the first" };
  }
  if (checkpoint.totalFrames < count) {
    return { field: "totalFrames", offset: TOTAL, message: "the total is less than what is listed" };
  }
  return undefined;
}

function checkFields(checkpoint: Checkpoint): void {
  requireLength(checkpoint.sessionDigest, SESSION_DIGEST_BYTES, "sessionDigest");
  requireInteger(checkpoint.leg, MAX_U16, "leg");
  requireInteger(checkpoint.stream, MAX_U32, "stream");
  requireInteger(checkpoint.keyGeneration, MAX_KEY_GENERATION, "keyGeneration");
  requireInteger(checkpoint.index, MAX_U32, "index");
  requireLength(checkpoint.previous, 32, "previous");
  requireInteger(checkpoint.firstSequence, MAX_SEQUENCE, "firstSequence");
  requireInteger(checkpoint.digests.length, MAX_CHECKPOINT_FRAMES.frame, "digests.length");
  for (const digest of checkpoint.digests) requireLength(digest, FRAME_DIGEST_BYTES, "digests");
  for (const field of ["firstCapture", "lastCapture"] as const) {
    requireInteger(checkpoint[field].seconds, MAX_U32, field);
    requireInteger(checkpoint[field].fraction, MAX_U32, field);
  }
  requireInteger(checkpoint.epoch, MAX_U32, "epoch");
  requireInteger(checkpoint.totalFrames, MAX_SEQUENCE, "totalFrames");
  const broken = brokenRule(checkpoint);
  if (broken !== undefined) {
    throw new ParleyError({ code: "field-invalid", message: broken.message, at: broken.field });
  }
}

function malformed(message: string, offset: number): Result<never> {
  return refuse("checkpoint-malformed", message, `byte ${offset}`);
}

const FLAG_FINAL = 1;
const LEG = SESSION_DIGEST_BYTES;
const STREAM = LEG + 2;
const GENERATION = STREAM + 4;
const FLAGS = GENERATION + 1;
const INDEX = FLAGS + 1;
const PREVIOUS = INDEX + 4;
const FIRST_SEQUENCE = PREVIOUS + 32;
const COUNT = FIRST_SEQUENCE + 6;
const FIRST_CAPTURE = COUNT + 2;
const LAST_CAPTURE = FIRST_CAPTURE + 8;
const EPOCH = LAST_CAPTURE + 8;
const TOTAL = EPOCH + 4;
const FIXED_BYTES = TOTAL + 6;
