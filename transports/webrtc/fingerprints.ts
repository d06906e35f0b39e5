import { ok, type Result, refuse } from "../../codecs/result.ts";
import type { DtlsFingerprint } from "./description.ts";

/** A fingerprint of `a=fingerprint`, or `undefined` for a hash function that is not known or digits that are not its. */
export function readFingerprint(algorithm: string, value: string): DtlsFingerprint | undefined {
  const name = algorithm.toLowerCase();
  const bytes = (LENGTHS as Readonly<Record<string, number>>)[name];
  if (bytes === undefined || value.length !== 3 * bytes - 1 || !PAIRS.test(value)) return undefined;
  return { algorithm: name as DtlsFingerprint["algorithm"], value: value.toUpperCase() };
}

/** SHA-256 of the DTLS certificate: 64 lowercase hex digits, as evidence names it; `undefined` where it is not among them. */
export function sha256Of(fingerprints: readonly DtlsFingerprint[]): string | undefined {
  const value = fingerprints.find(({ algorithm }) => algorithm === "sha-256")?.value;
  return value?.replaceAll(":", "").toLowerCase();
}

/** Whether what came in the handshake is what the description promised. `found`: SHA-256 of the certificate, 64 lowercase hex digits. */
export function matchesFingerprint(fingerprints: readonly DtlsFingerprint[], found: string): boolean {
  return sha256Of(fingerprints) === found;
}

/**
 * Holds a certificate to what an access token binds it to: SHA-256 in 64 lowercase hex digits, `undefined` where the token names another
 * kind of proof; no confirmation binds nothing. Fault: `fingerprint-mismatch`.
 */
export function checkConfirmation(
  confirmation: { readonly fingerprint: string | undefined } | undefined,
  fingerprints: readonly DtlsFingerprint[],
): Result<void> {
  if (confirmation === undefined) return ok(undefined);
  const { fingerprint } = confirmation;
  if (fingerprint !== undefined && fingerprint === sha256Of(fingerprints)) return ok(undefined);
  return refuse(
    "fingerprint-mismatch",
    "The access token is bound to another certificate than the one this peer connection uses.",
    "cnf",
  );
}

/** In bytes. */
const LENGTHS = { "sha-1": 20, "sha-224": 28, "sha-256": 32, "sha-384": 48, "sha-512": 64 } as const;
const PAIRS = /^[\da-f]{2}(?::[\da-f]{2})*$/i;
