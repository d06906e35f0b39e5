/** What the binding gave, without Buffer's own ways: `slice` copies. */
export function plainBytes(data: Uint8Array): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.length);
}
