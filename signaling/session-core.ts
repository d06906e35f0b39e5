import { sha256 } from "@noble/hashes/sha2.js";
import { canonicalBytes, parseCanonical } from "../codecs/canonical-json.ts";
import { encodeHex } from "../codecs/hex.ts";
import { ok, type Result, refuse } from "../codecs/result.ts";
import type { Signer, Verifier } from "../codecs/signer.ts";
import { type Answer, SESSION_ID } from "./answer.ts";
import { GATEWAY_BEHALF, GATEWAY_EVIDENCE, type GatewayLeg, gatewayLeg } from "./gateway.ts";
import { type SignedForm, signJws, verifySigned } from "./jws.ts";
import { encodePublicKey } from "./keys.ts";
import type { Offer } from "./offer.ts";
import {
  AGENT_ID,
  DIGEST,
  list,
  object,
  oneOf,
  optional,
  readShape,
  SECONDS,
  type Shape,
  text,
} from "./shape.ts";
import { JWS_TEXT } from "./stream-fields.ts";
import { toSeconds } from "./validity.ts";

/** What a session digest is taken over, before the core itself. */
const SESSION_DOMAIN = "parley session v1\0";

export type CoreLeg = {
  /** 0 caller, 1 callee. */
  readonly leg: 0 | 1;
  /** Who signs on this leg: the agent, or the gateway that acts for it. */
  readonly agent_id: string;
  /** The leg's media-key certificate of generation 0. */
  readonly media_key: string;
  /** SHA-256 of the signed offer (leg 0) or answer (leg 1), 64 hex digits. */
  readonly signed: string;
} & Partial<GatewayLeg>;

/** What never changes about a session: who, through which server, agreed by which signatures. */
export type SessionCorePayload = {
  readonly v: 1;
  readonly session_id: string;
  readonly server: { readonly agent_id: string; readonly key: string };
  readonly legs: readonly CoreLeg[];
};

export interface SessionCore {
  readonly payload: SessionCorePayload;
  /** Canonical JSON of the payload. */
  readonly bytes: Uint8Array;
  /** 32 bytes: what every frame, checkpoint and receipt of the session is bound to. */
  readonly digest: Uint8Array;
}

/** The server as a session core names it. */
export interface ServerIdentity {
  readonly agentId: string;
  /** 32 raw bytes. */
  readonly key: Uint8Array;
}

/** The core that follows from an offer and its answer. Both ends, the server and an auditor get the same one. */
export function buildSessionCore(server: ServerIdentity, offer: Offer, answer: Answer): SessionCore {
  const payload: SessionCorePayload = {
    v: 1,
    session_id: answer.payload.session_id,
    server: { agent_id: server.agentId, key: encodePublicKey(server.key) },
    legs: [coreLeg(0, offer), coreLeg(1, answer)],
  };
  const bytes = canonicalBytes(payload);
  return { payload, bytes, digest: sessionDigest(bytes) };
}

/** The media key names who signs: an agent, or the gateway that acts for it. */
function coreLeg(leg: 0 | 1, { payload, mediaKey, digest }: Offer | Answer): CoreLeg {
  const { media_key, gateway } = payload;
  return { leg, agent_id: mediaKey.agentId, media_key, signed: digest, ...gatewayLeg(gateway) };
}

/** A core from its exact bytes, as an evidence file keeps it. Faults: `json-not-canonical`, `field-invalid`. */
export function readSessionCore(bytes: Uint8Array): Result<SessionCore> {
  const parsed = parseCanonical(bytes);
  if (!parsed.ok) return parsed;
  const payload = readShape(CORE, parsed.value, "core");
  if (!payload.ok) return payload;
  if (payload.value.legs.some((leg, i) => leg.leg !== i)) {
    return refuse("field-invalid", "Legs are numbered in order.", "core.legs");
  }
  if (!payload.value.legs.every(isWhole)) {
    return refuse("field-invalid", "A gateway says for whom it acts, and by what.", "core.legs");
  }
  return ok({ payload: payload.value, bytes: bytes.slice(), digest: sessionDigest(bytes) });
}

/** All that makes a gateway of a leg, or nothing of it. */
function isWhole({ role, on_behalf_of: behalf, evidence }: CoreLeg): boolean {
  const isGateway = role !== undefined;
  return (behalf !== undefined) === isGateway && (evidence !== undefined) === isGateway;
}

/** SHA-256 of {@link SESSION_DOMAIN} and the core's canonical bytes. */
function sessionDigest(core: Uint8Array): Uint8Array {
  return sha256.create().update(new TextEncoder().encode(SESSION_DOMAIN)).update(core).digest();
}

/** The server's word that it relays this session. `iat` is Unix seconds. */
export type CoreWitnessPayload = {
  /** The session digest, 64 hex digits. */
  readonly core_digest: string;
  readonly iat: number;
};

/** Signs a core as its witness, with the server's key. `now` is Unix milliseconds. */
export function makeCoreWitness(core: SessionCore, now: number, server: Signer): string {
  const payload: CoreWitnessPayload = { core_digest: encodeHex(core.digest), iat: toSeconds(now) };
  return signJws(CORE_WITNESS.typ, payload, server);
}

/**
 * Judges the server's witness of the core with this digest (32 bytes). Faults: `session-core-mismatch` for another
 * core, `signature-invalid`, `field-invalid`, `json-not-canonical`.
 */
export function verifyCoreWitness(
  jws: string,
  expected: { readonly digest: Uint8Array; readonly serverKey: Uint8Array },
  verifier: Verifier,
): Result<CoreWitnessPayload> {
  const verified = verifySigned(jws, CORE_WITNESS, expected.serverKey, verifier);
  if (!verified.ok || verified.value.core_digest === encodeHex(expected.digest)) return verified;
  return refuse(
    "session-core-mismatch",
    "The server witnessed another session core.",
    "core_witness.core_digest",
  );
}

const CORE: Shape<SessionCorePayload> = object<SessionCorePayload>({
  v: oneOf(1),
  session_id: SESSION_ID,
  server: object<SessionCorePayload["server"]>({ agent_id: AGENT_ID, key: text({ min: 43, max: 43 }) }),
  legs: list(
    object<CoreLeg>({
      leg: oneOf(0, 1),
      agent_id: AGENT_ID,
      media_key: JWS_TEXT,
      signed: DIGEST,
      role: optional(oneOf("gateway")),
      on_behalf_of: optional(GATEWAY_BEHALF),
      evidence: optional(GATEWAY_EVIDENCE),
    }),
    { min: 2, max: 2 },
  ),
});

export const CORE_WITNESS: SignedForm<CoreWitnessPayload> = {
  typ: "parley-core+jwt",
  name: "core_witness",
  shape: object<CoreWitnessPayload>({ core_digest: DIGEST, iat: SECONDS }),
};
