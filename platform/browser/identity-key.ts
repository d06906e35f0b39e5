import type { IdentitySigner } from "../../codecs/signer.ts";
import { random } from "./random.ts";
import { SEED_BYTES, type Sodium } from "./sodium.ts";

/**
 * An identity key as the browser keeps it: one of WebCrypto that no script can read, or where WebCrypto has no Ed25519 the
 * seed, which every script of the page's origin can read.
 */
export type IdentityKey =
  | { readonly kind: "webcrypto"; readonly publicKey: Uint8Array; readonly privateKey: CryptoKey }
  | { readonly kind: "seed"; readonly publicKey: Uint8Array; readonly seed: Uint8Array };

/** Makes an identity key, non-extractable where the browser can. `subtle` is WebCrypto; undefined outside secure contexts. */
export async function createIdentityKey(
  sodium: Sodium,
  subtle: SubtleCrypto | undefined = globalThis.crypto.subtle,
): Promise<IdentityKey> {
  try {
    const pair = (await subtle?.generateKey("Ed25519", false, ["sign", "verify"])) as
      | CryptoKeyPair
      | undefined;
    if (subtle !== undefined && pair !== undefined) {
      // Some browsers make keys that they cannot keep.
      structuredClone(pair.privateKey);
      const publicKey = new Uint8Array(await subtle.exportKey("raw", pair.publicKey));
      return { kind: "webcrypto", publicKey, privateKey: pair.privateKey };
    }
  } catch {
    // No Ed25519 here.
  }
  const seed = random(SEED_BYTES);
  return { kind: "seed", publicKey: sodium.createSigner(seed).publicKey, seed };
}

/** What signs with a kept key. */
export function signerOf(key: IdentityKey, sodium: Sodium): IdentitySigner {
  if (key.kind === "seed") return sodium.createSigner(key.seed);
  return {
    publicKey: key.publicKey,
    async sign(message) {
      // Copied before anything else can run: the caller's buffer may change under a slow key.
      const signature = await crypto.subtle.sign("Ed25519", key.privateKey, message.slice());
      return new Uint8Array(signature);
    },
  };
}
