import { refuse } from "../../codecs/result.ts";

/** Why an Agent Certificate is refused: `details.flaw` of `agent-certificate-refused`, stable. `docs/certificates.md` lists them. */
export const CERTIFICATE_FLAWS = {
  "too-large": "a certificate of more than 16 KiB, or more than 8 of them",
  malformed: "not a certificate in DER; `at` names the byte",
  "extension-duplicate": "an extension twice, or under its old and its new identifier; `details.oid`",
  "critical-extension-unknown": "a critical extension that is not understood here; `details.oid`",
  "extension-missing": "one of the three extensions that every Agent Certificate has; `details.extension`",
  "extension-malformed": "an extension whose value is none; `details.extension`",
  "key-type": "the agent's key is not an Ed25519 key to be relied on",
  "key-usage": "its key is not for signing, or not for TLS clients",
  "validity-too-long": "an agent's certificate for more than 90 days",
  "issuer-unknown": "no way to one of the operator's certificate authorities",
  "path-too-long": "more authorities on the way than are followed, or than one of them allows (`pathlen`)",
  "signature-invalid": "not signed by the authority it names",
  "algorithm-unsupported": "signed in a way that is not taken here",
  "issuer-not-authority": "issued by somebody who may not issue (basicConstraints, keyUsage)",
  "not-yet-valid": "it, or an authority on the way, is for later",
  expired: "it, or an authority on the way, is past its time",
  revoked: "revoked by NOTIFY",
} as const;
export type CertificateFlaw = keyof typeof CERTIFICATE_FLAWS;

/** A refusal for one of the flaws. `at`: `certificate[0]` is the agent's own, then as they were sent. */
export function flawed(
  flaw: CertificateFlaw,
  message: string,
  at?: string,
  details: Readonly<Record<string, unknown>> = {},
) {
  return refuse("agent-certificate-refused", message, at, { flaw, ...details });
}
