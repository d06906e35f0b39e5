import { hash } from "node:crypto";
import type { Sha256 } from "../../codecs/sha256.ts";

/** SHA-256 over OpenSSL, always into the same 32 bytes. */
export const sha256: Sha256 = (message) => {
  // As text it costs half of what a buffer of its own does, which the collector would have to find again.
  text.write(hash("sha256", message, "binary"), "binary");
  return digest;
};

const digest = new Uint8Array(32);
const text = Buffer.from(digest.buffer);
