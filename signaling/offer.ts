import { ok, type Result, refuse } from "../codecs/result.ts";
import type { IdentitySigner, Signed, Verifier } from "../codecs/signer.ts";
import { AUDIO_OFFER_STREAM, type AudioOfferStream } from "./audio-stream.ts";
import { DATA_OFFER_STREAM, type DataOfferStream } from "./data-stream.ts";
import { checkStatement, GATEWAY_STATEMENT, type GatewayStatement } from "./gateway.ts";
import { jwsDigest, readSigned, type SignedForm, signJws, verifySigned } from "./jws.ts";
import { type MediaKey, verifyMediaKey } from "./media-key.ts";
import { parseScopes, type ScopeSet, sendingScopes, widen } from "./scope.ts";
import {
  AGENT_ID,
  DIGEST,
  integer,
  list,
  object,
  oneOf,
  optional,
  SECONDS,
  type Shape,
  UUID_V7,
  variant,
} from "./shape.ts";
import { CLOCK, type ClockStatement, JWS_TEXT, PROFILE, type Profile, SCOPE_LIST } from "./stream-fields.ts";
import { clashIn } from "./stream-pairs.ts";
import { isCurrent } from "./validity.ts";
import { VIDEO_OFFER_STREAM, type VideoOfferStream } from "./video-stream.ts";

/** Longest an offer stands, seconds. */
export const OFFER_LIFETIME_SECONDS = 300;

/** Most streams that a call has at once. More are refused (`field-invalid`). */
export const MAX_STREAMS = 16;

/** Longest session that can be agreed, seconds: 30 days. */
const MAX_SESSION_TTL_SECONDS = 2_592_000;

/** One stream of media, by its modality. */
export type OfferStream = AudioOfferStream | VideoOfferStream | DataOfferStream;

/** What the caller signs. Times are Unix seconds. */
export type OfferPayload = {
  readonly v: 1;
  readonly offer_id: string;
  /** Who signs: an agent for itself, or a gateway for the agent that `gateway` names. */
  readonly caller: string;
  readonly callee: string;
  /** Of a caller that is a gateway: for whom it calls. */
  readonly gateway?: GatewayStatement;
  /** A gateway may answer for the callee. Absent: the callee alone may. */
  readonly gateways?: true;
  /** The caller's media-key certificate. */
  readonly media_key: string;
  readonly session: { readonly model: "bounded" | "persistent"; readonly ttl: number };
  readonly scope: readonly string[];
  /** In order of preference. */
  readonly profiles: readonly Profile[];
  readonly streams: readonly OfferStream[];
  readonly clock: ClockStatement;
  /** The last Audit-ID the caller saw here; 64 zeros when none. */
  readonly last_audit_id: string;
  readonly iat: number;
  readonly exp: number;
};

/** A verified offer. */
export interface Offer {
  readonly jws: string;
  /** SHA-256 of `jws`, 64 hex digits. */
  readonly digest: string;
  readonly payload: OfferPayload;
  readonly mediaKey: MediaKey;
  readonly scope: ScopeSet;
}

/** Signs an offer with the caller's identity key. */
export function makeOffer<Key extends IdentitySigner>(
  payload: OfferPayload,
  caller: Key,
): Signed<Key, string> {
  return signJws(OFFER.typ, payload, caller);
}

/** An offer as it presents itself, its signature not judged. */
export function readOffer(jws: string): Result<OfferPayload> {
  return readSigned(jws, OFFER);
}

/** Who is expected to have signed an offer, and to whom. */
export interface OfferExpectation {
  /** The caller's identity key. */
  readonly publicKey: Uint8Array;
  readonly caller: string;
  readonly callee?: string | undefined;
  /** Unix milliseconds. Absent: times are judged against each other only, as an auditor does. */
  readonly now?: number | undefined;
}

/**
 * Judges an offer: signature, parties, times, streams that do not contradict each other, scope, and the media key's
 * certificate. Faults: `signature-invalid`, `field-invalid`, `json-not-canonical`, `scope-malformed`,
 * `certificate-invalid`, each with its place.
 */
export function verifyOffer(jws: string, expected: OfferExpectation, verifier: Verifier): Result<Offer> {
  const verified = verifySigned(jws, OFFER, expected.publicKey, verifier);
  if (!verified.ok) return verified;
  const payload = verified.value;
  if (payload.caller !== expected.caller) return invalid("The offer names another caller.", "offer.caller");
  if (expected.callee !== undefined && payload.callee !== expected.callee) {
    return invalid("The offer is to another agent.", "offer.callee");
  }
  const { gateway } = payload;
  const stated =
    gateway === undefined ? ok(undefined) : checkStatement(gateway, { signer: payload.caller }, AT);
  if (!stated.ok) return stated;
  if (payload.callee === payload.caller || payload.callee === gateway?.subject)
    return invalid("An agent does not call itself.", "offer.callee");
  if (payload.exp <= payload.iat || payload.exp > payload.iat + OFFER_LIFETIME_SECONDS) {
    return invalid(`An offer stands at most ${OFFER_LIFETIME_SECONDS} s.`, "offer.exp");
  }
  if (expected.now !== undefined && !isCurrent(payload.iat, payload.exp, expected.now)) {
    return invalid("The offer is not of the present.", "offer.exp");
  }
  const clash = clashIn(payload.streams);
  if (clash !== undefined) return invalid(clash.message, `offer.streams${clash.at}`);
  const scope = parseScopes(payload.scope, "offer.scope");
  if (!scope.ok) return scope;
  const mediaKey = verifyMediaKey(
    payload.media_key,
    { agentId: payload.caller, publicKey: expected.publicKey, offerId: payload.offer_id, now: expected.now },
    verifier,
  );
  if (!mediaKey.ok) return mediaKey;
  return ok({ jws, digest: jwsDigest(jws), payload, mediaKey: mediaKey.value, scope: scope.value });
}

/**
 * The widest scope an answer to this offer may take: what the caller proposes for the session, and what sending takes
 * on the streams the caller offers to receive.
 */
export function scopeCeiling(offer: Pick<Offer, "payload" | "scope">): ScopeSet {
  const received = offer.payload.streams.filter((stream) => stream.direction !== "sendonly");
  return widen(
    offer.scope,
    received.flatMap((stream) => sendingScopes(stream.modality)),
  );
}

function invalid(message: string, at: string): ReturnType<typeof refuse> {
  return refuse("field-invalid", message, at);
}

/** Agent-ID of the agent that calls, by itself or by a gateway. */
export function callerOf({ caller, gateway }: OfferPayload): string {
  return gateway?.subject ?? caller;
}

const AT = "offer.gateway";

export const OFFER_STREAM: Shape<OfferStream> = variant("modality", {
  audio: AUDIO_OFFER_STREAM,
  video: VIDEO_OFFER_STREAM,
  data: DATA_OFFER_STREAM,
});

export const OFFER: SignedForm<OfferPayload> = {
  typ: "parley-offer+jwt",
  name: "offer",
  shape: object<OfferPayload>({
    v: oneOf(1),
    offer_id: UUID_V7,
    caller: AGENT_ID,
    callee: AGENT_ID,
    gateway: optional(GATEWAY_STATEMENT),
    gateways: optional(oneOf(true)),
    media_key: JWS_TEXT,
    session: object<OfferPayload["session"]>({
      model: oneOf("bounded", "persistent"),
      ttl: integer(1, MAX_SESSION_TTL_SECONDS),
    }),
    scope: SCOPE_LIST,
    profiles: list(PROFILE, { min: 1, max: 2 }),
    streams: list(OFFER_STREAM, { min: 1, max: MAX_STREAMS }),
    clock: CLOCK,
    last_audit_id: DIGEST,
    iat: SECONDS,
    exp: SECONDS,
  }),
};
