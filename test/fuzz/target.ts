import { canonicalBytes, type JsonValue } from "../../codecs/canonical-json.ts";
import { SeededRandom } from "../../src/emulation/seeded-random.ts";
import { mutateBytes, mutateJson } from "./mutate.ts";

/** One reader under test. */
export interface FuzzTarget {
  readonly name: string;
  /** Inputs it accepts. */
  readonly examples: readonly Uint8Array[];
  /** Pieces of its format that are put into inputs whole. */
  readonly tokens: readonly string[];
  /** Makes an input whose inside is odd and whose outside is sound, where mutated bytes alone would not get far. */
  readonly inside?: (random: SeededRandom) => Uint8Array;
  /** One input in this many is enough: each takes that much longer. Default 1. */
  readonly every?: number;
  /** Inputs in the quick run. Default 1,000, over `every`. */
  readonly few?: number;
  /** Reads one input; whether it was accepted. Throws or rejects when it is not dealt with as it should be. */
  run(input: Uint8Array): boolean | Promise<boolean>;
}

/** The input of this number in the run of this seed. */
export function inputOf(target: FuzzTarget, seed: number, index: number): Uint8Array {
  const random = new SeededRandom((Math.imul(index, 0x9e3779b1) ^ seed) >>> 0);
  if (target.inside !== undefined && random.integer(2) === 0) return target.inside(random);
  return mutateBytes(random, target.examples, tokensOf(target));
}

/** Canonical JSON of a mutated value, or of the value itself where the mutation has no canonical form. */
export function oddJson(random: SeededRandom, value: JsonValue): Uint8Array {
  try {
    return canonicalBytes(mutateJson(random, value));
  } catch {
    return canonicalBytes(value);
  }
}

function tokensOf(target: FuzzTarget): readonly Uint8Array[] {
  let bytes = tokenBytes.get(target);
  if (bytes === undefined) {
    bytes = target.tokens.map((token) => new TextEncoder().encode(token));
    tokenBytes.set(target, bytes);
  }
  return bytes;
}

const tokenBytes = new WeakMap<FuzzTarget, readonly Uint8Array[]>();
