import { sha256 } from "@noble/hashes/sha2.js";
import { decodeBase64url, encodeBase64url } from "../codecs/base64url.ts";
import { encodeHex } from "../codecs/hex.ts";
import { ok, type Result, refuse } from "../codecs/result.ts";
import type { Verifier } from "../codecs/signer.ts";

/** Bytes of an Ed25519 or X25519 public key. */
const PUBLIC_KEY_BYTES = 32;

/** SHA-256 of the 32 raw bytes of a public key, 64 hex digits: how people and anchors name a key. */
export function keyFingerprint(publicKey: Uint8Array): string {
  return encodeHex(sha256(publicKey));
}

/** The `kid` of an Ed25519 key in signed objects: `ed25519-` and the first 16 hex digits of its fingerprint. */
export function keyId(publicKey: Uint8Array): string {
  return `ed25519-${keyFingerprint(publicKey).slice(0, 16)}`;
}

/** A raw 32-byte public key as unpadded base64url, 43 characters. */
export function encodePublicKey(publicKey: Uint8Array): string {
  return encodeBase64url(publicKey);
}

/**
 * An Ed25519 public key from its text, either base64url of the 32 raw bytes or SPKI PEM. Faults: `key-unacceptable`
 * for other text, and for points that are small-order, non-canonical or outside the prime-order group.
 */
export function decodePublicKey(text: string, verifier: Verifier, at = "key"): Result<Uint8Array> {
  const raw = text.startsWith("-----") ? publicKeyFromPem(text, at) : rawKey(text, at);
  if (!raw.ok) return raw;
  if (!verifier.isAcceptableKey(raw.value))
    return refuse("key-unacceptable", "No Ed25519 key to be relied on.", at);
  return raw;
}

/** An X25519 public key (RFC 7748) from unpadded base64url. Faults: `key-unacceptable`. */
export function decodeExchangeKey(text: string, at = "key"): Result<Uint8Array> {
  const raw = rawKey(text, at);
  if (!raw.ok) return raw;
  if (!isAcceptableExchangeKey(raw.value))
    return refuse("key-unacceptable", "No X25519 key to be relied on.", at);
  return raw;
}

/** SPKI PEM (RFC 8410) of a raw Ed25519 public key, with a newline at the end. */
export function publicKeyToPem(publicKey: Uint8Array): string {
  const body = encodeBase64url(publicKey).replaceAll("-", "+").replaceAll("_", "/");
  return `${PEM_BEGIN}\n${SPKI_PREFIX}${body}=\n${PEM_END}\n`;
}

/** The 32 raw bytes of an Ed25519 key in SPKI PEM (RFC 8410), whatever point they name. Faults: `key-unacceptable`. */
export function publicKeyFromPem(pem: string, at = "key"): Result<Uint8Array> {
  const body = PEM.exec(pem)?.[1]?.replace(/[\r\n]/g, "");
  if (body === undefined || !body.startsWith(SPKI_PREFIX) || !body.endsWith("=")) {
    return refuse("key-unacceptable", "This is not an Ed25519 public key in SPKI PEM.", at);
  }
  const raw = body.slice(SPKI_PREFIX.length, -1);
  return rawKey(raw.replaceAll("+", "-").replaceAll("/", "_"), at);
}

/**
 * True for 32 bytes that name an X25519 point canonically and not one of small order, with which any exchange ends in
 * a secret everybody knows (RFC 7748 6.1).
 */
export function isAcceptableExchangeKey(publicKey: Uint8Array): boolean {
  if (publicKey.length !== PUBLIC_KEY_BYTES) return false;
  let value = 0n;
  for (let i = PUBLIC_KEY_BYTES - 1; i >= 0; i--) value = (value << 8n) | BigInt(publicKey[i] as number);
  return value < FIELD && !SMALL_ORDER.includes(value);
}

function rawKey(text: string, at: string): Result<Uint8Array> {
  const decoded = decodeBase64url(text, at);
  if (!decoded.ok || decoded.value.length !== PUBLIC_KEY_BYTES) {
    return refuse("key-unacceptable", "A public key is 32 bytes in unpadded base64url.", at);
  }
  return ok(decoded.value);
}

const PEM_BEGIN = "-----BEGIN PUBLIC KEY-----";
const PEM_END = "-----END PUBLIC KEY-----";
const PEM = /^-----BEGIN PUBLIC KEY-----\r?\n((?:[A-Za-z0-9+/=]+\r?\n)+)-----END PUBLIC KEY-----\s*$/;

/** Base64 of the 12 DER bytes before every raw Ed25519 key: SEQUENCE, AlgorithmIdentifier 1.3.101.112, BIT STRING. */
const SPKI_PREFIX = "MCowBQYDK2VwAyEA";

/** 2^255 - 19. */
const FIELD = 2n ** 255n - 19n;

/** The u-coordinates whose points have an order dividing 8, on the curve and on its twist. */
const SMALL_ORDER = [
  0n,
  1n,
  FIELD - 1n,
  325606250916557431795983626356110631294008115727848805560023387167927233504n,
  39382357235489614581723060781553021112529911719440698176882885853963445705823n,
];
