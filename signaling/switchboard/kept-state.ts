import { canonicalBytes, type JsonValue, parseCanonical } from "../../codecs/canonical-json.ts";
import { ok, type Result } from "../../codecs/result.ts";
import { ANSWER_STREAM, type AnswerStream } from "../answer.ts";
import type { AccessGrant, AgentCertificate, Authority } from "../authority.ts";
import { formatScopes, parseScopes } from "../scope.ts";
import { SESSION_STATES, type SessionState } from "../session-machine.ts";
import {
  AGENT_ID,
  boolean,
  DIGEST,
  integer,
  list,
  number,
  object,
  oneOf,
  optional,
  readShape,
  type Shape,
  text,
} from "../shape.ts";
import { CLOCK, type ClockStatement, SCOPE_LIST, STREAM_ID } from "../stream-fields.ts";
import { asSent } from "../terms.ts";
import type { Ending, Session, SessionLeg, Suspension } from "./session.ts";

/** A certificate or access token that an end showed, as the log keeps it. Times are Unix milliseconds, scopes as `formatScopes` writes them. */
type KeptCertificate = {
  readonly fingerprint: string;
  readonly serial: string;
  readonly issuer_key_id: string;
  /** Authorities between it and the pinned one: `[issuer's key, serial number]`. */
  readonly authorities: readonly (readonly string[])[];
  readonly agent_id: string;
  readonly owner_id: string;
  readonly commitment: readonly string[];
  readonly governance_zone?: string;
  readonly trust_tier?: 1 | 2 | 3;
  readonly not_before: number;
  readonly not_after: number;
};
type KeptGrant = {
  readonly issuer: string;
  readonly token_id: string;
  readonly agent_id: string;
  readonly scope: readonly string[];
  readonly expires_at: number;
};

type KeptLeg = {
  readonly scope: readonly string[];
  readonly attach_seq: number;
  readonly clock: ClockStatement;
  /** It has, or had, a connection for media. */
  readonly has_had_media: boolean;
  readonly statement_bytes: number;
  readonly certificate?: KeptCertificate;
  readonly grant?: KeptGrant;
};

type KeptSuspension = {
  readonly id: string;
  readonly by: string;
  readonly reason?: string;
  /** SHA-256 of the nonce, hex: the nonce itself is nobody's but the end's that got it. */
  readonly nonce?: string;
  readonly used_nonce?: string;
  readonly suspended_at: number;
  readonly resume_by: number;
  readonly checkpoint?: JsonValue;
};

/** One direction of a stream: who speaks, and where. */
type KeptDirection = { readonly leg: 0 | 1; readonly stream: number };

/** A stream that was closed, in one direction, and waits for its last words. */
type KeptClosing = {
  readonly leg: 0 | 1;
  readonly closed_at: number;
  /** What its speaker sent: no terms in force tell it any more. */
  readonly sent: AnswerStream;
};

/** What the server keeps of a persistent session for itself: all that no artifact of the session tells. Times are Unix milliseconds. */
export type KeptState = {
  readonly v: 1;
  readonly state: SessionState;
  readonly ttl: number;
  readonly established_at: number;
  readonly expires_at: number;
  /** How far media time was ahead of the wall clock: the ends' clocks were compared with that. */
  readonly media_ahead: number;
  readonly legs: readonly KeptLeg[];
  readonly least_sequences: readonly {
    readonly leg: 0 | 1;
    readonly stream: number;
    readonly sequence: number;
  }[];
  /** Those whose listener wants nothing for now. Absent: none. */
  readonly held?: readonly KeptDirection[];
  /** Absent: none. */
  readonly closing?: readonly KeptClosing[];
  readonly suspension?: KeptSuspension;
  readonly ending?: Ending;
  readonly nonces_refused: number;
  readonly statements_dropped: readonly { readonly reason: string; readonly count: number }[];
};

/** The state of a session as the log keeps it. */
export function writeState(session: Session, mediaAhead: number): Uint8Array {
  const { suspension, ending, flows } = session;
  const held = flows.flatMap(({ speaker: leg, stream, isHeld }) => (isHeld ? { leg, stream } : []));
  const closing = flows.flatMap(({ speaker: leg, agreed, closedAt }) =>
    closedAt === undefined ? [] : { leg, closed_at: closedAt, sent: asSent(agreed, leg) },
  );
  const kept: KeptState = {
    v: 1,
    state: session.state,
    ttl: session.ttl,
    established_at: session.establishedAt,
    expires_at: session.expiresAt,
    media_ahead: mediaAhead,
    legs: session.legs.map(writeLeg),
    least_sequences: [...session.leastSequences].map(([{ speaker, stream }, sequence]) => ({
      leg: speaker,
      stream,
      sequence,
    })),
    ...(held.length === 0 ? {} : { held }),
    ...(closing.length === 0 ? {} : { closing }),
    ...(suspension === undefined ? {} : { suspension: writeSuspension(suspension) }),
    ...(ending === undefined ? {} : { ending }),
    nonces_refused: session.noncesRefused,
    statements_dropped: Object.entries(session.statementsDropped).map(([reason, count]) => ({
      reason,
      count,
    })),
  };
  return canonicalBytes(kept);
}

/** The inverse of {@link writeState}. Faults: `json-malformed`, `json-not-canonical`, `field-invalid`. */
export function readState(bytes: Uint8Array): Result<KeptState> {
  const parsed = parseCanonical(bytes);
  return parsed.ok ? readShape(KEPT_STATE, parsed.value, "state") : parsed;
}

/** What an end showed beside its documents. Faults: `scope-malformed`. */
export function readAuthority({ certificate, grant }: KeptState["legs"][number]): Result<Authority> {
  const commitment = parseScopes(certificate?.commitment ?? [], "state.certificate.commitment");
  if (!commitment.ok) return commitment;
  const scope = parseScopes(grant?.scope ?? [], "state.grant.scope");
  if (!scope.ok) return scope;
  return ok({
    certificate: certificate === undefined ? undefined : readCertificate(certificate, commitment.value),
    grant: grant === undefined ? undefined : readGrant(grant, scope.value),
  });
}

function writeLeg(leg: SessionLeg): KeptLeg {
  const { certificate, grant } = leg.authority;
  return {
    scope: formatScopes(leg.scope),
    attach_seq: leg.attachSeq,
    clock: leg.clock,
    has_had_media: leg.attached || leg.detachedAt !== undefined,
    statement_bytes: leg.statementRoom.bytes,
    ...(certificate === undefined ? {} : { certificate: writeCertificate(certificate) }),
    ...(grant === undefined
      ? {}
      : {
          grant: {
            issuer: grant.issuer,
            token_id: grant.tokenId,
            agent_id: grant.agentId,
            scope: formatScopes(grant.scope),
            expires_at: grant.expiresAt,
          },
        }),
  };
}

function writeCertificate(certificate: AgentCertificate): KeptCertificate {
  const { governanceZone, trustTier } = certificate;
  return {
    fingerprint: certificate.fingerprint,
    serial: certificate.serial,
    issuer_key_id: certificate.issuerKeyId,
    authorities: certificate.authorities.map(({ issuerKeyId, serial }) => [issuerKeyId, serial]),
    agent_id: certificate.agentId,
    owner_id: certificate.ownerId,
    commitment: formatScopes(certificate.commitment),
    ...(governanceZone === undefined ? {} : { governance_zone: governanceZone }),
    ...(trustTier === undefined ? {} : { trust_tier: trustTier }),
    not_before: certificate.notBefore,
    not_after: certificate.notAfter,
  };
}

function readCertificate(
  kept: KeptCertificate,
  commitment: AgentCertificate["commitment"],
): AgentCertificate {
  return {
    fingerprint: kept.fingerprint,
    serial: kept.serial,
    issuerKeyId: kept.issuer_key_id,
    authorities: kept.authorities.map(([issuerKeyId = "", serial = ""]) => ({ issuerKeyId, serial })),
    agentId: kept.agent_id,
    ownerId: kept.owner_id,
    commitment,
    governanceZone: kept.governance_zone,
    trustTier: kept.trust_tier,
    notBefore: kept.not_before,
    notAfter: kept.not_after,
  };
}

function readGrant(kept: KeptGrant, scope: AccessGrant["scope"]): AccessGrant {
  const { issuer, token_id: tokenId, agent_id: agentId, expires_at: expiresAt } = kept;
  return { issuer, tokenId, agentId, scope, expiresAt };
}

function writeSuspension(suspension: Suspension): KeptSuspension {
  const { reason, nonceDigest, usedDigest, checkpoint } = suspension;
  return {
    id: suspension.id,
    by: suspension.by,
    ...(reason === undefined ? {} : { reason }),
    ...(nonceDigest === undefined ? {} : { nonce: nonceDigest }),
    ...(usedDigest === undefined ? {} : { used_nonce: usedDigest }),
    suspended_at: suspension.suspendedAt,
    resume_by: suspension.resumeBy,
    ...(checkpoint === undefined ? {} : { checkpoint }),
  };
}

const TIME = number(0, Number.MAX_SAFE_INTEGER);
const COUNT = integer(0, Number.MAX_SAFE_INTEGER);
const NAME = text({ max: 1024 });
const ANYTHING: Shape<JsonValue> = { schema: {}, check: () => undefined };

const KEPT_STATE: Shape<KeptState> = object<KeptState>({
  v: oneOf(1),
  state: oneOf(...SESSION_STATES),
  ttl: COUNT,
  established_at: TIME,
  expires_at: TIME,
  media_ahead: number(-Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
  legs: list(
    object<KeptLeg>({
      scope: SCOPE_LIST,
      attach_seq: COUNT,
      clock: CLOCK,
      has_had_media: boolean(),
      statement_bytes: COUNT,
      certificate: optional(
        object<KeptCertificate>({
          fingerprint: NAME,
          serial: NAME,
          issuer_key_id: NAME,
          authorities: list(list(NAME, { min: 2, max: 2 }), { max: 16 }),
          agent_id: AGENT_ID,
          owner_id: NAME,
          commitment: SCOPE_LIST,
          governance_zone: optional(NAME),
          trust_tier: optional(oneOf(1, 2, 3)),
          not_before: TIME,
          not_after: TIME,
        }),
      ),
      grant: optional(
        object<KeptGrant>({
          issuer: NAME,
          token_id: NAME,
          agent_id: AGENT_ID,
          scope: SCOPE_LIST,
          expires_at: TIME,
        }),
      ),
    }),
    { min: 2, max: 2 },
  ),
  least_sequences: list(
    object<KeptState["least_sequences"][number]>({ leg: oneOf(0, 1), stream: COUNT, sequence: COUNT }),
    { max: 1024 },
  ),
  held: optional(list(object<KeptDirection>({ leg: oneOf(0, 1), stream: STREAM_ID }), { max: 1024 })),
  closing: optional(
    list(object<KeptClosing>({ leg: oneOf(0, 1), closed_at: TIME, sent: ANSWER_STREAM }), { max: 1024 }),
  ),
  suspension: optional(
    object<KeptSuspension>({
      id: NAME,
      by: NAME,
      reason: optional(NAME),
      nonce: optional(DIGEST),
      used_nonce: optional(DIGEST),
      suspended_at: TIME,
      resume_by: TIME,
      checkpoint: optional(ANYTHING),
    }),
  ),
  ending: optional(object<Ending>({ reason: NAME, by: NAME, at: TIME })),
  nonces_refused: COUNT,
  statements_dropped: list(object<{ reason: string; count: number }>({ reason: NAME, count: COUNT }), {
    max: 64,
  }),
});
