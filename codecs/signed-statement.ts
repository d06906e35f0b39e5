/** What checkpoints and receipts share: a body, then the Ed25519 signature of a domain string and that body. */
import { sha256 } from "@noble/hashes/sha2.js";
import type { Signer, Verifier } from "./signer.ts";

/** Bytes of the signature at the end of a statement. */
export const STATEMENT_SIGNATURE_BYTES = 64;

/** What the signature of `body` covers: the domain string, which is never sent, and the body. */
function statementSignedBytes(domain: string, body: Uint8Array): Uint8Array {
  const prefix = new TextEncoder().encode(domain);
  const signed = new Uint8Array(prefix.length + body.length);
  signed.set(prefix, 0);
  signed.set(body, prefix.length);
  return signed;
}

/** The body followed by its signature, in a new array. */
export function signStatement(domain: string, body: Uint8Array, signer: Signer): Uint8Array {
  const bytes = new Uint8Array(body.length + STATEMENT_SIGNATURE_BYTES);
  bytes.set(body, 0);
  bytes.set(signer.sign(statementSignedBytes(domain, body)), body.length);
  return bytes;
}

/** True when `bytes`, body and signature, was signed by `publicKey` in `domain`. Never throws. */
export function signatureHolds(
  domain: string,
  bytes: Uint8Array,
  publicKey: Uint8Array,
  verifier: Verifier,
): boolean {
  const end = bytes.length - STATEMENT_SIGNATURE_BYTES;
  if (end < 0) return false;
  return verifier.verify(
    publicKey,
    statementSignedBytes(domain, bytes.subarray(0, end)),
    bytes.subarray(end),
  );
}

/** SHA-256 of a whole statement, signature included: what the next in the chain names. */
export function statementDigest(bytes: Uint8Array): Uint8Array {
  return sha256(bytes);
}
