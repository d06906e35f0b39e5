import { sha256 } from "@noble/hashes/sha2.js";
import { encodeBase64url } from "../../codecs/base64url.ts";
import { encodeHex } from "../../codecs/hex.ts";
import type { Desk } from "./desk.ts";
import type { Session } from "./session.ts";

/** Random bytes of a resumption nonce (`spec/agtp.md` 2.7). */
const NONCE_BYTES = 16;

/** Nonces are kept, and compared, by their digests (hex): what is compared tells nothing of a nonce. */
export function nonceDigest(nonce: string): string {
  return encodeHex(sha256(new TextEncoder().encode(nonce)));
}

/** Gives the suspension of a session a nonce. The one before it, if there was one, opens nothing any more. */
export function issueNonce(desk: Desk, session: Session): void {
  const { suspension } = session;
  if (suspension === undefined) return;
  suspension.nonce = encodeBase64url(desk.random(NONCE_BYTES));
  suspension.nonceDigest = nonceDigest(suspension.nonce);
  desk.states.keep(session);
}

/**
 * Makes sure that the end that suspended a session can be told its nonce again. An earlier process took what it had told along; who
 * asks for it anew has none that it could use.
 */
export function renewNonce(desk: Desk, session: Session): void {
  const { suspension } = session;
  if (suspension?.nonce === undefined && suspension?.nonceDigest !== undefined) issueNonce(desk, session);
}
