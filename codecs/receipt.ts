/**
 * Receipts: the listener's signed, chained statements of what arrived from one stream and what was heard of it.
 * Layout in `docs/wire-media.md`.
 */
import { readU16, readU32, readU48, writeU16, writeU32, writeU48 } from "./big-endian.ts";
import { MAX_U16, MAX_U32, requireInteger, requireLength } from "./field-range.ts";
import { MAX_KEY_GENERATION, SESSION_DIGEST_BYTES } from "./frame-layout.ts";
import type { NtpTime } from "./ntp.ts";
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

/** First bytes of what a receipt's signature covers; never sent. */
const RECEIPT_DOMAIN = "\0parley receipt v1\0";

/** Most ranges of each kind in one receipt; a listener that has more to say makes another receipt. */
export const MAX_RECEIPT_RANGES = 256;

/** Longest receipt, bytes: what a reader of its stream allows. */
export const MAX_RECEIPT_BYTES = 138 + 2 * (2 + MAX_RECEIPT_RANGES * 12) + STATEMENT_SIGNATURE_BYTES;

/** Sequence numbers `first` to `last`, both included. */
export interface SequenceRange {
  readonly first: number;
  readonly last: number;
}

/** Frames of the stream since the first receipt with the same key, by what became of them at the listener. 48 bits each. */
export interface ReceiptTotals {
  /** Arrived and verified. */
  readonly received: number;
  /** Played. */
  readonly heard: number;
  /** Frame times filled by concealment. */
  readonly concealed: number;
  /** Arrived after their time. */
  readonly late: number;
  /** Arrived and did not verify. */
  readonly refused: number;
}

/** How far a stream was really played. */
export interface PlayedPosition {
  /** The last frame of which something was played. */
  readonly sequence: number;
  /** How many of its samples, per channel, as its speaker sent it: in what time they were played does not count. */
  readonly samples: number;
  /** Its media epoch. */
  readonly epoch: number;
  /** When the last of them was played, by the listener's clock. */
  readonly time: NtpTime;
}

/** What a receipt says. */
export interface Receipt {
  /** 32 bytes. */
  readonly sessionDigest: Uint8Array;
  readonly listenerLeg: number;
  readonly speakerLeg: number;
  readonly stream: number;
  /** Generation of the listener's media key that signs, 0 to 15. */
  readonly keyGeneration: number;
  /** The listener's last one on this stream. */
  readonly final: boolean;
  /** 0 for the first of the stream, then one more each. */
  readonly index: number;
  /** `receiptDigest` of the one before, 32 bytes; zeros in the first and only there. */
  readonly previous: Uint8Array;
  /** When it was made, by the listener's clock. */
  readonly time: NtpTime;
  readonly totals: ReceiptTotals;
  /** Where playing has come to; undefined where nothing was played yet, or the stream is not for playing. */
  readonly played?: PlayedPosition | undefined;
  /** New since the one before: sorted, and with a gap between each and the next. */
  readonly received: readonly SequenceRange[];
  readonly heard: readonly SequenceRange[];
}

/** The signed bytes of a receipt, new. Throws `field-invalid` naming the field that breaks a rule above. */
export function encodeReceipt(receipt: Receipt, signer: Signer): Uint8Array {
  checkFields(receipt);
  const ranges = receipt.received.length + receipt.heard.length;
  const { played } = receipt;
  const fixed = FIXED_BYTES + (played === undefined ? 0 : PLAYED_BYTES);
  const body = new Uint8Array(fixed + 2 * COUNT_BYTES + ranges * RANGE_BYTES);
  body.set(receipt.sessionDigest, 0);
  writeU16(body, LISTENER, receipt.listenerLeg);
  writeU16(body, SPEAKER, receipt.speakerLeg);
  writeU32(body, STREAM, receipt.stream);
  body[GENERATION] = receipt.keyGeneration;
  body[FLAGS] = (receipt.final ? FLAG_FINAL : 0) | (played === undefined ? 0 : FLAG_PLAYED);
  writeU32(body, INDEX, receipt.index);
  body.set(receipt.previous, PREVIOUS);
  writeU32(body, TIME, receipt.time.seconds);
  writeU32(body, TIME + 4, receipt.time.fraction);
  let at = TOTALS;
  for (const name of TOTAL_NAMES) at = writeU48(body, at, receipt.totals[name]);
  if (played !== undefined) at = writePlayed(body, at, played);
  at = writeRanges(body, at, receipt.received);
  writeRanges(body, at, receipt.heard);
  return signStatement(RECEIPT_DOMAIN, body, signer);
}

/**
 * Reads a receipt that fills `bytes`. Refuses with `receipt-malformed` and the byte at fault. Checks form only: see
 * `verifyReceipt`. The result keeps no reference to `bytes`. Never throws.
 */
export function parseReceipt(bytes: Uint8Array): Result<Receipt> {
  const end = bytes.length - STATEMENT_SIGNATURE_BYTES;
  if (end < FIXED_BYTES + 2 * COUNT_BYTES) return malformed("too short", bytes.length);
  const flags = bytes[FLAGS] as number;
  if ((flags & ~(FLAG_FINAL | FLAG_PLAYED)) !== 0) return malformed("unknown flag", FLAGS);
  const isPlayed = (flags & FLAG_PLAYED) !== 0;
  const fixed = FIXED_BYTES + (isPlayed ? PLAYED_BYTES : 0);
  if (end < fixed + 2 * COUNT_BYTES) return malformed("too short", bytes.length);
  if ((bytes[GENERATION] as number) > MAX_KEY_GENERATION) return malformed("key generation", GENERATION);
  const previous = bytes.slice(PREVIOUS, PREVIOUS + 32);
  const index = readU32(bytes, INDEX);
  if (previous.every((byte) => byte === 0) !== (index === 0)) {
    return malformed("previous is zeros exactly in the first receipt", PREVIOUS);
  }
  const received = readRanges(bytes, fixed, end);
  if (!received.ok) return received;
  const heardAt = fixed + COUNT_BYTES + received.value.length * RANGE_BYTES;
  const heard = readRanges(bytes, heardAt, end);
  if (!heard.ok) return heard;
  const rangesEnd = heardAt + COUNT_BYTES + heard.value.length * RANGE_BYTES;
  if (rangesEnd !== end) return malformed("bytes between ranges and signature", rangesEnd);
  return ok({
    sessionDigest: bytes.slice(0, SESSION_DIGEST_BYTES),
    listenerLeg: readU16(bytes, LISTENER),
    speakerLeg: readU16(bytes, SPEAKER),
    stream: readU32(bytes, STREAM),
    keyGeneration: bytes[GENERATION] as number,
    final: (flags & FLAG_FINAL) !== 0,
    index,
    previous,
    time: { seconds: readU32(bytes, TIME), fraction: readU32(bytes, TIME + 4) },
    totals: {
      received: readU48(bytes, TOTALS),
      heard: readU48(bytes, TOTALS + 6),
      concealed: readU48(bytes, TOTALS + 12),
      late: readU48(bytes, TOTALS + 18),
      refused: readU48(bytes, TOTALS + 24),
    },
    ...(isPlayed ? { played: readPlayed(bytes, FIXED_BYTES) } : {}),
    received: received.value,
    heard: heard.value,
  });
}

/** True when `bytes`, a whole receipt, carries the signature of `publicKey` (32 raw bytes). Never throws. */
export function verifyReceipt(bytes: Uint8Array, publicKey: Uint8Array, verifier: Verifier): boolean {
  return signatureHolds(RECEIPT_DOMAIN, bytes, publicKey, verifier);
}

/** What the next receipt names as `previous`: SHA-256 of the whole one, signature included. */
export function receiptDigest(bytes: Uint8Array): Uint8Array {
  return statementDigest(bytes);
}

function writePlayed(target: Uint8Array, offset: number, played: PlayedPosition): number {
  let at = writeU48(target, offset, played.sequence);
  at = writeU32(target, at, played.samples);
  at = writeU32(target, at, played.epoch);
  at = writeU32(target, at, played.time.seconds);
  return writeU32(target, at, played.time.fraction);
}

function readPlayed(bytes: Uint8Array, at: number): PlayedPosition {
  return {
    sequence: readU48(bytes, at),
    samples: readU32(bytes, at + 6),
    epoch: readU32(bytes, at + 10),
    time: { seconds: readU32(bytes, at + 14), fraction: readU32(bytes, at + 18) },
  };
}

function writeRanges(target: Uint8Array, offset: number, ranges: readonly SequenceRange[]): number {
  let at = writeU16(target, offset, ranges.length);
  for (const range of ranges) {
    at = writeU48(target, at, range.first);
    at = writeU48(target, at, range.last);
  }
  return at;
}

function readRanges(bytes: Uint8Array, offset: number, end: number): Result<SequenceRange[]> {
  if (offset + COUNT_BYTES > end) return malformed("too short", end);
  const count = readU16(bytes, offset);
  if (count > MAX_RECEIPT_RANGES) return malformed("too many ranges", offset);
  let at = offset + COUNT_BYTES;
  if (at + count * RANGE_BYTES > end) return malformed("ranges pass the end", offset);
  const ranges: SequenceRange[] = [];
  for (; ranges.length < count; at += RANGE_BYTES) {
    const range = { first: readU48(bytes, at), last: readU48(bytes, at + 6) };
    if (!follows(ranges.at(-1), range)) return malformed("ranges out of order or touching", at);
    ranges.push(range);
  }
  return ok(ranges);
}

/** Whether `range` is one and leaves a gap after `before`. */
function follows(before: SequenceRange | undefined, range: SequenceRange): boolean {
  return range.first <= range.last && (before === undefined || range.first > before.last + 1);
}

function checkFields(receipt: Receipt): void {
  requireLength(receipt.sessionDigest, SESSION_DIGEST_BYTES, "sessionDigest");
  requireInteger(receipt.listenerLeg, MAX_U16, "listenerLeg");
  requireInteger(receipt.speakerLeg, MAX_U16, "speakerLeg");
  requireInteger(receipt.stream, MAX_U32, "stream");
  requireInteger(receipt.keyGeneration, MAX_KEY_GENERATION, "keyGeneration");
  requireInteger(receipt.index, MAX_U32, "index");
  requireLength(receipt.previous, 32, "previous");
  if (receipt.previous.every((byte) => byte === 0) !== (receipt.index === 0)) {
    throw new ParleyError({ code: "field-invalid", message: "zeros exactly in the first", at: "previous" });
  }
  requireInteger(receipt.time.seconds, MAX_U32, "time");
  requireInteger(receipt.time.fraction, MAX_U32, "time");
  for (const name of TOTAL_NAMES) requireInteger(receipt.totals[name], MAX_SEQUENCE, `totals.${name}`);
  if (receipt.played !== undefined) {
    const { sequence, samples, epoch, time } = receipt.played;
    requireInteger(sequence, MAX_SEQUENCE, "played.sequence");
    requireInteger(samples, MAX_U32, "played.samples");
    requireInteger(epoch, MAX_U32, "played.epoch");
    requireInteger(time.seconds, MAX_U32, "played.time");
    requireInteger(time.fraction, MAX_U32, "played.time");
  }
  for (const field of ["received", "heard"] as const) {
    requireInteger(receipt[field].length, MAX_RECEIPT_RANGES, `${field}.length`);
    let before: SequenceRange | undefined;
    for (const range of receipt[field]) {
      requireInteger(range.first, MAX_SEQUENCE, field);
      requireInteger(range.last, MAX_SEQUENCE, field);
      if (!follows(before, range)) {
        throw new ParleyError({ code: "field-invalid", message: "out of order or touching", at: field });
      }
      before = range;
    }
  }
}

function malformed(message: string, offset: number): Result<never> {
  return refuse("receipt-malformed", message, `byte ${offset}`);
}

const TOTAL_NAMES = ["received", "heard", "concealed", "late", "refused"] as const;
const FLAG_FINAL = 1;
const FLAG_PLAYED = 2;
const COUNT_BYTES = 2;
const RANGE_BYTES = 12;
const LISTENER = SESSION_DIGEST_BYTES;
const SPEAKER = LISTENER + 2;
const STREAM = SPEAKER + 2;
const GENERATION = STREAM + 4;
const FLAGS = GENERATION + 1;
const INDEX = FLAGS + 1;
const PREVIOUS = INDEX + 4;
const TIME = PREVIOUS + 32;
const TOTALS = TIME + 8;
const FIXED_BYTES = TOTALS + 30;
const PLAYED_BYTES = 22;
