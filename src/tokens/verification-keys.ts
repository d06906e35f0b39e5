import { compactVerify, importJWK, type JWK } from "jose";
import { decodeBase64url, encodeBase64url } from "../../codecs/base64url.ts";
import { canonicalize, isJsonObject, type JsonObject, type JsonValue } from "../../codecs/canonical-json.ts";
import type { Verifier } from "../../codecs/signer.ts";
import type { ReadToken, TokenAlgorithm } from "../../signaling/access-token.ts";
import { keyId } from "../../signaling/keys.ts";

/** Keys taken of one document; the rest is passed over. */
const MAX_KEYS = 32;
/** Bits of an RSA modulus: below it is weak, above it verifying costs too much. */
const RSA_BITS = { least: 2_048, most: 8_192 } as const;
/** With smaller exponents some verifiers of the past could be fooled; nobody makes such keys today. */
const LEAST_RSA_EXPONENT = 65_537n;
/** Members of private and symmetric keys: a document that publishes them is nothing to rely on. */
const SECRET_MEMBERS = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"] as const;

/** A public key that may verify access tokens. */
export interface VerificationKey {
  readonly keyId: string | undefined;
  readonly algorithm: TokenAlgorithm;
  /** Tells it from every other key, whatever they are called. */
  readonly fingerprint: string;
  /** Whether the token is signed by it. Never throws. */
  verifies(token: string, read: ReadToken): Promise<boolean> | boolean;
}

/**
 * The keys of a JWKS that may verify tokens: for signatures, of the algorithms wanted, and to be relied on. Others are left out, as
 * RFC 7517 has it for keys that one cannot use.
 */
export async function readKeys(
  document: JsonObject,
  algorithms: readonly TokenAlgorithm[],
  verifier: Verifier,
): Promise<VerificationKey[]> {
  const { keys } = document;
  if (!Array.isArray(keys)) return [];
  const read: VerificationKey[] = [];
  for (const jwk of (keys as JsonValue[]).slice(0, MAX_KEYS)) {
    const key = isJsonObject(jwk) ? await readKey(jwk, verifier) : undefined;
    if (key !== undefined && algorithms.includes(key.algorithm)) read.push(key);
  }
  return read;
}

/** An Ed25519 key as Parley's identities have them: judged by the verifier's strict rule, as everywhere. */
export function identityKey(
  publicKey: Uint8Array,
  verifier: Verifier,
  name = keyId(publicKey),
): VerificationKey {
  return {
    keyId: name,
    algorithm: "EdDSA",
    fingerprint: encodeBase64url(publicKey),
    verifies: (_token, { signed, signature }) =>
      verifier.isAcceptableKey(publicKey) && verifier.verify(publicKey, signed, signature),
  };
}

async function readKey(jwk: JsonObject, verifier: Verifier): Promise<VerificationKey | undefined> {
  const { kid, alg, use, key_ops: operations } = jwk;
  if (SECRET_MEMBERS.some((member) => Object.hasOwn(jwk, member))) return undefined;
  if (kid !== undefined && typeof kid !== "string") return undefined;
  if (use !== undefined && use !== "sig") return undefined;
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes("verify")))
    return undefined;
  const algorithm = algorithmOf(jwk);
  if (algorithm === undefined || (alg !== undefined && alg !== algorithm && !isNameOfEdDsa(alg, algorithm)))
    return undefined;
  if (algorithm === "EdDSA") {
    const raw = octets(jwk.x);
    if (raw === undefined || !verifier.isAcceptableKey(raw)) return undefined;
    return { ...identityKey(raw, verifier), keyId: kid };
  }
  if (algorithm === "RS256" && !isReliableRsa(jwk)) return undefined;
  try {
    const key = await importJWK({ ...jwk, alg: algorithm } as JWK, algorithm);
    return {
      keyId: kid,
      algorithm,
      fingerprint: canonicalize(jwk),
      async verifies(token) {
        try {
          await compactVerify(token, key, { algorithms: [algorithm] });
          return true;
        } catch {
          return false;
        }
      },
    };
  } catch {
    // Not a point of the curve, or no key at all.
    return undefined;
  }
}

function algorithmOf({ kty, crv }: JsonObject): TokenAlgorithm | undefined {
  if (kty === "OKP") return crv === "Ed25519" ? "EdDSA" : undefined;
  if (kty === "EC") return crv === "P-256" ? "ES256" : undefined;
  return kty === "RSA" ? "RS256" : undefined;
}

/** RFC 9864 calls EdDSA with this curve by the curve's name. */
function isNameOfEdDsa(alg: JsonValue, algorithm: TokenAlgorithm): boolean {
  return algorithm === "EdDSA" && alg === "Ed25519";
}

function isReliableRsa({ n, e }: JsonObject): boolean {
  const [modulus, exponent] = [octets(n), octets(e)];
  if (modulus === undefined || exponent === undefined || exponent.length > 8) return false;
  const [bits, value] = [numberOf(modulus).toString(2).length, numberOf(exponent)];
  return bits >= RSA_BITS.least && bits <= RSA_BITS.most && value >= LEAST_RSA_EXPONENT && value % 2n === 1n;
}

function numberOf(bytes: Uint8Array): bigint {
  return BigInt(`0x0${Buffer.from(bytes).toString("hex")}`);
}

function octets(value: JsonValue | undefined): Uint8Array | undefined {
  const decoded = typeof value === "string" && value.length < 4_096 ? decodeBase64url(value) : undefined;
  return decoded?.ok === true ? decoded.value : undefined;
}
