/** Ed25519 (RFC 8032) signing with one key, which may take its time: a key of WebCrypto, of a token, of another process. */
export interface IdentitySigner {
  /** 32 raw bytes. */
  readonly publicKey: Uint8Array;
  /** The 64-byte detached signature of `message`. */
  sign(message: Uint8Array): Uint8Array | Promise<Uint8Array>;
}

/** An {@link IdentitySigner} that answers at once, as media needs it. Where the private half lives is its own business. */
export interface Signer extends IdentitySigner {
  sign(message: Uint8Array): Uint8Array;
}

/** What comes of signing with a key of this type: there at once with a {@link Signer}, to be awaited with any other. */
export type Signed<Key extends IdentitySigner, Value> = Key extends Signer ? Value : Value | Promise<Value>;

/** Signs `message` and makes something whole of the signature: at once where the key answers at once. */
export function signThen<Key extends IdentitySigner, Value>(
  key: Key,
  message: Uint8Array,
  seal: (signature: Uint8Array) => Value,
): Signed<Key, Value> {
  return thenSigned<Key, Uint8Array, Value>(key.sign(message) as Signed<Key, Uint8Array>, seal);
}

/** Goes on from something signed, as soon as it is. */
export function thenSigned<Key extends IdentitySigner, Value, Next>(
  value: Signed<Key, Value>,
  next: (value: Value) => Next | Signed<Key, Next>,
): Signed<Key, Next> {
  return (value instanceof Promise ? value.then(next) : next(value as Value)) as Signed<Key, Next>;
}

/** Ed25519 verification by libsodium's strict rule: small-order and non-canonical keys and points are refused. */
export interface Verifier {
  /** True only when `signature` (64 bytes) is valid for `message` under `publicKey` (32 raw bytes). Never throws. */
  verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
  /** True for a canonical point of the prime-order group: what may be registered as a key. */
  isAcceptableKey(publicKey: Uint8Array): boolean;
}
