import { type ArrivedPiece, PIECE_BYTES } from "./unit-stream.ts";
import { MAX_VARINT_BYTES, readVarint, varintLength } from "./varint.ts";

/**
 * Counts the pieces of a flow's one long stream as its bytes come: those of each item begin with its length, the last one of an item may have
 * fewer bytes, and numbers go on from item to item. Keeps nothing of what it is shown, and judges nothing.
 */
export class ItemPieces {
  readonly #varint = new Uint8Array(MAX_VARINT_BYTES);
  #have = 0;
  #isBegun = false;
  /** Bytes of the present item that have yet to come; 0 between items. */
  #missing = 0;
  /** Bytes of the piece that is not whole. */
  #partial = 0;
  #next = 0;

  /** Takes the stream's next bytes, its flow identifier first; returns the pieces that are whole now. */
  push(chunk: Uint8Array): ArrivedPiece[] {
    const pieces: ArrivedPiece[] = [];
    let at = 0;
    while (at < chunk.length) {
      if (this.#missing === 0) {
        this.#varint[this.#have++] = chunk[at++] as number;
        if (this.#have === varintLength(this.#varint[0] as number)) this.#takeVarint(pieces);
        continue;
      }
      const taken = Math.min(chunk.length - at, this.#missing, PIECE_BYTES - this.#partial);
      at += taken;
      this.#missing -= taken;
      this.#partial += taken;
      this.#settle(pieces);
    }
    return pieces;
  }

  #takeVarint(pieces: ArrivedPiece[]): void {
    const length = this.#have;
    const value = readVarint(this.#varint, 0, length);
    this.#have = 0;
    if (!this.#isBegun) {
      this.#isBegun = true;
      return;
    }
    this.#missing = value;
    this.#partial = length;
    this.#settle(pieces);
  }

  #settle(pieces: ArrivedPiece[]): void {
    if (this.#missing > 0 && this.#partial < PIECE_BYTES) return;
    if (this.#partial > 0) pieces.push({ number: this.#next++, bytes: this.#partial });
    this.#partial = 0;
  }
}
