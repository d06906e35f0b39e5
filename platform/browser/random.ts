/** `length` bytes from the browser's cryptographic generator. */
export function random(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += MOST_AT_ONCE) {
    crypto.getRandomValues(bytes.subarray(at, at + MOST_AT_ONCE));
  }
  return bytes;
}

/** More is refused by `getRandomValues`. */
const MOST_AT_ONCE = 65_536;
