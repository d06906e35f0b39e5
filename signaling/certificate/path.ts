import { ok, type Result } from "../../codecs/result.ts";
import { authorityFlaw, type CertificateAuthorities } from "./authorities.ts";
import { type CertificateFlaw, flawed } from "./flaws.ts";
import { type Revocation, revokedFlaw } from "./revocations.ts";
import { areSame, type CertificateSignatures, type X509 } from "./x509.ts";

/** Authorities between an agent's certificate and a pinned one, at most. */
const MAX_DEPTH = 4;
/** Signatures judged for one chain: certificates that name each other in circles, or many alike, cost no more. */
const MAX_SIGNATURES = 16;

/** The revocation of a certificate by the authority that issued it, where one is in effect. */
export type FindRevocation = (issuerKeyId: string, serial: string) => Revocation | undefined;

type Refused = ReturnType<typeof flawed>;

/**
 * Finds the way from an agent's certificate to a pinned authority, by names and signatures, every step of it valid now and not revoked. What is sent may be
 * in any order and more than is needed. Gives the authorities on the way, the agent's own issuer first, the pinned one last. Faults:
 * `agent-certificate-refused`; of several dead ends the one that led furthest tells.
 */
export function findPath(
  leaf: X509,
  sent: readonly X509[],
  { pinned }: CertificateAuthorities,
  signatures: CertificateSignatures,
  now: number,
  revocationOf: FindRevocation,
): Result<readonly X509[]> {
  let judged = 0;
  const climb = (child: X509, below: readonly X509[]): Result<readonly X509[]> => {
    let failed: Refused = flawed(
      "issuer-unknown",
      "No authority of the operator's has issued this.",
      nameOf(child),
    );
    const candidates = [...pinned, ...sent].filter(
      (one) => areSame(one.subject, child.issuer) && !below.includes(one),
    );
    for (const issuer of candidates) {
      const isPinned = pinned.includes(issuer);
      if (!isPinned && below.length >= MAX_DEPTH) return tooLong(child);
      if (judged >= MAX_SIGNATURES) return tooLong(child);
      judged++;
      const found =
        flawOf(child, issuer, below.length) ?? (isPinned ? ok([issuer]) : climb(issuer, [...below, issuer]));
      if (found.ok) return isPinned ? found : ok([issuer, ...found.value]);
      failed = furthest(failed, found);
    }
    return failed;
  };
  const flawOf = (child: X509, issuer: X509, between: number): Refused | undefined => {
    const { algorithm, signed, signature } = child;
    if (algorithm === undefined)
      return flawed("algorithm-unsupported", "It is signed in a way that is not taken here.", nameOf(child));
    if (!signatures.verify(algorithm, issuer.publicKey, signed, signature))
      return flawed("signature-invalid", "The authority it names did not sign it.", nameOf(child));
    const revocation = revocationOf(issuer.keyId, child.serial);
    if (revocation !== undefined) return revokedFlaw(revocation, nameOf(child));
    const { pathLength } = issuer.constraints;
    const at = nameOf(issuer);
    return (
      authorityFlaw(issuer, at) ??
      (pathLength !== undefined && between > pathLength
        ? flawed("path-too-long", "This authority does not allow so many others beneath it.", at, {
            pathLength,
          })
        : timeFlaw(issuer, now, at))
    );
  };
  const nameOf = (certificate: X509): string => {
    const index = [leaf, ...sent].indexOf(certificate);
    return index < 0 ? `authority[${pinned.indexOf(certificate)}]` : `certificate[${index}]`;
  };
  const tooLong = (child: X509): Refused =>
    flawed("path-too-long", `More than ${MAX_DEPTH} authorities are not followed.`, nameOf(child));
  return climb(leaf, []);
}

/** Why something is not valid now; `undefined` when it is. */
export function timeFlaw(
  { notBefore, notAfter }: { readonly notBefore: number; readonly notAfter: number },
  now: number,
  at: string,
): Refused | undefined {
  if (now < notBefore) return flawed("not-yet-valid", "It is not valid yet.", at, { not_before: notBefore });
  if (now > notAfter) return flawed("expired", "It is not valid any more.", at, { not_after: notAfter });
  return undefined;
}

function furthest(one: Refused, other: { readonly ok: false; readonly fault: Refused["fault"] }): Refused {
  return rank(other.fault.details?.flaw) >= rank(one.fault.details?.flaw) ? (other as Refused) : one;
}

/** The less a flaw says about who issued what, the sooner it gives way. */
function rank(flaw: unknown): number {
  const order: readonly (CertificateFlaw | unknown)[] = ["issuer-unknown", "signature-invalid"];
  const index = order.indexOf(flaw);
  return index < 0 ? order.length : index;
}
