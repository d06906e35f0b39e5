/** A VP8 frame of so many bytes (RFC 6386 section 9.1). */
export function vp8Frame(key: boolean, bytes: number, height = 360): Uint8Array {
  const frame = new Uint8Array(bytes).fill(0x5a);
  frame[0] = key ? 0x10 : 0x11;
  frame[1] = 0;
  frame[2] = 0;
  const width = Math.round((height * 16) / 9);
  if (key) frame.set([0x9d, 0x01, 0x2a, width & 0xff, width >> 8, height & 0xff, height >> 8], 3);
  return frame;
}
