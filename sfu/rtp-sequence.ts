import { extendSequence } from "../codecs/sequence.ts";

/** A number so much further on than all before it, or so much further back, is of no packet that could be waited for (RFC 3550 appendix A.1 has 3,000 and 100). */
const MOST_AHEAD = 3_000;
const MOST_BEHIND = 1_000;

/** Where one packet stands among all of its source. */
export interface PlacedPacket {
  /** Goes on where the 16 bits wrap, and never comes again. */
  readonly place: number;
  /** The sender began anew: nothing before it belongs to it. */
  readonly isRestart: boolean;
}

/** Places the packets of one source by their 16-bit sequence numbers. */
export class RtpSequence {
  #highest: number | undefined;
  /** What follows a number that was far from all before it: two in a row are a sender that began anew. */
  #expected: number | undefined;

  /** `undefined`: far from everything, and maybe the first after the sender began anew. */
  place(sequence: number): PlacedPacket | undefined {
    const highest = this.#highest;
    if (highest === undefined) {
      this.#highest = 0x10000 + sequence;
      return { place: this.#highest, isRestart: false };
    }
    const place = extendSequence(highest, sequence);
    if (place - highest <= MOST_AHEAD && highest - place <= MOST_BEHIND) {
      this.#expected = undefined;
      this.#highest = Math.max(highest, place);
      return { place, isRestart: false };
    }
    if (sequence !== this.#expected) {
      this.#expected = (sequence + 1) & 0xffff;
      return undefined;
    }
    this.#expected = undefined;
    this.#highest = (Math.floor(highest / 0x10000) + 2) * 0x10000 + sequence;
    return { place: this.#highest, isRestart: true };
  }
}
