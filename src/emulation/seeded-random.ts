/**
 * Chance that repeats: xoshiro128** 1.1 (Blackman and Vigna, prng.di.unimi.it), its state filled from the seed by
 * splitmix32. Not for secrets.
 */
export class SeededRandom {
  readonly seed: number;
  readonly #state: Uint32Array;

  /** `seed` counts modulo 2^32. */
  constructor(seed: number) {
    this.seed = seed >>> 0;
    this.#state = splitmix(this.seed);
  }

  /** Starts from a whole state: four 32-bit words, not all zero. */
  static fromState(state: readonly [number, number, number, number]): SeededRandom {
    const random = new SeededRandom(0);
    random.#state.set(state);
    return random;
  }

  /** 32 random bits. */
  u32(): number {
    const s = this.#state;
    const a = s[0] as number;
    const b = s[1] as number;
    const c = s[2] as number;
    const d = s[3] as number;
    const result = Math.imul(rotateLeft(Math.imul(b, 5), 7), 9) >>> 0;
    s[2] = c ^ a;
    s[3] = d ^ b;
    s[1] = b ^ c ^ a;
    s[0] = a ^ d ^ b;
    s[2] ^= b << 9;
    s[3] = rotateLeft(d ^ b, 11);
    return result;
  }

  /** Uniform in [0, 1). */
  next(): number {
    return this.u32() / 0x1_0000_0000;
  }

  /** Uniform among 0 .. `below` - 1. */
  integer(below: number): number {
    return Math.floor(this.next() * below);
  }

  /** Uniform bytes. */
  bytes(length: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; at += 1) bytes[at] = this.u32() >>> 24;
    return bytes;
  }

  /** Another source that depends on this one's present state: what draws from it does not disturb this one. */
  fork(): SeededRandom {
    return new SeededRandom(this.u32());
  }
}

function rotateLeft(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}

function splitmix(seed: number): Uint32Array {
  let state = seed;
  return Uint32Array.from({ length: 4 }, () => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = state ^ (state >>> 16);
    mixed = Math.imul(mixed, 0x21f0aaad);
    mixed ^= mixed >>> 15;
    mixed = Math.imul(mixed, 0x735a2d97);
    return mixed ^ (mixed >>> 15);
  });
}
