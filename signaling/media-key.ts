import { MAX_KEY_GENERATION } from "../codecs/frame.ts";
import { ok, type Result, refuse } from "../codecs/result.ts";
import type { IdentitySigner, Signed, Verifier } from "../codecs/signer.ts";
import { type SignedForm, signJws, verifySigned } from "./jws.ts";
import { decodeExchangeKey, decodePublicKey, encodePublicKey } from "./keys.ts";
import { AGENT_ID, integer, object, oneOf, SECONDS, text, UUID_V7 } from "./shape.ts";
import { isCurrent, toSeconds } from "./validity.ts";

/** What a media-key certificate says: this agent's media in this call is signed by this key. */
export type MediaKeyPayload = {
  readonly v: 1;
  readonly agent_id: string;
  readonly offer_id: string;
  /** 32 raw bytes, base64url. */
  readonly ed25519: string;
  readonly x25519: string;
  readonly generation: number;
  /** Unix seconds. */
  readonly not_before: number;
  readonly not_after: number;
};

export const MEDIA_KEY: SignedForm<MediaKeyPayload> = {
  typ: "parley-media-key+jwt",
  name: "media_key",
  code: "certificate-invalid",
  shape: object<MediaKeyPayload>({
    v: oneOf(1),
    agent_id: AGENT_ID,
    offer_id: UUID_V7,
    ed25519: text({ max: 43 }),
    x25519: text({ max: 43 }),
    generation: integer(0, MAX_KEY_GENERATION),
    not_before: SECONDS,
    not_after: SECONDS,
  }),
};

export interface MediaKeyFields {
  readonly agentId: string;
  /** The offer of the call the key is for, on both legs. */
  readonly offerId: string;
  /** 32 raw bytes. */
  readonly ed25519: Uint8Array;
  readonly x25519: Uint8Array;
  readonly generation: number;
  /** Unix milliseconds; kept to the second. */
  readonly notBefore: number;
  readonly notAfter: number;
}

/** A verified media-key certificate. */
export interface MediaKey extends MediaKeyFields {
  readonly jws: string;
}

/** Certifies a media key with an agent's identity key. */
export function makeMediaKey<Key extends IdentitySigner>(
  fields: MediaKeyFields,
  identity: Key,
): Signed<Key, string> {
  const payload: MediaKeyPayload = {
    v: 1,
    agent_id: fields.agentId,
    offer_id: fields.offerId,
    ed25519: encodePublicKey(fields.ed25519),
    x25519: encodePublicKey(fields.x25519),
    generation: fields.generation,
    not_before: toSeconds(fields.notBefore),
    not_after: toSeconds(fields.notAfter),
  };
  return signJws(MEDIA_KEY.typ, payload, identity);
}

/** Whose media key it must be, in which call. */
export interface MediaKeyExpectation {
  readonly agentId: string;
  /** That agent's identity key. */
  readonly publicKey: Uint8Array;
  readonly offerId: string;
  /** Unix milliseconds. Absent: validity is not judged against the present. */
  readonly now?: number | undefined;
}

/** Judges a media-key certificate. Faults: `certificate-invalid`, with `at` naming the member that does not hold. */
export function verifyMediaKey(
  jws: string,
  expected: MediaKeyExpectation,
  verifier: Verifier,
): Result<MediaKey> {
  const verified = verifySigned(jws, MEDIA_KEY, expected.publicKey, verifier);
  if (!verified.ok) return verified;
  const payload = verified.value;
  if (payload.agent_id !== expected.agentId) return invalid("This is another agent's key.", "agent_id");
  if (payload.offer_id !== expected.offerId) return invalid("This key is for another call.", "offer_id");
  if (payload.not_after <= payload.not_before) return invalid("This is never valid.", "not_after");
  if (expected.now !== undefined && !isCurrent(payload.not_before, payload.not_after, expected.now)) {
    return invalid("This is not valid now.", "not_after");
  }
  const ed25519 = decodePublicKey(payload.ed25519, verifier);
  if (!ed25519.ok) return invalid(ed25519.fault.message, "ed25519");
  const x25519 = decodeExchangeKey(payload.x25519);
  if (!x25519.ok) return invalid(x25519.fault.message, "x25519");
  // An identity key signs documents only: were it a media key too, one leak of a busy key would be a leak of the agent.
  if (payload.ed25519 === encodePublicKey(expected.publicKey)) {
    return invalid("A media key is not the identity key.", "ed25519");
  }
  return ok({
    jws,
    agentId: payload.agent_id,
    offerId: payload.offer_id,
    ed25519: ed25519.value,
    x25519: x25519.value,
    generation: payload.generation,
    notBefore: payload.not_before * 1000,
    notAfter: payload.not_after * 1000,
  });
}

function invalid(message: string, member: keyof MediaKeyPayload): ReturnType<typeof refuse> {
  return refuse("certificate-invalid", message, `media_key.${member}`);
}
