import type { Signer, Verifier } from "../../codecs/signer.ts";

/** Signatures that are remembered: in each place the last one whose first bytes name it. */
const PLACES = 512;
/** Longer messages are not remembered: no frame is. */
const MAX_MESSAGE_BYTES = 1_536;
const SIGNATURE_BYTES = 64;
const KEY_BYTES = 32;

/**
 * Signatures that this process made or found to hold a moment ago, so that none is computed twice: what the gateway signs comes to the relay in the same
 * process, and what the relay checked goes to the gateway. What is known is known byte for byte, of key, message and signature together; all else is checked.
 */
export class KnownSignatures implements Verifier {
  readonly #verifier: Verifier;
  #places: (Buffer | undefined)[] | undefined;

  constructor(verifier: Verifier) {
    this.#verifier = verifier;
  }

  /** Begins to remember: where nobody asks twice there is no use in it. */
  remember(): void {
    this.#places ??= new Array<Buffer | undefined>(PLACES).fill(undefined);
  }

  /** The same signer; what it signs is known. */
  signer(signer: Signer): Signer {
    return {
      publicKey: signer.publicKey,
      sign: (message) => {
        const signature = signer.sign(message);
        this.#keep(signer.publicKey, message, signature);
        return signature;
      },
    };
  }

  verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
    if (this.#knows(publicKey, message, signature)) return true;
    const holds = this.#verifier.verify(publicKey, message, signature);
    if (holds) this.#keep(publicKey, message, signature);
    return holds;
  }

  isAcceptableKey(publicKey: Uint8Array): boolean {
    return this.#verifier.isAcceptableKey(publicKey);
  }

  #knows(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
    if (signature?.length !== SIGNATURE_BYTES || publicKey?.length !== KEY_BYTES) return false;
    const known = this.#places?.[placeOf(signature)];
    if (known === undefined || known.length !== MESSAGE_AT + message.length) return false;
    return (
      known.compare(signature, 0, SIGNATURE_BYTES, 0, SIGNATURE_BYTES) === 0 &&
      known.compare(publicKey, 0, KEY_BYTES, SIGNATURE_BYTES, MESSAGE_AT) === 0 &&
      known.compare(message, 0, message.length, MESSAGE_AT) === 0
    );
  }

  #keep(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): void {
    if (this.#places === undefined || message.length > MAX_MESSAGE_BYTES) return;
    const place = placeOf(signature);
    const before = this.#places[place];
    const length = MESSAGE_AT + message.length;
    const kept = before?.length === length ? before : Buffer.allocUnsafeSlow(length);
    kept.set(signature);
    kept.set(publicKey, SIGNATURE_BYTES);
    kept.set(message, MESSAGE_AT);
    this.#places[place] = kept;
  }
}

const MESSAGE_AT = SIGNATURE_BYTES + KEY_BYTES;

/** First bytes of a signature are as good as random. */
function placeOf(signature: Uint8Array): number {
  return (((signature[0] as number) << 8) | (signature[1] as number)) % PLACES;
}
