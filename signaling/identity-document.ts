import { decodeBase64url, encodeBase64url } from "../codecs/base64url.ts";
import { canonicalBytes, isJsonObject, parseCanonical } from "../codecs/canonical-json.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import { ok, type Result, refuse } from "../codecs/result.ts";
import { type IdentitySigner, type Signed, signThen, type Verifier } from "../codecs/signer.ts";
import type { Genesis } from "./genesis.ts";
import { decodePublicKey, encodePublicKey } from "./keys.ts";
import { formatScopes, parseScopes, type ScopeSet } from "./scope.ts";
import {
  AGENT_ID,
  integer,
  list,
  number,
  object,
  oneOf,
  optional,
  readShape,
  type Shape,
  text,
} from "./shape.ts";
import { formatUtc } from "./utc-time.ts";

/** Largest identity document that is read or made, bytes. */
export const MAX_IDENTITY_DOCUMENT_BYTES = 32_768;

/** Whether an agent may act: `suspended` answers 503, `retired` 410; a `deprecated` agent still serves. */
export type AgentStatus = "active" | "suspended" | "retired" | "deprecated";

/** What the issuer of an agent says about it at present (`spec/agtp.md` 4.3). */
export interface IdentityFields {
  readonly name: string;
  readonly description: string;
  readonly principal: string;
  readonly status: AgentStatus;
  /** AGTP methods the agent takes part in. */
  readonly methods: readonly string[];
  readonly capabilities: readonly string[];
  /** The widest scope the agent may claim. */
  readonly scope: ScopeSet;
  /** 0 to 1. */
  readonly trustScore: number;
  /** Unix milliseconds; kept to the second. */
  readonly issuedAt: number;
  readonly updatedAt: number;
  /** How far the agent is to be trusted, and how that was verified. Default: what its Genesis says. */
  readonly trustTier?: 1 | 2 | 3;
  readonly verificationPath?: string;
}

/** A verified identity document. */
export interface IdentityDocument {
  /** Byte-exact, as issued. */
  readonly bytes: Uint8Array;
  readonly agentId: string;
  readonly name: string;
  readonly description: string;
  readonly status: AgentStatus;
  readonly scope: ScopeSet;
  readonly methods: readonly string[];
  /** As written in the document. */
  readonly updatedAt: string;
  /** 0 to 1, and when that was computed, as written. */
  readonly trustScore: number;
  readonly trustScoreAt: string;
  /** As the document says; it counts before the Genesis. `undefined` where it says nothing. */
  readonly trustTier: 1 | 2 | 3 | undefined;
  readonly verificationPath: string | undefined;
}

/**
 * Makes and signs the identity document of the agent `genesis` names, as its issuer: `issuer` must hold the Genesis's
 * issuer key. Throws `ParleyError` `field-invalid` for a field that {@link readIdentityDocument} would refuse.
 */
export function createIdentityDocument<Key extends IdentitySigner>(
  fields: IdentityFields,
  genesis: Genesis,
  issuer: Key,
  verifier: Verifier,
): Signed<Key, IdentityDocument> {
  const document = {
    agtp_version: "1.0",
    document_type: "agtp-identity",
    document_version: "1",
    agent_id: genesis.agentId,
    name: fields.name,
    description: fields.description,
    principal: fields.principal,
    principal_id: genesis.principalId,
    owner_id: genesis.ownerId,
    issuer: genesis.issuer,
    issued_at: formatUtc(fields.issuedAt),
    updated_at: formatUtc(fields.updatedAt),
    status: fields.status,
    methods: fields.methods,
    capabilities: fields.capabilities,
    scopes_accepted: formatScopes(fields.scope),
    trust_score: fields.trustScore,
    trust_score_computed_at: formatUtc(fields.updatedAt),
    trust_tier: fields.trustTier ?? genesis.trustTier,
    verification_path: fields.verificationPath ?? genesis.verificationPath,
    manifest_issuer: genesis.issuer,
    manifest_issuer_public_key: encodePublicKey(issuer.publicKey),
  };
  return signThen(issuer, canonicalBytes(document), (signature) => {
    const bytes = canonicalBytes({ ...document, manifest_signature: encodeBase64url(signature) });
    const read = readIdentityDocument(bytes, genesis, verifier);
    if (!read.ok) throw new ParleyError({ ...read.fault, code: "field-invalid" });
    return read.value;
  });
}

/**
 * Reads an identity document from its exact bytes (canonical JSON) and verifies `manifest_signature` under the issuer
 * key of `genesis`, whose Agent-ID it must name. Its status is for the caller to act on. Faults: `field-invalid`,
 * `json-not-canonical`, `scope-malformed`, `signature-invalid`, `agent-mismatch`.
 */
export function readIdentityDocument(
  bytes: Uint8Array,
  genesis: Genesis,
  verifier: Verifier,
): Result<IdentityDocument> {
  if (bytes.length > MAX_IDENTITY_DOCUMENT_BYTES) {
    return refuse(
      "field-invalid",
      `An identity document has at most ${MAX_IDENTITY_DOCUMENT_BYTES} bytes.`,
      AT,
    );
  }
  const parsed = parseCanonical(bytes);
  if (!parsed.ok) return parsed;
  if (!isJsonObject(parsed.value))
    return refuse("field-invalid", "An identity document is a JSON object.", AT);
  const shaped = readShape(IDENTITY, parsed.value, AT);
  if (!shaped.ok) return shaped;
  const document = shaped.value;
  if (document.agent_id !== genesis.agentId) {
    return refuse("agent-mismatch", "This describes another agent.", `${AT}.agent_id`);
  }
  if (document.manifest_issuer_public_key !== undefined) {
    const named = decodePublicKey(
      document.manifest_issuer_public_key,
      verifier,
      `${AT}.manifest_issuer_public_key`,
    );
    if (!named.ok) return named;
    if (encodePublicKey(named.value) !== encodePublicKey(genesis.issuerKey)) {
      return refuse(
        "signature-invalid",
        "This is not the Genesis's issuer.",
        `${AT}.manifest_issuer_public_key`,
      );
    }
  }
  const scope = parseScopes(document.scopes_accepted, `${AT}.scopes_accepted`);
  if (!scope.ok) return scope;
  const { manifest_signature: _signature, ...signed } = parsed.value;
  const signature = decodeBase64url(document.manifest_signature, `${AT}.manifest_signature`);
  if (!signature.ok || !verifier.verify(genesis.issuerKey, canonicalBytes(signed), signature.value)) {
    return refuse("signature-invalid", "The issuer's signature does not hold.", `${AT}.manifest_signature`);
  }
  return ok({
    bytes: bytes.slice(),
    agentId: document.agent_id,
    name: document.name,
    description: document.description,
    status: document.status,
    scope: scope.value,
    methods: document.methods,
    updatedAt: document.updated_at,
    trustScore: document.trust_score,
    trustScoreAt: document.trust_score_computed_at,
    trustTier: document.trust_tier as 1 | 2 | 3 | undefined,
    verificationPath: document.verification_path,
  });
}

type IdentityJson = {
  readonly agtp_version: string;
  readonly document_type: "agtp-identity";
  readonly document_version: string;
  readonly agent_id: string;
  readonly name: string;
  readonly description: string;
  readonly principal: string;
  readonly principal_id: string;
  readonly issuer: string;
  readonly issued_at: string;
  readonly updated_at: string;
  readonly status: AgentStatus;
  readonly methods: readonly string[];
  readonly capabilities: readonly string[];
  readonly scopes_accepted: readonly string[];
  readonly trust_score: number;
  readonly trust_score_computed_at: string;
  readonly trust_tier?: number;
  readonly verification_path?: string;
  readonly manifest_issuer_public_key?: string;
  readonly manifest_signature: string;
};

const AT = "identity_document";
const LINE = text({ max: 256 });
const TIME = text({ max: 40, pattern: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/ });
const WORDS = list(text({ min: 1, max: 128 }), { max: 64 });

const IDENTITY: Shape<IdentityJson> = object<IdentityJson>(
  {
    agtp_version: text({ min: 1, max: 16 }),
    document_type: oneOf("agtp-identity"),
    document_version: text({ min: 1, max: 16 }),
    agent_id: AGENT_ID,
    name: text({ min: 1, max: 256 }),
    description: text({ max: 4096 }),
    principal: LINE,
    principal_id: LINE,
    issuer: LINE,
    issued_at: TIME,
    updated_at: TIME,
    status: oneOf("active", "suspended", "retired", "deprecated"),
    methods: WORDS,
    capabilities: WORDS,
    scopes_accepted: WORDS,
    trust_score: number(0, 1),
    trust_score_computed_at: TIME,
    trust_tier: optional(integer(1, 3)),
    verification_path: optional(text({ min: 1, max: 64 })),
    manifest_issuer_public_key: optional(text({ max: 256 })),
    manifest_signature: text({ max: 86 }),
  },
  { open: true },
);
