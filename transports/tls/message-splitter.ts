import { type Fault, refuse } from "../../codecs/result.ts";
import { readVarint, varintLength, varintSize, writeVarint } from "../../codecs/varint.ts";
import { MAX_MESSAGE_BYTES } from "../mux/frames.ts";

/**
 * Finds the messages in a stream of bytes where each comes behind its length, however the bytes are cut. It holds the message in
 * progress and no more, in room that grows as bytes come.
 */
export class MessageSplitter {
  readonly #take: (message: Uint8Array) => void;
  /** The length and the message in progress, as far as they came. */
  #held = new Uint8Array();
  #heldLength = 0;
  #fault: Fault | undefined;

  /** `take` gets each message when it is whole; its bytes are valid during the call only. */
  constructor(take: (message: Uint8Array) => void) {
    this.#take = take;
  }

  /** The next bytes. Returns the fault (`mux-malformed`) once there is one, and ever after. */
  push(bytes: Uint8Array): Fault | undefined {
    let rest = bytes;
    while (rest.length > 0 && this.#fault === undefined)
      rest = rest.subarray(this.#heldLength === 0 ? this.#begin(rest) : this.#goOn(rest));
    return this.#fault;
  }

  /** Reads at the beginning of a message; returns how many bytes were used. */
  #begin(bytes: Uint8Array): number {
    const end = wanted(bytes, bytes.length);
    if (end === undefined) return this.#refuse();
    if (end > bytes.length) {
      this.#hold(bytes);
      return bytes.length;
    }
    this.#take(bytes.subarray(varintLength(bytes[0] as number), end));
    return end;
  }

  /** Reads on in what is held, up to the end of the length first; returns how many bytes were used. */
  #goOn(bytes: Uint8Array): number {
    const next = wanted(this.#held, this.#heldLength) as number;
    const part = bytes.subarray(0, next - this.#heldLength);
    this.#hold(part);
    const end = wanted(this.#held, this.#heldLength);
    if (end === undefined) return this.#refuse();
    if (end === this.#heldLength) {
      const message = this.#held.subarray(varintLength(this.#held[0] as number), end);
      this.#drop();
      this.#take(message);
    }
    return part.length;
  }

  #hold(part: Uint8Array): void {
    const length = this.#heldLength + part.length;
    if (length > this.#held.length) {
      const room = new Uint8Array(Math.max(length, 2 * this.#held.length));
      room.set(this.#held.subarray(0, this.#heldLength));
      this.#held = room;
    }
    this.#held.set(part, this.#heldLength);
    this.#heldLength = length;
  }

  #drop(): void {
    this.#held = new Uint8Array();
    this.#heldLength = 0;
  }

  #refuse(): number {
    this.#drop();
    const why = `The message is malformed: its length is not from 1 to ${MAX_MESSAGE_BYTES}.`;
    this.#fault = refuse("mux-malformed", why).fault;
    return 0;
  }
}

/** The message behind its length. */
export function withLength(message: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(varintSize(message.length) + message.length);
  bytes.set(message, writeVarint(bytes, 0, message.length));
  return bytes;
}

/** Where the length ends while it is cut off, else where its message ends; `undefined` for a length that no message has. */
function wanted(bytes: Uint8Array, length: number): number | undefined {
  const head = varintLength(bytes[0] as number);
  const size = readVarint(bytes, 0, length);
  if (Number.isNaN(size)) return head;
  return size === 0 || size > MAX_MESSAGE_BYTES ? undefined : head + size;
}
