import { ok, type Result } from "../../codecs/result.ts";
import type { Verifier } from "../../codecs/signer.ts";
import type { AgentCertificate } from "../authority.ts";
import { agentExtensionOf, readAgentExtensions } from "./agent-extensions.ts";
import type { CertificateAuthorities } from "./authorities.ts";
import { flawed } from "./flaws.ts";
import { type FindRevocation, findPath, timeFlaw } from "./path.ts";
import { MAX_VALIDITY } from "./validity.ts";
import {
  type CertificateSignatures,
  fingerprintOf,
  KEY_USAGE,
  readX509,
  UNDERSTOOD,
  type X509,
} from "./x509.ts";

/** Certificates of one client that are looked at. */
export const MAX_CHAIN = 8;

/** What certificates are judged by. */
export interface CertificateRules {
  readonly authorities: CertificateAuthorities;
  readonly signatures: CertificateSignatures;
  readonly verifier: Pick<Verifier, "isAcceptableKey">;
}

/**
 * Judges the certificates that a client showed and holds the key of the first of (DER, as sent). `undefined` when that one has none of AGTP's
 * extensions and so says nothing of an agent. `revocationOf` knows what authorities revoked; what others say of an agent's certificate is
 * for {@link Revocations} to tell. Faults:
 * `agent-certificate-refused`, with the flaw in `details.flaw` and the certificate it was found at.
 */
export function judgeCertificates(
  chain: readonly Uint8Array[],
  { authorities, signatures, verifier }: CertificateRules,
  now: number,
  revocationOf: FindRevocation,
): Result<AgentCertificate | undefined> {
  if (chain.length > MAX_CHAIN)
    return flawed("too-large", `A client shows at most ${MAX_CHAIN} certificates.`);
  const [first, ...others] = chain;
  if (first === undefined) return ok(undefined);
  const leaf = named(readX509(first), LEAF);
  if (!leaf.ok) return leaf;
  const { extensions } = leaf.value;
  if (!extensions.some(({ oid }) => agentExtensionOf(oid) !== undefined)) return ok(undefined);
  const own = ownFlaw(leaf.value, verifier);
  if (own !== undefined) return own;
  const said = named(readAgentExtensions(extensions), LEAF);
  if (!said.ok || said.value === undefined) return said as Result<undefined>;
  const sent: X509[] = [];
  for (const [i, der] of others.entries()) {
    const read = named(readX509(der), `certificate[${i + 1}]`);
    if (!read.ok) return read;
    sent.push(read.value);
  }
  const path = findPath(leaf.value, sent, authorities, signatures, now, revocationOf);
  if (!path.ok) return path;
  const all = [leaf.value, ...path.value];
  const { agentId, ownerId, commitment, governanceZone, trustTier } = said.value;
  const certificate = {
    fingerprint: fingerprintOf(leaf.value),
    serial: leaf.value.serial,
    issuerKeyId: (path.value[0] as X509).keyId,
    authorities: path.value.slice(1).map(({ keyId }, i) => ({
      issuerKeyId: keyId,
      serial: (path.value[i] as X509).serial,
    })),
    agentId,
    ownerId,
    commitment,
    governanceZone,
    trustTier,
    notBefore: Math.max(...all.map(({ notBefore }) => notBefore)),
    notAfter: Math.min(...all.map(({ notAfter }) => notAfter)),
  };
  return timeFlaw(leaf.value, now, LEAF) ?? ok(certificate);
}

/** Why a certificate is not one for an agent, whoever issued it and whenever. */
function ownFlaw(
  { ed25519, notBefore, notAfter, constraints, extensions }: X509,
  verifier: CertificateRules["verifier"],
) {
  const unknown = extensions.find(
    ({ oid, isCritical }) => isCritical && agentExtensionOf(oid) === undefined && !FOR_AGENTS.has(oid),
  );
  if (unknown !== undefined) {
    const { oid } = unknown;
    return flawed("critical-extension-unknown", "It has a condition that is not understood here.", LEAF, {
      oid,
    });
  }
  if (ed25519 === undefined || !verifier.isAcceptableKey(ed25519))
    return flawed("key-type", "An agent's key is an Ed25519 key.", LEAF);
  const { keyUsage, extendedKeyUsage } = constraints;
  if (keyUsage !== undefined && !keyUsage.has(KEY_USAGE.digitalSignature))
    return flawed("key-usage", "Its key is not for signing.", LEAF);
  if (extendedKeyUsage !== undefined && !CLIENT_USES.some((use) => extendedKeyUsage.includes(use)))
    return flawed("key-usage", "Its key is not for TLS clients.", LEAF);
  if (notAfter - notBefore > MAX_VALIDITY)
    return flawed("validity-too-long", "An Agent Certificate is for at most 90 days.", LEAF);
  return undefined;
}

function named<Value>(result: Result<Value>, at: string): Result<Value> {
  if (result.ok) return result;
  const { fault } = result;
  return { ok: false, fault: { ...fault, at: fault.at === undefined ? at : `${at} ${fault.at}` } };
}

const LEAF = "certificate[0]";
const FOR_AGENTS: ReadonlySet<string> = new Set<string>(Object.values(UNDERSTOOD));
/** clientAuth, and anyExtendedKeyUsage. */
const CLIENT_USES = ["1.3.6.1.5.5.7.3.2", "2.5.29.37.0"] as const;
