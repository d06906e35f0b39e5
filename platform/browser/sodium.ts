import sodium from "libsodium-wrappers";
import type { ExchangeKey, FrameMac } from "../../codecs/chain-key.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import type { Signer, Verifier } from "../../codecs/signer.ts";

/** Bytes of an Ed25519 seed (RFC 8032 5.1.5: the private key). */
export const SEED_BYTES = 32;

/** libsodium's keys, once its wasm has loaded. */
export interface Sodium {
  /**
   * Ed25519 verification by libsodium: S below the group order, key canonical and not of small order. Anything of a wrong
   * length or type is `false`, never an exception.
   */
  readonly verifier: Verifier;
  /** A signer that answers at once. The seed is copied. Throws `ParleyError` `field-invalid` unless `seed` is 32 bytes. */
  createSigner(seed: Uint8Array): Signer;
  /** An X25519 pair of 32 random bytes, or of `secretKey`, which is copied. The secret half never leaves it. */
  createExchangeKey(secretKey?: Uint8Array): ExchangeKey;
  /** Tags of profile `chain`. */
  readonly frameMac: FrameMac;
}

/** Loads libsodium, once for the page. Rejects with `native-unavailable` where wasm may not run. */
export async function loadSodium(): Promise<Sodium> {
  try {
    await sodium.ready;
  } catch (cause) {
    throw new ParleyError({ code: "native-unavailable", message: "libsodium did not load." }, { cause });
  }
  return { verifier, createSigner, createExchangeKey, frameMac };
}

function createSigner(seed: Uint8Array): Signer {
  if (!(seed instanceof Uint8Array) || seed.byteLength !== SEED_BYTES) {
    throw new ParleyError({ code: "field-invalid", message: "An Ed25519 seed is 32 bytes.", at: "seed" });
  }
  const { publicKey, privateKey } = sodium.crypto_sign_seed_keypair(seed);
  return { publicKey, sign: (message) => sodium.crypto_sign_detached(message, privateKey) };
}

function createExchangeKey(secretKey: Uint8Array = sodium.randombytes_buf(KEY_BYTES)): ExchangeKey {
  const secret = secretKey.slice();
  return {
    publicKey: sodium.crypto_scalarmult_base(secret),
    agree(peer) {
      try {
        return sodium.crypto_scalarmult(secret, peer);
      } catch (cause) {
        throw new ParleyError(
          { code: "key-unacceptable", message: "No X25519 key to be relied on.", at: "peer" },
          { cause },
        );
      }
    },
  };
}

const frameMac: FrameMac = {
  tag: (key, message) => sodium.crypto_generichash(TAG_BYTES, message, key),
  holds(key, message, tag) {
    if (!isBytes(tag, TAG_BYTES) || !isBytes(key, KEY_BYTES)) return false;
    try {
      return sodium.memcmp(sodium.crypto_generichash(TAG_BYTES, message, key), tag);
    } catch {
      return false;
    }
  },
};

const verifier: Verifier = {
  verify(publicKey, message, signature) {
    if (!isBytes(publicKey, KEY_BYTES) || !isBytes(signature, SIGNATURE_BYTES)) return false;
    try {
      return sodium.crypto_sign_verify_detached(signature, message, publicKey);
    } catch {
      return false;
    }
  },
  isAcceptableKey(publicKey) {
    if (!isBytes(publicKey, KEY_BYTES) || !isCanonical(publicKey)) return false;
    try {
      // What this build has of point checks: it refuses what is off the curve, of small order or outside the prime-order group.
      sodium.crypto_sign_ed25519_pk_to_curve25519(publicKey);
      return true;
    } catch {
      return false;
    }
  },
};

function isBytes(value: unknown, length: number): value is Uint8Array {
  return value instanceof Uint8Array && value.byteLength === length;
}

/** Whether y, the lower 255 bits, little-endian, is below the field's order 2^255 - 19 (RFC 8032 5.1.3). */
function isCanonical(publicKey: Uint8Array): boolean {
  if (((publicKey[31] as number) & 0x7f) !== 0x7f) return true;
  for (let at = 30; at > 0; at -= 1) if (publicKey[at] !== 0xff) return true;
  return (publicKey[0] as number) < 0xed;
}

const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;
const TAG_BYTES = 16;
