import { ParleyError } from "../codecs/parley-error.ts";

/** Throws `usage` unless there is at least one hash and each is a SHA-256. */
export function checkHashes(hashes: readonly Uint8Array[]): void {
  if (hashes.length === 0 || hashes.some((hash) => hash.length !== 32))
    throw new ParleyError({
      code: "usage",
      message: "Certificate hashes are SHA-256: 32 bytes each, at least one.",
    });
}

/**
 * Dials with one pinned certificate after the other, for stacks that take several but do not tell which one the server showed:
 * possession proofs name it, so that a proof made for one server is no good at another. Only `connect-refused` leads on to
 * the next; the last refusal is thrown. Throws `usage` as `checkHashes` does.
 */
export async function pinOneAtATime<T>(
  hashes: readonly Uint8Array[],
  dial: (pinned: Uint8Array) => Promise<T>,
): Promise<T> {
  checkHashes(hashes);
  const last = hashes.length - 1;
  for (const pinned of hashes.slice(0, last)) {
    try {
      return await dial(pinned);
    } catch (error) {
      if (!(error instanceof ParleyError) || error.code !== "connect-refused") throw error;
    }
  }
  return await dial(hashes[last] as Uint8Array);
}
