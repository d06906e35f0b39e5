import { ok, type Result } from "../../codecs/result.ts";
import { flawed } from "./flaws.ts";
import { KEY_USAGE, readX509, UNDERSTOOD, type X509 } from "./x509.ts";

/** What a chain of certificates is held against. */
export interface CertificateAuthorities {
  /** The certificates that the operator pinned. */
  readonly pinned: readonly X509[];
}

/** Certificate authorities of one operator, at most. */
const MAX_AUTHORITIES = 64;

/** Reads the certificates (DER) that an operator pins. Faults: `agent-certificate-refused`, `at` naming which. */
export function readAuthorities(certificates: readonly Uint8Array[]): Result<CertificateAuthorities> {
  const pinned: X509[] = [];
  for (const [i, der] of certificates.entries()) {
    const at = `certificate[${i}]`;
    const read = readX509(der);
    if (!read.ok) return { ok: false, fault: { ...read.fault, at } };
    const flaw = authorityFlaw(read.value, at);
    if (flaw !== undefined) return flaw;
    pinned.push(read.value);
  }
  if (pinned.length > MAX_AUTHORITIES)
    return flawed("too-large", `There are more than ${MAX_AUTHORITIES} certificate authorities.`);
  return ok({ pinned });
}

/** Why a certificate is not one to issue with, whenever and beneath whom; `undefined` when it is one. */
export function authorityFlaw({ constraints, extensions }: X509, at: string) {
  const { isAuthority, keyUsage } = constraints;
  if (!isAuthority) return flawed("issuer-not-authority", "This certificate is not of an authority.", at);
  if (keyUsage !== undefined && !keyUsage.has(KEY_USAGE.keyCertSign))
    return flawed("issuer-not-authority", "This authority's key is not for certificates.", at);
  const unknown = extensions.find(({ oid, isCritical }) => isCritical && !FOR_AUTHORITIES.has(oid));
  if (unknown === undefined) return undefined;
  const { oid } = unknown;
  return flawed(
    "critical-extension-unknown",
    "This authority has a condition that is not understood here.",
    at,
    {
      oid,
    },
  );
}

const FOR_AUTHORITIES: ReadonlySet<string> = new Set<string>([
  UNDERSTOOD.basicConstraints,
  UNDERSTOOD.keyUsage,
  UNDERSTOOD.subjectAltName,
]);
