/**
 * Keys and a verifier of one world, which share what they know: that a signature is good which a key of this world made is no news.
 * Every other one, and the same over another byte or under another key, is judged by libsodium.
 */
import type { Signer, Verifier } from "../../codecs/signer.ts";
import { createSigner, verifier } from "../../platform/node/sodium.ts";

interface Made {
  readonly publicKey: Uint8Array;
  readonly message: Uint8Array;
}

/** Signatures remembered; the oldest is forgotten, and judged like any other. */
const MAX_REMEMBERED = 1_024;

export class KnownSignatures implements Verifier {
  readonly #made = new Map<string, Made>();

  /** A signer as libsodium's, whose signatures this verifier knows. */
  readonly createSigner = (seed: Uint8Array): Signer => {
    const { publicKey, sign } = createSigner(seed);
    return {
      publicKey,
      sign: (message) => {
        const signature = sign(message);
        this.#remember(nameOf(signature), { publicKey, message: message.slice() });
        return signature;
      },
    };
  };

  verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
    const made = signature instanceof Uint8Array ? this.#made.get(nameOf(signature)) : undefined;
    if (made !== undefined && isSame(made.publicKey, publicKey) && isSame(made.message, message)) return true;
    return verifier.verify(publicKey, message, signature);
  }

  isAcceptableKey(publicKey: Uint8Array): boolean {
    return verifier.isAcceptableKey(publicKey);
  }

  #remember(name: string, made: Made): void {
    if (this.#made.size >= MAX_REMEMBERED) {
      const [oldest = ""] = this.#made.keys();
      this.#made.delete(oldest);
    }
    this.#made.set(name, made);
  }
}

function nameOf(signature: Uint8Array): string {
  return bufferOf(signature).toString("latin1");
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return other instanceof Uint8Array && bufferOf(one).equals(other);
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
