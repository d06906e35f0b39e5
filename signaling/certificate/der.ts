import { ok, type Result } from "../../codecs/result.ts";
import { type CertificateFlaw, flawed } from "./flaws.ts";

/** Tags of the elements that certificates are made of (X.690, section 8). */
export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
} as const;

/** The tag of a context-specific element that holds others, e.g. `[3]`. */
export function context(number: number): number {
  return 0xa0 | number;
}

/** One element: its tag, what it holds, and the whole of it as it was written. Views on the bytes read. */
export interface DerElement {
  readonly tag: number;
  readonly content: Uint8Array;
  readonly whole: Uint8Array;
  /** Offset of the content in what was read first of all. */
  readonly at: number;
}

/** Longest object identifier, bytes: room for the 128-bit arcs of AGTP's. */
const MAX_OID_BYTES = 40;

/** Bytes that are not DER, thrown inside a reading and told by {@link readDer} as a flaw. */
class DerError extends Error {
  readonly at: number;
  readonly flaw: CertificateFlaw;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(why: string, at: number, flaw: CertificateFlaw, details: Readonly<Record<string, unknown>>) {
    super(why);
    this.at = at;
    this.flaw = flaw;
    this.details = details;
  }
}

/**
 * Reads bytes with a reader, all of them: what it fails at is told as a flaw, with the byte at which it stands. Elements are never read
 * deeper than the reader asks, so the work grows with the bytes alone.
 */
export function readDer<Value>(bytes: Uint8Array, read: (reader: DerReader) => Value): Result<Value> {
  const reader = new DerReader(bytes, 0);
  try {
    const value = read(reader);
    reader.end();
    return ok(value);
  } catch (error) {
    if (!(error instanceof DerError)) throw error;
    return flawed(error.flaw, error.message, `byte ${error.at}`, error.details);
  }
}

/** Elements one behind the other, in DER: definite lengths in their shortest form, tags of one byte. */
export class DerReader {
  readonly #bytes: Uint8Array;
  readonly #base: number;
  #offset = 0;

  /** `base`: where `bytes` begin in what is read as a whole. */
  constructor(bytes: Uint8Array, base: number) {
    this.#bytes = bytes;
    this.#base = base;
  }

  /** Whether nothing is left. */
  get isOver(): boolean {
    return this.#offset >= this.#bytes.length;
  }

  /** Ends the reading with a flaw of what was read. */
  fail(why: string, flaw: CertificateFlaw = "malformed", details = {}): never {
    throw new DerError(why, this.#base + this.#offset, flaw, details);
  }

  /** The next element, of this tag. */
  read(tag: number, what: string): DerElement {
    const element = this.any(what);
    if (element.tag !== tag) this.fail(`This is not ${what}.`);
    return element;
  }

  /** The next element if it is of this tag. */
  optional(tag: number, what: string): DerElement | undefined {
    return this.#bytes[this.#offset] === tag && !this.isOver ? this.any(what) : undefined;
  }

  /** The next element, whatever it is. */
  any(what: string): DerElement {
    const start = this.#offset;
    const tag = this.#byte(what);
    if ((tag & 0x1f) === 0x1f) this.fail("Tags of more than one byte are not for certificates.");
    const length = this.#length(what);
    const from = this.#offset;
    if (length > this.#bytes.length - from) this.fail(`The bytes end inside ${what}.`);
    this.#offset = from + length;
    return {
      tag,
      content: this.#bytes.subarray(from, this.#offset),
      whole: this.#bytes.subarray(start, this.#offset),
      at: this.#base + from,
    };
  }

  /** The elements inside the next one. */
  inside(tag: number, what: string): DerReader {
    const { content, at } = this.read(tag, what);
    return new DerReader(content, at);
  }

  /** A whole number in its shortest form, as its bytes (two's complement). */
  integer(what: string): Uint8Array {
    const { content } = this.read(TAG.integer, what);
    const [first, second = 0] = content;
    const isPadded =
      content.length > 1 && ((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80));
    if (first === undefined || isPadded) this.fail(`${what} is not in its shortest form.`);
    return content;
  }

  /** A number from 0 to 127. */
  smallInteger(what: string): number {
    const [value, ...more] = this.integer(what);
    if (value === undefined || value > 127 || more.length > 0) this.fail(`${what} is out of range.`);
    return value as number;
  }

  /** Whether something is so; false where nothing is said. */
  flag(what: string): boolean {
    const element = this.optional(TAG.boolean, what);
    const [value = 0, ...more] = element?.content ?? [];
    if (element?.content.length === 0 || more.length > 0 || (value !== 0 && value !== 0xff))
      this.fail(`${what} is neither true nor false.`);
    return value === 0xff;
  }

  /** The bytes of a bit string without unused bits. */
  bitString(what: string): Uint8Array {
    const { content } = this.read(TAG.bitString, what);
    if (content[0] !== 0) this.fail(`${what} does not end with a byte.`);
    return content.subarray(1);
  }

  /** The bits that are set in a bit string of names, the first one 0. */
  bits(what: string): ReadonlySet<number> {
    const { content } = this.read(TAG.bitString, what);
    const unused = content[0] ?? 8;
    if (unused > 7 || content.length > MAX_NAMED_BYTES) this.fail(`${what} is no list of bits.`);
    const set = new Set<number>();
    for (let bit = 0; bit < (content.length - 1) * 8 - unused; bit++)
      if (((content[1 + (bit >> 3)] as number) << (bit & 7)) & 0x80) set.add(bit);
    return set;
  }

  /** An object identifier in dotted form. */
  oid(what: string): string {
    const { content } = this.read(TAG.oid, what);
    if (content.length === 0 || content.length > MAX_OID_BYTES) this.fail(`${what} is of no known kind.`);
    const arcs: bigint[] = [];
    let arc = 0n;
    let isInside = false;
    for (const byte of content) {
      if (!isInside && byte === 0x80) this.fail(`${what} is not in its shortest form.`);
      arc = (arc << 7n) | BigInt(byte & 0x7f);
      isInside = byte >= 0x80;
      if (isInside) continue;
      arcs.push(arc);
      arc = 0n;
    }
    if (isInside) this.fail(`${what} is cut short.`);
    const [first = 0n, ...others] = arcs;
    const top = first < 80n ? first / 40n : 2n;
    return [top, first - top * 40n, ...others].join(".");
  }

  /** Nothing may be left. */
  end(): void {
    if (!this.isOver) this.fail("More follows than belongs here.");
  }

  #byte(what: string): number {
    const byte = this.#bytes[this.#offset];
    if (byte === undefined) this.fail(`${what} is missing.`);
    this.#offset++;
    return byte as number;
  }

  #length(what: string): number {
    const first = this.#byte(what);
    if (first < 0x80) return first;
    const count = first & 0x7f;
    if (count === 0 || count > MAX_LENGTH_BYTES) this.fail(`${what} has no length that fits.`);
    let length = 0;
    for (let i = 0; i < count; i++) length = length * 256 + this.#byte(what);
    if (length < 0x80 || length < 256 ** (count - 1))
      this.fail(`The length of ${what} is not in its shortest form.`);
    return length;
  }
}

/** Bytes that a length takes at most: certificates are far smaller than what three can say. */
const MAX_LENGTH_BYTES = 3;
const MAX_NAMED_BYTES = 5;
