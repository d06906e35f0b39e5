import sodiumNative from "sodium-native";
import type { ExchangeKey, FrameMac } from "../../codecs/chain-key.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import type { Signer, Verifier } from "../../codecs/signer.ts";

/** Bytes of an Ed25519 seed (RFC 8032 5.1.5: the private key). */
export const SEED_BYTES = 32;

/**
 * Ed25519 signer over libsodium. The seed is copied; signatures are deterministic (RFC 8032) and freshly allocated,
 * so the caller owns them. Throws `ParleyError` `field-invalid` unless `seed` is 32 bytes.
 */
export function createSigner(seed: Uint8Array): Signer {
  if (!(seed instanceof Uint8Array) || seed.byteLength !== SEED_BYTES) {
    throw new ParleyError({ code: "field-invalid", message: "An Ed25519 seed is 32 bytes.", at: "seed" });
  }
  const publicKey = new Uint8Array(KEY_BYTES);
  const secretKey = new Uint8Array(SECRET_KEY_BYTES);
  sodium.crypto_sign_seed_keypair(publicKey, secretKey, seed);
  return {
    publicKey,
    sign(message) {
      const signature = new Uint8Array(SIGNATURE_BYTES);
      sodium.crypto_sign_detached(signature, message, secretKey);
      return signature;
    },
  };
}

/** 32 random bytes to make a {@link Signer} of. */
export function generateSeed(): Uint8Array {
  return random(SEED_BYTES);
}

/** `length` bytes from the operating system's generator. */
export function random(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  if (length > 0) sodium.randombytes_buf(bytes);
  return bytes;
}

/** An X25519 pair of 32 random bytes, or of `secretKey`, which is copied. The secret half never leaves it. */
export function createExchangeKey(secretKey: Uint8Array = random(KEY_BYTES)): ExchangeKey {
  const secret = secretKey.slice();
  const publicKey = new Uint8Array(KEY_BYTES);
  sodium.crypto_scalarmult_base(publicKey, secret);
  return {
    publicKey,
    agree(peer) {
      const shared = new Uint8Array(KEY_BYTES);
      try {
        sodium.crypto_scalarmult(shared, secret, peer);
      } catch (cause) {
        throw new ParleyError(
          { code: "key-unacceptable", message: "No X25519 key to be relied on.", at: "peer" },
          { cause },
        );
      }
      return shared;
    },
  };
}

/** Tags of profile `chain` over libsodium. */
export const frameMac: FrameMac = {
  tag(key, message) {
    const tag = new Uint8Array(TAG_BYTES);
    sodium.crypto_generichash(tag, message, key);
    return tag;
  },
  holds(key, message, tag) {
    if (tag?.byteLength !== TAG_BYTES || key?.byteLength !== KEY_BYTES) return false;
    try {
      sodium.crypto_generichash(expected, message, key);
      return sodium.sodium_memcmp(expected, tag);
    } catch {
      return false;
    }
  },
};

/** Keys remembered as acceptable, which costs more to find out than a signature; the oldest is forgotten and found out anew. */
const MAX_REMEMBERED_KEYS = 4_096;
const acceptable = new Set<string>();

/**
 * Ed25519 verification by libsodium: S below the group order, key canonical and not of small order. Anything of a
 * wrong length or type is `false`, never an exception.
 */
export const verifier: Verifier = {
  verify(publicKey, message, signature) {
    // libsodium's binding takes signatures longer than 64 bytes and ignores the rest.
    if (publicKey?.byteLength !== KEY_BYTES || signature?.byteLength !== SIGNATURE_BYTES) return false;
    try {
      return sodium.crypto_sign_verify_detached(signature, message, publicKey);
    } catch {
      return false;
    }
  },
  isAcceptableKey(publicKey) {
    if (!(publicKey instanceof Uint8Array) || publicKey.byteLength !== KEY_BYTES) return false;
    const name = Buffer.from(publicKey.buffer, publicKey.byteOffset, KEY_BYTES).toString("latin1");
    if (acceptable.has(name)) return true;
    try {
      if (!sodium.crypto_core_ed25519_is_valid_point(publicKey)) return false;
    } catch {
      return false;
    }
    if (acceptable.size >= MAX_REMEMBERED_KEYS) {
      for (const oldest of acceptable) {
        acceptable.delete(oldest);
        break;
      }
    }
    acceptable.add(name);
    return true;
  },
};

const KEY_BYTES = 32;
const SECRET_KEY_BYTES = 64;
const SIGNATURE_BYTES = 64;
const TAG_BYTES = 16;
/** Where a tag is made anew to be compared. */
const expected = new Uint8Array(TAG_BYTES);

/** What is used of sodium-native. Its published types ask for Buffer where it takes any byte view. */
interface Sodium {
  crypto_sign_seed_keypair(publicKey: Uint8Array, secretKey: Uint8Array, seed: Uint8Array): void;
  crypto_sign_detached(signature: Uint8Array, message: Uint8Array, secretKey: Uint8Array): void;
  crypto_sign_verify_detached(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean;
  crypto_core_ed25519_is_valid_point(point: Uint8Array): boolean;
  crypto_generichash(output: Uint8Array, input: Uint8Array, key: Uint8Array): void;
  crypto_scalarmult(shared: Uint8Array, secretKey: Uint8Array, publicKey: Uint8Array): void;
  sodium_memcmp(left: Uint8Array, right: Uint8Array): boolean;
  crypto_scalarmult_base(publicKey: Uint8Array, secretKey: Uint8Array): void;
  randombytes_buf(bytes: Uint8Array): void;
}

const sodium = sodiumNative as unknown as Sodium;
