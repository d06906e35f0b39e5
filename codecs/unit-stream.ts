/**
 * Framing of a unidirectional stream with one video unit: flow identifier, number of its first piece, length, packet, all integers QUIC
 * varints. And how bytes of streams are counted in pieces, which is what hops pace and reports are about.
 */
import { MAX_FRAME_BYTES } from "./frame-layout.ts";
import { type Fault, refuse } from "./result.ts";
import { MAX_VARINT_BYTES, readVarint, varintLength, varintSize, writeVarint } from "./varint.ts";

/** Longest unit, bytes of its packet. */
export const MAX_UNIT_BYTES = MAX_FRAME_BYTES;

/** Bytes of one piece of a stream's item, its length included; the last one of an item may have fewer. */
export const PIECE_BYTES = 1_100;

/** Pieces of an item whose content has so many bytes. */
export function piecesOf(length: number): number {
  return Math.ceil((varintSize(length) + length) / PIECE_BYTES);
}

/** What a unit's stream begins with, before the item. */
export function encodeUnitStart(flow: number, firstPiece: number): Uint8Array {
  const bytes = new Uint8Array(varintSize(flow) + varintSize(firstPiece));
  writeVarint(bytes, writeVarint(bytes, 0, flow), firstPiece);
  return bytes;
}

/** A unit's item: length and packet. */
export function encodeUnitItem(packet: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(varintSize(packet.length) + packet.length);
  bytes.set(packet, writeVarint(bytes, 0, packet.length));
  return bytes;
}

/** A piece that came whole. */
export interface ArrivedPiece {
  readonly number: number;
  readonly bytes: number;
}

/**
 * Reads one unit's stream from chunks, wherever they were cut, in memory that grows as bytes arrive and not by what a length promises. Nothing
 * may follow the one packet.
 */
export class UnitStreamReader {
  readonly #maxBytes: number;
  readonly #head: number[] = [];
  readonly #varint = new Uint8Array(MAX_VARINT_BYTES);
  #have = 0;
  #packet: Uint8Array = EMPTY;
  #filled = 0;
  #told = 0;
  #fault: Fault | undefined;

  /** `maxBytes`: of the packet. */
  constructor(maxBytes: number = MAX_UNIT_BYTES) {
    this.#maxBytes = maxBytes;
  }

  get flow(): number | undefined {
    return this.#head[0];
  }

  /** Why the stream is worth no more. */
  get fault(): Fault | undefined {
    return this.#fault;
  }

  /** Bytes held. */
  get bytes(): number {
    return this.#packet.length;
  }

  /** The packet, once it came whole. */
  get packet(): Uint8Array | undefined {
    const length = this.#head[LENGTH];
    return length !== undefined && this.#filled === length && this.#fault === undefined
      ? this.#packet.subarray(0, length)
      : undefined;
  }

  /** Takes the next bytes, which are copied. After a fault nothing changes any more. */
  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length && this.#fault === undefined) {
      const length = this.#head[LENGTH];
      if (length === undefined) {
        this.#varint[this.#have++] = chunk[at++] as number;
        if (this.#have === varintLength(this.#varint[0] as number)) this.#takeVarint();
      } else if (this.#filled === length) {
        this.#refuse("something follows the unit");
      } else {
        const end = Math.min(chunk.length, at + length - this.#filled);
        this.#take(chunk.subarray(at, end), length);
        at = end;
      }
    }
  }

  /** The peer finished the stream. */
  end(): void {
    if (this.#fault === undefined && this.packet === undefined)
      this.#refuse("the stream ends inside its unit");
  }

  /** The next piece that came whole and was not told of; `undefined` when there is none. */
  arrived(): ArrivedPiece | undefined {
    const [, first, length] = this.#head;
    if (first === undefined || length === undefined) return undefined;
    const item = varintSize(length) + length;
    const came = varintSize(length) + this.#filled;
    const begin = this.#told * PIECE_BYTES;
    const end = Math.min(item, begin + PIECE_BYTES);
    if (begin >= item || came < end) return undefined;
    const number = first + this.#told;
    this.#told += 1;
    return { number, bytes: end - begin };
  }

  #takeVarint(): void {
    const value = readVarint(this.#varint, 0, this.#have);
    this.#have = 0;
    if (this.#head.length < LENGTH) {
      if (!Number.isSafeInteger(value + this.#maxBytes)) this.#refuse("a number is past 2^53-1");
    } else if (value === 0) this.#refuse("the unit is empty");
    else if (value > this.#maxBytes) this.#refuse(`the unit is longer than ${this.#maxBytes} bytes`);
    this.#head.push(value);
  }

  #take(bytes: Uint8Array, length: number): void {
    const filled = this.#filled + bytes.length;
    if (filled > this.#packet.length) {
      const larger = new Uint8Array(Math.min(length, Math.max(filled, 2 * this.#packet.length, FIRST_BYTES)));
      larger.set(this.#packet.subarray(0, this.#filled));
      this.#packet = larger;
    }
    this.#packet.set(bytes, this.#filled);
    this.#filled = filled;
  }

  #refuse(message: string): void {
    this.#fault = refuse("stream-malformed", message, "unit").fault;
    this.#packet = EMPTY;
    this.#filled = 0;
  }
}

/** Index of the length among the numbers at the head. */
const LENGTH = 2;
const FIRST_BYTES = 2_048;
const EMPTY = new Uint8Array(0);
