import { sha256 } from "@noble/hashes/sha2.js";
import { canonicalBytes, type JsonObject } from "../codecs/canonical-json.ts";
import { encodeHex } from "../codecs/hex.ts";
import { ok, type Result, refuse } from "../codecs/result.ts";
import type { IdentitySigner, Signed, Verifier } from "../codecs/signer.ts";
import { readSigned, type SignedForm, signJws, verifySigned } from "./jws.ts";
import { AGENT_ID, DIGEST, object, optional, SECONDS, text } from "./shape.ts";
import { isCurrent, toSeconds } from "./validity.ts";

/** Longest life of a possession proof, seconds. */
const PROOF_LIFETIME_SECONDS = 60;

/** What a possession proof says (`docs/wire.md`): this agent sends this request, here, now. */
export type ProofPayload = {
  readonly agent_id: string;
  readonly method: string;
  /** Request target as on the wire. */
  readonly path: string;
  /** {@link hashParameters} of the request. */
  readonly body_sha256: string;
  /** A UUID never used before. */
  readonly jti: string;
  /** What the server gave this connection. A proof names this, or `cb`, or both. */
  readonly nonce?: string;
  /** SHA-256 of the TLS exporter of this connection (RFC 9266), hex. */
  readonly cb?: string;
  /** The origin the client dialled, e.g. `https://127.0.0.1:4480`. */
  readonly aud: string;
  /** SHA-256 of the certificate the client pinned, hex. */
  readonly cert?: string;
  readonly iat: number;
  readonly exp: number;
};

export const PROOF: SignedForm<ProofPayload> = {
  typ: "agtp-proof+jwt",
  name: "proof",
  code: "proof-invalid",
  shape: object<ProofPayload>({
    agent_id: AGENT_ID,
    method: text({ min: 3, max: 32, pattern: /^[A-Z]+$/ }),
    path: text({ min: 1, max: 2048, pattern: /^\/[!-~]*$/ }),
    body_sha256: DIGEST,
    jti: text({ max: 36, pattern: /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/ }),
    nonce: optional(text({ min: 16, max: 128, pattern: /^[A-Za-z0-9_-]+$/ })),
    cb: optional(DIGEST),
    aud: text({ min: 1, max: 256, pattern: /^[!-~]+$/ }),
    cert: optional(DIGEST),
    iat: SECONDS,
    exp: SECONDS,
  }),
};

/** What the client knows when it proves itself. */
export interface ProofInput {
  readonly agentId: string;
  readonly method: string;
  readonly path: string;
  /** The request's `parameters`; a member `proof` is left out of the hash. */
  readonly parameters: JsonObject;
  /** What the server gave this connection; needed where there is no `channelBinding`. */
  readonly nonce?: string | undefined;
  /** SHA-256 (32 bytes) of the TLS exporter of the connection that the request goes out on. */
  readonly channelBinding?: Uint8Array | undefined;
  /** The origin dialled; never a name taken from an answer. */
  readonly audience: string;
  /** SHA-256 (32 bytes) of the pinned certificate, where one was. */
  readonly certificateHash?: Uint8Array | undefined;
  /** A fresh UUID. */
  readonly jti: string;
  /** Unix milliseconds. */
  readonly now: number;
}

/** Proves possession of an agent's identity key for one request on one connection. */
export function makeProof<Key extends IdentitySigner>(input: ProofInput, signer: Key): Signed<Key, string> {
  const iat = toSeconds(input.now);
  const payload: ProofPayload = {
    agent_id: input.agentId,
    method: input.method,
    path: input.path,
    body_sha256: hashParameters(input.parameters),
    jti: input.jti,
    ...(input.nonce === undefined ? {} : { nonce: input.nonce }),
    ...(input.channelBinding === undefined ? {} : { cb: encodeHex(input.channelBinding) }),
    aud: input.audience,
    ...(input.certificateHash === undefined ? {} : { cert: encodeHex(input.certificateHash) }),
    iat,
    exp: iat + PROOF_LIFETIME_SECONDS,
  };
  return signJws(PROOF.typ, payload, signer);
}

/** What the server knows of the request that a proof came with. */
export interface ProofExpectation {
  readonly agentId: string;
  /** The identity key named by that agent's Genesis. */
  readonly publicKey: Uint8Array;
  readonly method: string;
  readonly path: string;
  readonly parameters: JsonObject;
  /** The nonce given to this connection. */
  readonly nonce: string;
  /** SHA-256 (32 bytes) of its TLS exporter, where it has one. */
  readonly channelBinding?: Uint8Array | undefined;
  /** What the client of this connection may have dialled. */
  readonly origins: readonly string[];
  /** SHA-256 (32 bytes each) of its live certificates. */
  readonly certificateHashes: readonly Uint8Array[];
  /** Unix milliseconds. */
  readonly now: number;
}

/**
 * Judges a possession proof. Faults: `proof-invalid`, with `at` naming the member that does not hold. The caller keeps
 * the `jti` until `exp` plus `CLOCK_SKEW_SECONDS` and refuses its second use (`proof-replayed`).
 */
export function verifyProof(
  jws: string,
  expected: ProofExpectation,
  verifier: Verifier,
): Result<ProofPayload> {
  const verified = verifySigned(jws, PROOF, expected.publicKey, verifier);
  if (!verified.ok) return verified;
  const proof = verified.value;
  const { cert, nonce, cb } = proof;
  const binding = expected.channelBinding;
  const checks: readonly (readonly [holds: boolean, member: keyof ProofPayload, message: string])[] = [
    [proof.agent_id === expected.agentId, "agent_id", "The proof is another agent's."],
    [proof.method === expected.method, "method", "The proof is for another method."],
    [proof.path === expected.path, "path", "The proof is for another path."],
    [nonce !== undefined || cb !== undefined, "nonce", "The proof names no connection."],
    [nonce === undefined || nonce === expected.nonce, "nonce", "The nonce is not this connection's."],
    [
      cb === undefined || (binding !== undefined && cb === encodeHex(binding)),
      "cb",
      "The channel binding is not this connection's.",
    ],
    [expected.origins.includes(proof.aud), "aud", "The proof is for another origin."],
    [
      cert === undefined || expected.certificateHashes.some((hash) => encodeHex(hash) === cert),
      "cert",
      "The certificate pinned is not one of this server's.",
    ],
    [
      proof.exp > proof.iat && proof.exp <= proof.iat + PROOF_LIFETIME_SECONDS,
      "exp",
      `A proof lives at most ${PROOF_LIFETIME_SECONDS} s.`,
    ],
    [isCurrent(proof.iat, proof.exp, expected.now), "iat", "The proof is not of the present."],
    [
      proof.body_sha256 === hashParameters(expected.parameters),
      "body_sha256",
      "The proof is for another body.",
    ],
  ];
  for (const [holds, member, message] of checks) {
    if (!holds) return refuse("proof-invalid", message, `proof.${member}`);
  }
  return ok(proof);
}

/** A proof as it presents itself, its signature not judged: to find the Genesis to judge it by. */
export function readProof(jws: string): Result<ProofPayload> {
  return readSigned(jws, PROOF);
}

/** SHA-256 of the canonical JSON of `parameters` without the member `proof`, 64 hex digits. */
export function hashParameters(parameters: JsonObject): string {
  const { proof: _proof, ...rest } = parameters;
  return encodeHex(sha256(canonicalBytes(rest)));
}
