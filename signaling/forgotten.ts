import { sha256 } from "@noble/hashes/sha2.js";
import { encodeHex } from "../codecs/hex.ts";

/**
 * What is kept of an Agent-ID that was erased, 64 hex: enough to know it again when it comes back, since an Agent-ID is never given
 * anew, and nothing to find it out from.
 */
export function forgottenMark(agentId: string): string {
  return encodeHex(sha256(new TextEncoder().encode(`parley erased agent v1\0${agentId}`)));
}
