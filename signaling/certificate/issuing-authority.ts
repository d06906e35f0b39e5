import type { CertificateRules } from "./agent-certificate.ts";
import { MAX_CHAIN } from "./agent-certificate.ts";
import { authorityFlaw } from "./authorities.ts";
import { type FindRevocation, findPath, timeFlaw } from "./path.ts";
import { readX509, type X509 } from "./x509.ts";

/**
 * The key of the certificate authority that a client is: it holds a pinned authority's key, or that of one beneath it, which it shows with
 * the way up and nothing on it revoked. SHA-256 of its SubjectPublicKeyInfo, hex; `undefined` for everybody else.
 */
export function issuingAuthority(
  chain: readonly Uint8Array[],
  { authorities, signatures }: CertificateRules,
  now: number,
  revocationOf: FindRevocation,
): string | undefined {
  if (chain.length > MAX_CHAIN) return undefined;
  const shown: X509[] = [];
  for (const der of chain) {
    const read = readX509(der);
    if (!read.ok) return undefined;
    shown.push(read.value);
  }
  const [own, ...others] = shown;
  if (own === undefined) return undefined;
  const { keyId } = own;
  if (authorities.pinned.some((one) => one.keyId === keyId)) return keyId;
  const isOne =
    authorityFlaw(own, "") === undefined &&
    timeFlaw(own, now, "") === undefined &&
    findPath(own, others, authorities, signatures, now, revocationOf).ok;
  return isOne ? keyId : undefined;
}
