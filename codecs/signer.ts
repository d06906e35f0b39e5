/** Ed25519 (RFC 8032) signing with one key. Where the private half lives is the implementation's business. */
export interface Signer {
  /** 32 raw bytes. */
  readonly publicKey: Uint8Array;
  /** Returns the 64-byte detached signature of `message`. */
  sign(message: Uint8Array): Uint8Array;
}

/** Ed25519 verification by libsodium's strict rule: small-order and non-canonical keys and points are refused. */
export interface Verifier {
  /** True only when `signature` (64 bytes) is valid for `message` under `publicKey` (32 raw bytes). Never throws. */
  verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
  /** True for a canonical point of the prime-order group: what may be registered as a key. */
  isAcceptableKey(publicKey: Uint8Array): boolean;
}
