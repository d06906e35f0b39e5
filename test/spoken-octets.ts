/** Looks for what was spoken where nothing of it may be. */
import { encodeG711Sample } from "../codecs/g711.ts";

/** Octets in a row that chance does not repeat. */
const RUN = 16;

/** The PCMU payloads of an utterance of 8,000 samples a second, as octets in a row. */
export class SpokenOctets {
  readonly #runs = new Set<string>();

  constructor(pcm: Int16Array) {
    const spoken = Buffer.from(Uint8Array.from(pcm, (sample) => encodeG711Sample("pcmu", sample)));
    for (let at = 0; at + RUN <= spoken.length; at++) {
      const run = spoken.subarray(at, at + RUN);
      // Silence and what stands still might be anything.
      if (new Set(run).size > RUN / 4) this.#runs.add(run.toString("latin1"));
    }
  }

  /** How many runs of it stand in these octets, plainly or behind base64 or hexadecimal digits. */
  countIn(octets: Uint8Array, depth = 3): number {
    const bytes = Buffer.from(octets);
    let count = 0;
    for (let at = 0; at + RUN <= bytes.length; at++) {
      if (this.#runs.has(bytes.toString("latin1", at, at + RUN))) count++;
    }
    if (depth === 0) return count;
    const text = bytes.toString("latin1");
    for (const [digits] of text.matchAll(/[0-9a-f]{32,}/gi))
      count += this.countIn(Buffer.from(digits, "hex"), 0);
    for (const [digits] of text.matchAll(/[A-Za-z0-9+/_-]{22,}/g))
      count += this.countIn(Buffer.from(digits, "base64url"), depth - 1);
    return count;
  }
}
