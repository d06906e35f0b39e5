import { createPublicKey, type KeyObject, verify } from "node:crypto";
import type { CertificateSignatures, SignatureAlgorithm } from "../../signaling/certificate/x509.ts";
import { verifier } from "./sodium.ts";

/** Bits of an RSA key that is still to be relied on. */
const MIN_RSA_BITS = 2_048;

/** Signatures of certificates: Ed25519 by libsodium's strict rule, ECDSA over P-256 and P-384, and RSA (PKCS #1 v1.5), by OpenSSL. */
export const certificateSignatures: CertificateSignatures = {
  verify(algorithm, publicKey, message, signature) {
    try {
      const key = createPublicKey({ key: Buffer.from(publicKey), format: "der", type: "spki" });
      if (!fits(key, algorithm)) return false;
      if (algorithm === "ed25519") return verifier.verify(rawOf(key), message, signature);
      return verify(algorithm.slice(algorithm.indexOf("-") + 1), message, key, signature);
    } catch {
      return false;
    }
  },
};

function fits(
  { asymmetricKeyType: type, asymmetricKeyDetails: details }: KeyObject,
  algorithm: SignatureAlgorithm,
) {
  if (algorithm === "ed25519") return type === "ed25519";
  if (algorithm.startsWith("ecdsa-"))
    return type === "ec" && (details?.namedCurve === "prime256v1" || details?.namedCurve === "secp384r1");
  return type === "rsa" && (details?.modulusLength ?? 0) >= MIN_RSA_BITS;
}

function rawOf(key: KeyObject): Uint8Array {
  return new Uint8Array(Buffer.from(key.export({ format: "jwk" }).x ?? "", "base64url"));
}
