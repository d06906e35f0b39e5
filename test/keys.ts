/** Fixed keys for tests and worked examples: the same byte gives the same key everywhere. */
import type { Signer, Verifier } from "../codecs/signer.ts";
import { createSigner, verifier } from "../platform/node/sodium.ts";

/** The Ed25519 signer whose seed is 32 times `byte`. */
export function seedSigner(byte: number): Signer {
  return createSigner(new Uint8Array(32).fill(byte));
}

/** libsodium's rule, as everywhere in the product. */
export const strictVerifier: Verifier = verifier;
