/**
 * Interrupts: one end's signed word that what was said on a stream until now is not to be heard any more. Layout in
 * `docs/wire-media.md`.
 */
import { readU16, readU32, writeU16, writeU32 } from "./big-endian.ts";
import { MAX_U16, MAX_U32, requireInteger, requireLength } from "./field-range.ts";
import { MAX_KEY_GENERATION, SESSION_DIGEST_BYTES } from "./frame-layout.ts";
import type { NtpTime } from "./ntp.ts";
import { ok, type Result, refuse } from "./result.ts";
import {
  STATEMENT_SIGNATURE_BYTES,
  signatureHolds,
  signStatement,
  statementDigest,
} from "./signed-statement.ts";
import type { Signer, Verifier } from "./signer.ts";

/** First bytes of what an interrupt's signature covers; never sent. */
const INTERRUPT_DOMAIN = "\0parley interrupt v1\0";

/** Length of every interrupt: shorter than any checkpoint or receipt. */
export const INTERRUPT_BYTES = 117;

/** What an interrupt says. */
export interface Interrupt {
  /** 32 bytes. */
  readonly sessionDigest: Uint8Array;
  /** Leg of who signs: the listener, or the speaker of its own stream. */
  readonly leg: number;
  readonly speakerLeg: number;
  readonly stream: number;
  /** Generation of the media key that signs, 0 to 15. */
  readonly keyGeneration: number;
  /** Media epoch that begins with it: one more than the one before, from 1. */
  readonly epoch: number;
  /** When it was made, by the signer's clock. */
  readonly time: NtpTime;
}

/** The signed bytes of an interrupt, new. Throws `field-invalid` naming the field out of range. */
export function encodeInterrupt(interrupt: Interrupt, signer: Signer): Uint8Array {
  requireLength(interrupt.sessionDigest, SESSION_DIGEST_BYTES, "sessionDigest");
  requireInteger(interrupt.leg, MAX_U16, "leg");
  requireInteger(interrupt.speakerLeg, MAX_U16, "speakerLeg");
  requireInteger(interrupt.stream, MAX_U32, "stream");
  requireInteger(interrupt.keyGeneration, MAX_KEY_GENERATION, "keyGeneration");
  requireInteger(interrupt.epoch, MAX_U32, "epoch", 1);
  requireInteger(interrupt.time.seconds, MAX_U32, "time");
  requireInteger(interrupt.time.fraction, MAX_U32, "time");
  const body = new Uint8Array(BODY_BYTES);
  body.set(interrupt.sessionDigest, 0);
  writeU16(body, LEG, interrupt.leg);
  writeU16(body, SPEAKER, interrupt.speakerLeg);
  writeU32(body, STREAM, interrupt.stream);
  body[GENERATION] = interrupt.keyGeneration;
  writeU32(body, EPOCH, interrupt.epoch);
  writeU32(body, TIME, interrupt.time.seconds);
  writeU32(body, TIME + 4, interrupt.time.fraction);
  return signStatement(INTERRUPT_DOMAIN, body, signer);
}

/**
 * Reads an interrupt that fills `bytes`. Refuses with `interrupt-malformed` and the byte at fault. Checks form only: see
 * `verifyInterrupt`. Never throws.
 */
export function parseInterrupt(bytes: Uint8Array): Result<Interrupt> {
  if (bytes.length !== INTERRUPT_BYTES) {
    return refuse("interrupt-malformed", "an interrupt has one length", `byte ${bytes.length}`);
  }
  const keyGeneration = bytes[GENERATION] as number;
  if (keyGeneration > MAX_KEY_GENERATION) {
    return refuse("interrupt-malformed", "key generation", `byte ${GENERATION}`);
  }
  const epoch = readU32(bytes, EPOCH);
  if (epoch === 0) return refuse("interrupt-malformed", "epochs begin at 1", `byte ${EPOCH}`);
  return ok({
    sessionDigest: bytes.slice(0, SESSION_DIGEST_BYTES),
    leg: readU16(bytes, LEG),
    speakerLeg: readU16(bytes, SPEAKER),
    stream: readU32(bytes, STREAM),
    keyGeneration,
    epoch,
    time: { seconds: readU32(bytes, TIME), fraction: readU32(bytes, TIME + 4) },
  });
}

/** True when `bytes`, a whole interrupt, carries the signature of `publicKey` (32 raw bytes). Never throws. */
export function verifyInterrupt(bytes: Uint8Array, publicKey: Uint8Array, verifier: Verifier): boolean {
  return signatureHolds(INTERRUPT_DOMAIN, bytes, publicKey, verifier);
}

/** SHA-256 of a whole interrupt, signature included: how records name it. */
export function interruptDigest(bytes: Uint8Array): Uint8Array {
  return statementDigest(bytes);
}

const LEG = SESSION_DIGEST_BYTES;
const SPEAKER = LEG + 2;
const STREAM = SPEAKER + 2;
const GENERATION = STREAM + 4;
const EPOCH = GENERATION + 1;
const TIME = EPOCH + 4;
const BODY_BYTES = INTERRUPT_BYTES - STATEMENT_SIGNATURE_BYTES;
