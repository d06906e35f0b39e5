import { ok, type Result, refuse } from "../codecs/result.ts";
import type { IdentitySigner, Signed, Verifier } from "../codecs/signer.ts";
import { SESSION_ID } from "./answer.ts";
import { jwsDigest, type SignedForm, signJws, verifySigned } from "./jws.ts";
import { MAX_STREAMS } from "./offer.ts";
import {
  formatScopes,
  LIMIT_NAMES,
  MAX_SCOPE_TOKENS,
  MAX_TOKEN_CHARACTERS,
  missingScopes,
  parseScopes,
  raisedLimit,
  type ScopeSet,
} from "./scope.ts";
import { DIGEST, integer, list, object, oneOf, optional, SECONDS, text } from "./shape.ts";
import { STREAM_ID } from "./stream-fields.ts";
import { streamIn, type Terms } from "./terms.ts";
import { checkSuccession, type Predecessor } from "./terms-succession.ts";

/** One end gives up part of its own scope, or closes streams, whoever opened them. `iat` is Unix seconds. */
export type NarrowingPayload = {
  readonly v: 1;
  readonly session_id: string;
  /** 64 hex digits. */
  readonly session_digest: string;
  /** Whose scope it is, and who signs. */
  readonly leg: 0 | 1;
  /** Number of the terms that this makes: one more than those in force. */
  readonly number: number;
  /** What remains, as `formatScopes` writes it. */
  readonly scope: readonly string[];
  /**
   * By rising number, every stream of offer and answer that is closed from then on, and every opened one that the last change still names: not only
   * what this closes, since a narrowing stands on the last one of the other leg and the last change alone. Absent: none.
   */
  readonly closed?: readonly number[];
  /** The last Audit-ID this end saw; 64 zeros when none. */
  readonly last_audit_id: string;
  readonly iat: number;
};

/** A verified narrowing and the terms that it makes. */
export interface Narrowing {
  readonly jws: string;
  readonly payload: NarrowingPayload;
  readonly scope: ScopeSet;
  readonly terms: Terms;
}

/** Signs a narrowing with the identity key of the end that gives up scope. */
export function makeNarrowing<Key extends IdentitySigner>(
  payload: NarrowingPayload,
  identity: Key,
): Signed<Key, string> {
  return signJws(NARROWING.typ, payload, identity);
}

/** What a narrowing must follow. */
export interface NarrowingExpectation extends Predecessor {
  /** The identity key of that leg. */
  readonly publicKey: Uint8Array;
  /** Steps between these terms and this one are left out: it may name streams that were opened and closed in them. */
  readonly leavesOut?: boolean | undefined;
}

/**
 * Judges a narrowing against the terms in force and makes the next ones of it. Faults: `signature-invalid`,
 * `field-invalid`, `json-not-canonical`; `terms-outdated` when it does not make the next number, and those of
 * {@link narrowedTerms}.
 */
export function verifyNarrowing(
  jws: string,
  expected: NarrowingExpectation,
  verifier: Verifier,
): Result<Narrowing> {
  const verified = verifySigned(jws, NARROWING, expected.publicKey, verifier);
  if (!verified.ok) return verified;
  const payload = verified.value;
  const follows = checkSuccession(payload, expected, "narrowing");
  if (!follows.ok) return follows;
  const made = narrowedTerms(expected.terms, payload, expected.leavesOut);
  if (!made.ok) return made;
  return ok({ jws, payload, scope: made.value.scope, terms: made.value.terms });
}

/** What a narrowing leaves: of the scope of its leg, and of the streams. */
export type Narrowed = Pick<NarrowingPayload, "leg" | "scope" | "closed">;

/**
 * The terms that follow when `leg` keeps only `scope` and the streams in `closed` are closed. Faults: `scope-malformed`, `field-invalid` for a scope
 * that is not in its one written form, for streams that are not there or out of order, and for what changes nothing, `scope-violation` with
 * `details.missing_scopes` for a scope that grants more than the terms in force or lifts a cap, `limit-exceeded` for one that raises a cap.
 */
export function narrowedTerms(
  terms: Terms,
  { leg, scope: tokens, closed = [] }: Narrowed,
  leavesOut = false,
): Result<{ readonly terms: Terms; readonly scope: ScopeSet }> {
  const scope = parseScopes(tokens, "narrowing.scope");
  if (!scope.ok) return scope;
  const present = parseScopes(scopeOf(terms, leg), "terms.scope");
  if (!present.ok) return present;
  const written = formatScopes(scope.value);
  if (!sameTokens(written, tokens)) {
    return refuse("field-invalid", "This is not how a scope is written.", "narrowing.scope");
  }
  const missing = missingScopes(present.value, scope.value);
  if (missing.length > 0) {
    return refuse("scope-violation", "A narrowing only gives up scope.", "narrowing.scope", {
      missing_scopes: missing,
    });
  }
  const lifted = LIMIT_NAMES.find(
    (name) => present.value.limits[name] !== undefined && scope.value.limits[name] === undefined,
  );
  if (lifted !== undefined) {
    return refuse("scope-violation", "A narrowing lifts no cap.", "narrowing.scope", { missing_scopes: [] });
  }
  const raised = raisedLimit(present.value.limits, scope.value.limits);
  if (raised !== undefined) {
    return refuse("limit-exceeded", "A narrowing raises no cap.", "narrowing.scope", raised);
  }
  // A change that is left out may have taken opened streams from the list.
  const before = leavesOut ? (terms.closed ?? []) : closedOf(terms);
  const inOrder = closed.every((stream, i) => i === 0 || (closed[i - 1] as number) < stream);
  if (!inOrder) return refuse("field-invalid", "Streams stand by rising number.", "narrowing.closed");
  if (before.some((stream) => !closed.includes(stream)))
    return refuse("field-invalid", "This leaves out a stream that is closed.", "narrowing.closed");
  const closes = closed.filter((stream) => !before.includes(stream));
  if (!leavesOut && closes.some((stream) => streamIn(terms, stream) === undefined))
    return refuse("field-invalid", "There is no such stream to close.", "narrowing.closed");
  if (closes.length === 0 && sameTokens(written, formatScopes(present.value))) {
    return refuse("field-invalid", "This gives up nothing.", "narrowing.scope");
  }
  const legs = terms.legs.map((entry) => (entry.leg === leg ? { leg, scope: written } : entry));
  return ok({
    terms: { ...withoutStreams(terms, closes), number: terms.number + 1, legs },
    scope: scope.value,
  });
}

/** What a narrowing from `terms` says is closed, where it closes `more` streams. */
export function closedOf(
  { closed = [], closed_since: since = [] }: Terms,
  more: readonly number[] = [],
): readonly number[] {
  return rising([...new Set([...closed, ...since, ...more])]);
}

/** The terms without streams and what was agreed of them. */
function withoutStreams(terms: Terms, closes: readonly number[]): Terms {
  if (closes.length === 0) return terms;
  const { settings = [], opened = [], closed = [], closed_since: since = [], ...rest } = terms;
  const isOpen = ({ stream }: { readonly stream: number }) => !closes.includes(stream);
  const isOpened = (stream: number) => opened.some(({ offer }) => offer.stream === stream);
  const known = closes.filter((stream) => streamIn(terms, stream) !== undefined);
  const kept = {
    settings: settings.filter(isOpen),
    opened: opened.filter(({ offer }) => isOpen(offer)),
    closed: rising([...closed, ...known.filter((stream) => !isOpened(stream))]),
    closed_since: rising([...since, ...known.filter(isOpened)]),
  };
  const present = Object.entries(kept).filter(([, list]) => list.length > 0);
  return { ...rest, streams: terms.streams.filter(isOpen), ...Object.fromEntries(present) };
}

function rising(numbers: readonly number[]): readonly number[] {
  return numbers.toSorted((a, b) => a - b);
}

/** The scope of one leg under these terms, as written. */
export function scopeOf(terms: Terms, leg: 0 | 1): readonly string[] {
  return terms.legs.find((entry) => entry.leg === leg)?.scope ?? [];
}

/** SHA-256 of a narrowing's compact form, 64 hex digits: how records name it. */
export function narrowingDigest(jws: string): string {
  return jwsDigest(jws);
}

function sameTokens(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((token, index) => token === right[index]);
}

/** As many as an answer, and the last change beside it, can name. */
const MAX_CLOSED = 2 * MAX_STREAMS;

export const NARROWING: SignedForm<NarrowingPayload> = {
  typ: "parley-narrowing+jwt",
  name: "narrowing",
  shape: object<NarrowingPayload>({
    v: oneOf(1),
    session_id: SESSION_ID,
    session_digest: DIGEST,
    leg: oneOf(0, 1),
    number: integer(2, 2 ** 32),
    scope: list(text({ max: MAX_TOKEN_CHARACTERS }), { max: MAX_SCOPE_TOKENS }),
    closed: optional(list(STREAM_ID, { min: 1, max: MAX_CLOSED })),
    last_audit_id: DIGEST,
    iat: SECONDS,
  }),
};
