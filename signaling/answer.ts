import { ok, type Result, refuse } from "../codecs/result.ts";
import type { IdentitySigner, Signed, Verifier } from "../codecs/signer.ts";
import { AUDIO_ANSWER_STREAM, type AudioAnswerStream } from "./audio-stream.ts";
import { DATA_ANSWER_STREAM, type DataAnswerStream } from "./data-stream.ts";
import { checkStatement, GATEWAY_STATEMENT, type GatewayStatement } from "./gateway.ts";
import { jwsDigest, readSigned, type SignedForm, signJws, verifySigned } from "./jws.ts";
import { type MediaKey, verifyMediaKey } from "./media-key.ts";
import { MAX_STREAMS, OFFER_LIFETIME_SECONDS, type Offer, scopeCeiling } from "./offer.ts";
import { missingScopes, parseScopes, type ScopeSet } from "./scope.ts";
import {
  AGENT_ID,
  DIGEST,
  list,
  object,
  oneOf,
  optional,
  SECONDS,
  type Shape,
  text,
  variant,
} from "./shape.ts";
import { CLOCK, type ClockStatement, JWS_TEXT, PROFILE, type Profile, SCOPE_LIST } from "./stream-fields.ts";
import { misfitOf, strayRendition } from "./stream-pairs.ts";
import { CLOCK_SKEW_SECONDS, isCurrent } from "./validity.ts";
import { VIDEO_ANSWER_STREAM, type VideoAnswerStream } from "./video-stream.ts";

/** One stream of media, by its modality. */
export type AnswerStream = AudioAnswerStream | VideoAnswerStream | DataAnswerStream;

/** What the callee signs. `iat` is Unix seconds, and the session's life starts there. */
export type AnswerPayload = {
  readonly v: 1;
  readonly session_id: string;
  /** SHA-256 of the signed offer as the callee received it, 64 hex digits. */
  readonly offer_digest: string;
  readonly caller: string;
  /** Who was called, whoever signs. */
  readonly callee: string;
  /** Of an answer that a gateway signs: for whom. Its media key names the gateway. */
  readonly gateway?: GatewayStatement;
  /** The callee's media-key certificate. */
  readonly media_key: string;
  readonly scope: readonly string[];
  readonly profile: Profile;
  /** Streams that are left out were not taken. */
  readonly streams: readonly AnswerStream[];
  readonly clock: ClockStatement;
  /** The last Audit-ID the callee saw here; 64 zeros when none. */
  readonly last_audit_id: string;
  readonly iat: number;
};

/** A verified answer, every choice of which lies within its offer. */
export interface Answer {
  readonly jws: string;
  /** SHA-256 of `jws`, 64 hex digits. */
  readonly digest: string;
  readonly payload: AnswerPayload;
  readonly mediaKey: MediaKey;
  readonly scope: ScopeSet;
}

/** Signs an answer with the callee's identity key. */
export function makeAnswer<Key extends IdentitySigner>(
  payload: AnswerPayload,
  callee: Key,
): Signed<Key, string> {
  return signJws(ANSWER.typ, payload, callee);
}

/** An answer as it presents itself, its signature not judged. */
export function readAnswer(jws: string): Result<AnswerPayload> {
  return readSigned(jws, ANSWER);
}

/** Who is expected to have signed an answer, and to what. */
export interface AnswerExpectation {
  /** The identity key of who signs. */
  readonly publicKey: Uint8Array;
  /** Agent-ID of the gateway that signs for the callee. Absent: the callee itself signs. */
  readonly gateway?: string | undefined;
  readonly offer: Offer;
  readonly sessionId?: string | undefined;
  /** Unix milliseconds. Absent: times are judged against each other only, as an auditor does. */
  readonly now?: number | undefined;
}

/**
 * Judges an answer: signature, parties, whether it may be a gateway's, the digest of the offer, times, the media key's certificate, and that profile,
 * streams, codecs, formats and scope lie within what was offered. Faults: `signature-invalid`, `field-invalid`,
 * `json-not-canonical`, `scope-malformed`, `scope-violation`, `certificate-invalid`, each with its place.
 */
export function verifyAnswer(jws: string, expected: AnswerExpectation, verifier: Verifier): Result<Answer> {
  const verified = verifySigned(jws, ANSWER, expected.publicKey, verifier);
  if (!verified.ok) return verified;
  const payload = verified.value;
  const { offer } = expected;
  if (payload.offer_digest !== offer.digest)
    return invalid("This answers another offer.", "answer.offer_digest");
  if (payload.caller !== offer.payload.caller)
    return invalid("The answer names another caller.", "answer.caller");
  if (payload.callee !== offer.payload.callee)
    return invalid("The answer is another agent's.", "answer.callee");
  const stated = checkSigner(payload, expected);
  if (!stated.ok) return stated;
  if (expected.sessionId !== undefined && payload.session_id !== expected.sessionId) {
    return invalid("The answer is for another session.", "answer.session_id");
  }
  const early = payload.iat < offer.payload.iat - CLOCK_SKEW_SECONDS;
  if (early || payload.iat > offer.payload.exp + CLOCK_SKEW_SECONDS) {
    return invalid("The answer was not made while the offer stood.", "answer.iat");
  }
  if (
    expected.now !== undefined &&
    !isCurrent(payload.iat, payload.iat + OFFER_LIFETIME_SECONDS, expected.now)
  ) {
    return invalid("The answer is not of the present.", "answer.iat");
  }
  const outside = outsideOffer(payload, offer);
  if (outside !== undefined) return invalid("This was not offered.", outside);
  const scope = parseScopes(payload.scope, "answer.scope");
  if (!scope.ok) return scope;
  const missing = missingScopes(scopeCeiling(offer), scope.value);
  if (missing.length > 0) {
    return refuse("scope-violation", "The answer takes a scope that was not offered.", "answer.scope", {
      missing_scopes: missing,
    });
  }
  const mediaKey = verifyMediaKey(
    payload.media_key,
    {
      agentId: expected.gateway ?? payload.callee,
      publicKey: expected.publicKey,
      offerId: offer.payload.offer_id,
      now: expected.now,
    },
    verifier,
  );
  if (!mediaKey.ok) return mediaKey;
  return ok({ jws, digest: jwsDigest(jws), payload, mediaKey: mediaKey.value, scope: scope.value });
}

/** Who is called answers itself, or has a gateway that the offer takes. */
function checkSigner(
  { callee, gateway }: AnswerPayload,
  { gateway: signer, offer }: Pick<AnswerExpectation, "gateway" | "offer">,
): Result<void> {
  if (signer === undefined)
    return gateway === undefined ? ok(undefined) : invalid("The answer is a gateway's.", AT);
  if (gateway === undefined) return invalid("The answer does not say for whom a gateway gives it.", AT);
  if (offer.payload.gateways !== true) return invalid("The caller takes no gateways.", AT);
  return checkStatement(gateway, { signer, subject: callee }, AT);
}

/** The first choice of `answer` that `offer` does not hold, by its place; `undefined` when all do. */
function outsideOffer(answer: AnswerPayload, offer: Offer): string | undefined {
  if (!offer.payload.profiles.includes(answer.profile)) return "answer.profile";
  const used = new Set<number>();
  const ssrcs = new Set(offer.payload.streams.map((stream) => stream.ssrc));
  for (const [i, stream] of answer.streams.entries()) {
    const at = `answer.streams[${i}]`;
    const offered = offer.payload.streams.find((candidate) => candidate.stream === stream.stream);
    if (offered === undefined || used.has(stream.stream)) return `${at}.stream`;
    used.add(stream.stream);
    if (stream.modality !== offered.modality) return `${at}.modality`;
    if (ssrcs.has(stream.ssrc)) return `${at}.ssrc`;
    ssrcs.add(stream.ssrc);
    const choice = misfitOf(stream, offered);
    if (choice !== undefined) return `${at}.${choice}`;
  }
  const stray = strayRendition(answer.streams);
  return stray === undefined ? undefined : `answer.streams[${stray}].codec`;
}

const AT = "answer.gateway";

function invalid(message: string, at: string): ReturnType<typeof refuse> {
  return refuse("field-invalid", message, at);
}

/** Session ids: `sess-` and 43 base64url characters from the server, and what other servers write. */
export const SESSION_ID: Shape<string> = text({ min: 8, max: 128, pattern: /^sess-[A-Za-z0-9_-]+$/ });

export const ANSWER_STREAM: Shape<AnswerStream> = variant("modality", {
  audio: AUDIO_ANSWER_STREAM,
  video: VIDEO_ANSWER_STREAM,
  data: DATA_ANSWER_STREAM,
});

export const ANSWER: SignedForm<AnswerPayload> = {
  typ: "parley-answer+jwt",
  name: "answer",
  shape: object<AnswerPayload>({
    v: oneOf(1),
    session_id: SESSION_ID,
    offer_digest: DIGEST,
    caller: AGENT_ID,
    callee: AGENT_ID,
    gateway: optional(GATEWAY_STATEMENT),
    media_key: JWS_TEXT,
    scope: SCOPE_LIST,
    profile: PROFILE,
    streams: list(ANSWER_STREAM, { min: 1, max: MAX_STREAMS }),
    clock: CLOCK,
    last_audit_id: DIGEST,
    iat: SECONDS,
  }),
};
