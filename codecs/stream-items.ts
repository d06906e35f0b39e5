/**
 * Framing of unidirectional media streams: a flow identifier, then items, each a length and that many bytes
 * (draft-ietf-avtcore-rtp-over-quic, streams). Identifier and lengths are QUIC varints.
 */
import { MAX_FRAME_BYTES } from "./frame-layout.ts";
import { ParleyError } from "./parley-error.ts";
import { type Fault, refuse } from "./result.ts";
import { MAX_VARINT_BYTES, readVarint, varintLength, varintSize, writeVarint } from "./varint.ts";

/** Longest item a reader takes unless told less: a whole media frame. */
export const MAX_STREAM_ITEM_BYTES = MAX_FRAME_BYTES;

/** What one chunk of a stream completed. */
export interface StreamItems {
  /** Whole items in order; each may be a view on the chunk that was pushed. */
  readonly items: readonly Uint8Array[];
  /** Set when the framing broke after those items: the stream is worth no more. */
  readonly fault: Fault | undefined;
}

/**
 * Reads one stream from chunks, wherever they were cut. It holds at most one unfinished item, in memory that grows as
 * bytes arrive and not by what a length promises; nothing is dropped, a stream that asks for more is refused.
 */
export class StreamItemReader {
  /** Longest item taken, bytes. May be lowered once the flow is known; an unfinished longer item is then refused too. */
  maxItemBytes: number;
  #flow: number | undefined;
  #fault: Fault | undefined;
  #offset: number;
  /** An unfinished varint, one before each item and one at the start. */
  readonly #varint: Uint8Array;
  #varintHave: number;
  /** Length of the item being read; undefined while its varint is not complete. */
  #wanted: number | undefined;
  #partial: Uint8Array;
  #have: number;

  constructor(maxItemBytes: number = MAX_STREAM_ITEM_BYTES) {
    this.maxItemBytes = maxItemBytes;
    this.#flow = undefined;
    this.#fault = undefined;
    this.#offset = 0;
    this.#varint = new Uint8Array(MAX_VARINT_BYTES);
    this.#varintHave = 0;
    this.#wanted = undefined;
    this.#partial = EMPTY;
    this.#have = 0;
  }

  /** The flow identifier, once its bytes have come. */
  get flow(): number | undefined {
    return this.#flow;
  }

  /**
   * Takes the next bytes and returns the items they complete, with `stream-malformed` when an item is empty or longer
   * than `maxItemBytes`, or the flow identifier is past 2^53-1. After a fault every further call returns it again.
   */
  push(chunk: Uint8Array): StreamItems {
    const items: Uint8Array[] = [];
    let at = 0;
    if (this.#wanted !== undefined) this.#checkLength(this.#wanted);
    while (at < chunk.length && this.#fault === undefined) {
      if (this.#wanted !== undefined) {
        const end = Math.min(at + this.#wanted - this.#have, chunk.length);
        this.#take(chunk.subarray(at, end), this.#wanted, items);
        this.#offset += end - at;
        at = end;
      } else {
        this.#varint[this.#varintHave++] = chunk[at++] as number;
        this.#offset++;
        if (this.#varintHave === varintLength(this.#varint[0] as number)) this.#takeVarint();
      }
    }
    return { items, fault: this.#fault };
  }

  /** Says that the stream ended. Returns `stream-malformed` unless it did so between items, after a flow identifier. */
  end(): Fault | undefined {
    if (this.#fault === undefined) {
      if (this.#wanted !== undefined || this.#varintHave > 0) this.#refuse("the stream ends inside an item");
      else if (this.#flow === undefined) this.#refuse("the stream ends before its flow identifier");
    }
    return this.#fault;
  }

  #takeVarint(): void {
    const value = readVarint(this.#varint, 0, this.#varintHave);
    this.#varintHave = 0;
    if (this.#flow !== undefined) {
      if (this.#checkLength(value)) this.#wanted = value;
    } else if (Number.isFinite(value)) {
      this.#flow = value;
    } else {
      this.#refuse("the flow identifier is past 2^53-1");
    }
  }

  #checkLength(length: number): boolean {
    if (length === 0) this.#refuse("an item is empty");
    else if (length > this.maxItemBytes) this.#refuse(`an item is longer than ${this.maxItemBytes} bytes`);
    return this.#fault === undefined;
  }

  /** Takes the next bytes of an item of `wanted` bytes, at most what it still lacks. */
  #take(bytes: Uint8Array, wanted: number, items: Uint8Array[]): void {
    const have = this.#have + bytes.length;
    if (have === wanted && this.#have === 0) {
      items.push(bytes);
    } else {
      if (have > this.#partial.length) {
        const larger = new Uint8Array(
          Math.min(wanted, Math.max(have, 2 * this.#partial.length, FIRST_BYTES)),
        );
        larger.set(this.#partial);
        this.#partial = larger;
      }
      this.#partial.set(bytes, this.#have);
      this.#have = have;
      if (have < wanted) return;
      items.push(this.#partial);
      this.#partial = EMPTY;
      this.#have = 0;
    }
    this.#wanted = undefined;
  }

  #refuse(message: string): void {
    this.#fault = refuse("stream-malformed", message, `byte ${this.#offset}`).fault;
    this.#partial = EMPTY;
    this.#have = 0;
    this.#wanted = undefined;
  }
}

/** What a stream begins with: its flow identifier. Throws `field-invalid` unless it is an integer of 0 to 2^53-1. */
export function encodeStreamStart(flow: number): Uint8Array {
  const bytes = new Uint8Array(varintSize(flow));
  writeVarint(bytes, 0, flow);
  return bytes;
}

/**
 * Items ready for one write to a stream, lengths included: several at once cost a carrier much less than one by one.
 * Throws `field-invalid` when one is empty or longer than `MAX_STREAM_ITEM_BYTES`.
 */
export function encodeStreamItems(items: readonly Uint8Array[]): Uint8Array {
  let size = 0;
  for (const item of items) {
    if (item.length === 0 || item.length > MAX_STREAM_ITEM_BYTES) {
      throw new ParleyError({
        code: "field-invalid",
        message: `must have 1 to ${MAX_STREAM_ITEM_BYTES} bytes`,
        at: "item",
      });
    }
    size += varintSize(item.length) + item.length;
  }
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const item of items) {
    at = writeVarint(bytes, at, item.length);
    bytes.set(item, at);
    at += item.length;
  }
  return bytes;
}

const EMPTY = new Uint8Array(0);
/** First allocation for an item that is cut between chunks. */
const FIRST_BYTES = 2048;
