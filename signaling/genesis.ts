import { sha256 } from "@noble/hashes/sha2.js";
import { decodeBase64url, encodeBase64url } from "../codecs/base64url.ts";
import {
  canonicalBytes,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  parseJson,
} from "../codecs/canonical-json.ts";
import { encodeHex } from "../codecs/hex.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import { ok, type Result, refuse } from "../codecs/result.ts";
import { type IdentitySigner, type Signed, signThen, type Verifier } from "../codecs/signer.ts";
import { decodePublicKey, encodePublicKey } from "./keys.ts";
import { formatScopes, parseScopes, type ScopeSet } from "./scope.ts";
import { integer, list, object, optional, readShape, type Shape, text } from "./shape.ts";
import { formatUtc } from "./utc-time.ts";

/** Largest Genesis that is read or made, bytes. */
export const MAX_GENESIS_BYTES = 16_384;

/** What a Genesis of ours says (`spec/agtp.md` 4.2). All text is printable ASCII. */
export interface GenesisFields {
  readonly name: string;
  /** 1 to 256 of letters, digits, `-`, `_`, `:`, `.`. */
  readonly ownerId: string;
  readonly principalId: string;
  readonly archetype: Archetype;
  readonly governanceZone: string;
  readonly scope: ScopeSet;
  readonly trustTier: 1 | 2 | 3;
  readonly verificationPath: string;
  /** Unix milliseconds; kept to the second. */
  readonly issuedAt: number;
  readonly issuer: string;
}

export type Archetype = "assistant" | "analyst" | "executor" | "orchestrator" | "monitor";

/** An agent's birth certificate, checked against itself: its hash is the Agent-ID and its issuer's signature holds. */
export interface Genesis {
  /** Byte-exact, as issued. */
  readonly bytes: Uint8Array;
  /** 64 lowercase hex digits. */
  readonly agentId: string;
  readonly name: string;
  /** Empty when the document names none. */
  readonly ownerId: string;
  readonly principalId: string;
  readonly trustTier: 1 | 2 | 3;
  readonly verificationPath: string;
  /** As written in the document. */
  readonly issuedAt: string;
  readonly issuer: string;
  /** 32 raw bytes. Whether to trust it is for the holder of anchors to say. */
  readonly issuerKey: Uint8Array;
  /** The agent's own identity key, 32 raw bytes. */
  readonly agentKey: Uint8Array;
  /** Absent from documents of other implementations. */
  readonly scope: ScopeSet | undefined;
}

/**
 * Makes and signs a Genesis for the agent that holds `agentKey` (32 raw bytes). An agent that issues its own passes
 * its own signer. Throws `ParleyError` `field-invalid` for text that is not printable ASCII, and for a field that
 * {@link readGenesis} would refuse.
 */
export function createGenesis<Key extends IdentitySigner>(
  fields: GenesisFields,
  agentKey: Uint8Array,
  issuer: Key,
  verifier: Verifier,
): Signed<Key, Genesis> {
  const document = {
    agtp_genesis_version: "agtp-genesis/1",
    name: fields.name,
    owner_id: fields.ownerId,
    principal_id: fields.principalId,
    archetype: fields.archetype,
    governance_zone: fields.governanceZone,
    scope: formatScopes(fields.scope),
    trust_tier: fields.trustTier,
    verification_path: fields.verificationPath,
    issued_at: formatUtc(fields.issuedAt),
    issuer: fields.issuer,
    issuer_public_key: encodePublicKey(issuer.publicKey),
    agent_public_key: encodePublicKey(agentKey),
  };
  return signThen(issuer, canonicalBytes(document), (signature) => {
    const bytes = canonicalBytes({ ...document, signature: encodeBase64url(signature) });
    const read = readGenesis(bytes, verifier);
    if (!read.ok) throw new ParleyError({ ...read.fault, code: "field-invalid" });
    return read.value;
  });
}

/**
 * Reads a Genesis from its exact bytes: JSON in any layout, keys as base64url or SPKI PEM. Computes the Agent-ID and
 * verifies the issuer's signature. Faults: `genesis-invalid`, `key-unacceptable`.
 */
export function readGenesis(bytes: Uint8Array, verifier: Verifier): Result<Genesis> {
  if (bytes.length > MAX_GENESIS_BYTES) return invalid(`A Genesis has at most ${MAX_GENESIS_BYTES} bytes.`);
  const parsed = parseJson(bytes);
  if (!parsed.ok || !isJsonObject(parsed.value)) return invalid("A Genesis is a JSON object.");
  const text = new TextDecoder().decode(bytes);
  // One document must have one hash: ASCII is escaped alike by every implementation, repeated members are not read alike.
  if (!PLAIN_ASCII.test(text)) return invalid("A Genesis is printable ASCII.");
  if (countColons(text) !== countMembers(parsed.value)) return invalid("A member is repeated.");
  // Issuers sign identity documents in the same way; neither may pass for the other.
  if (Object.hasOwn(parsed.value, "document_type")) return invalid("This is a document of another kind.");
  const shaped = readShape(GENESIS, parsed.value, "genesis");
  if (!shaped.ok) return invalid(shaped.fault.message, shaped.fault.at);
  const document = shaped.value;

  const issuerKey = decodePublicKey(document.issuer_public_key, verifier, "genesis.issuer_public_key");
  if (!issuerKey.ok) return issuerKey;
  const agentKey = decodePublicKey(document.agent_public_key, verifier, "genesis.agent_public_key");
  if (!agentKey.ok) return agentKey;
  const scope = document.scope === undefined ? ok(undefined) : parseScopes(document.scope, "genesis.scope");
  if (!scope.ok) return invalid(scope.fault.message, scope.fault.at);

  const signed = hashInput(parsed.value);
  const signature = decodeBase64url(document.signature, "genesis.signature");
  if (!signature.ok || !verifier.verify(issuerKey.value, signed, signature.value)) {
    return invalid("The issuer's signature does not hold.", "genesis.signature");
  }
  const agentId = encodeHex(sha256(signed));
  if (document.agent_id !== undefined && document.agent_id !== agentId) {
    return invalid("The Agent-ID named is not the hash.", "genesis.agent_id");
  }
  const ownerId = document.owner_id ?? document.owner ?? "";
  return ok({
    bytes: bytes.slice(),
    agentId,
    name: document.name ?? "",
    ownerId,
    principalId: document.principal_id ?? ownerId,
    trustTier: (document.trust_tier ?? 2) as 1 | 2 | 3,
    verificationPath: document.verification_path ?? "org-asserted",
    issuedAt: document.issued_at,
    issuer: document.issuer ?? "",
    issuerKey: issuerKey.value,
    agentKey: agentKey.value,
    scope: scope.value,
  });
}

/** {@link readGenesis}, and its hash must be `agentId`. */
export function verifyGenesis(bytes: Uint8Array, agentId: string, verifier: Verifier): Result<Genesis> {
  const genesis = readGenesis(bytes, verifier);
  if (!genesis.ok || genesis.value.agentId === agentId) return genesis;
  return invalid("This Genesis belongs to another Agent-ID.");
}

/**
 * What is hashed and signed: the document without `signature` and `agent_id`, sorted and compact (RFC 8785; for the
 * ASCII that a Genesis is made of, the same bytes as the reference implementation's). Keys stay as they are written:
 * a PEM and a raw key make two Agent-IDs.
 */
function hashInput(document: JsonObject): Uint8Array {
  const { signature: _signature, agent_id: _agentId, ...rest } = document;
  return canonicalBytes(rest);
}

function countMembers(value: JsonValue): number {
  if (typeof value !== "object" || value === null) return 0;
  const own = Array.isArray(value) ? 0 : Object.keys(value).length;
  return Object.values(value).reduce<number>((sum, inner) => sum + countMembers(inner), own);
}

/** Colons outside strings: one for every member as written. */
function countColons(json: string): number {
  return json.replace(JSON_STRING, "").split(":").length - 1;
}

function invalid(message: string, at = "genesis"): ReturnType<typeof refuse> {
  return refuse("genesis-invalid", message, at);
}

type GenesisDocument = {
  readonly agtp_genesis_version?: string;
  readonly agent_id?: string;
  readonly name?: string;
  readonly owner?: string;
  readonly owner_id?: string;
  readonly principal_id?: string;
  readonly archetype?: string;
  readonly governance_zone?: string;
  readonly scope?: readonly string[];
  readonly trust_tier?: number;
  readonly verification_path?: string;
  readonly issued_at: string;
  readonly issuer?: string;
  readonly issuer_public_key: string;
  readonly agent_public_key: string;
  readonly signature: string;
};

const LINE = text({ min: 1, max: 256, pattern: /^[ -~]*$/ });
const OWNER = text({ min: 1, max: 256, pattern: /^[A-Za-z0-9_:.-]+$/ });
const KEY = text({ max: 256 });

const GENESIS: Shape<GenesisDocument> = object<GenesisDocument>(
  {
    agtp_genesis_version: optional(text({ max: 32, pattern: /^agtp-genesis\/1$/ })),
    agent_id: optional(text({ max: 64 })),
    name: optional(LINE),
    owner: optional(LINE),
    owner_id: optional(OWNER),
    principal_id: optional(LINE),
    archetype: optional(text({ max: 16, pattern: /^(?:assistant|analyst|executor|orchestrator|monitor)$/ })),
    governance_zone: optional(LINE),
    scope: optional(list(text({ max: 128 }), { max: 64 })),
    trust_tier: optional(integer(1, 3)),
    verification_path: optional(text({ max: 64, pattern: /^[a-z-]+$/ })),
    issued_at: LINE,
    issuer: optional(LINE),
    issuer_public_key: KEY,
    agent_public_key: KEY,
    signature: text({ max: 86, pattern: /^[A-Za-z0-9_-]+$/ }),
  },
  { open: true },
);

const PLAIN_ASCII = /^[\t\n\r -~]*$/;
const JSON_STRING = /"(?:[^"\\]|\\.)*"/g;
