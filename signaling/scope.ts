import { ok, type Result, refuse } from "../codecs/result.ts";

/** What can be captured and transmitted. */
export type Modality = "audio" | "video" | "data";

/** Resource caps a scope can carry, as `communication:limit:<name>:<integer>` (`spec/agtp.md` 5.5). */
export const LIMIT_NAMES = ["bitrate-bps", "duration-s", "streams", "frame-rate", "height"] as const;
export type LimitName = (typeof LIMIT_NAMES)[number];
export type ScopeLimits = Readonly<Partial<Record<LimitName, number>>>;

/** An Authority-Scope, parsed: what it grants, and caps on it. A cap that is absent does not limit. */
export interface ScopeSet {
  /** Grant tokens, sorted, none covered by another. */
  readonly grants: readonly string[];
  readonly limits: ScopeLimits;
}

/** Most tokens of one scope, and most characters of one token. Longer ones are refused (`scope-malformed`). */
export const MAX_SCOPE_TOKENS = 64;
export const MAX_TOKEN_CHARACTERS = 128;

/** The scope that grants nothing. */
export const NO_SCOPE: ScopeSet = { grants: [], limits: {} };

/**
 * Reads a scope from a header (`a:b, c:d`; older peers put blanks between tokens) or from a JSON list. Tokens are
 * lowercase segments joined by `:`, at least two; a lone `*` is a segment too. Faults: `scope-malformed`.
 */
export function parseScopes(source: string | readonly string[], at = "scope"): Result<ScopeSet> {
  const tokens = typeof source === "string" ? splitHeader(source) : source;
  if (tokens.length > MAX_SCOPE_TOKENS) {
    return refuse("scope-malformed", `A scope has at most ${MAX_SCOPE_TOKENS} tokens.`, at);
  }
  const grants: string[] = [];
  const limits: Partial<Record<LimitName, number>> = {};
  for (const [i, token] of tokens.entries()) {
    if (token.length > MAX_TOKEN_CHARACTERS || !TOKEN.test(token)) {
      return refuse("scope-malformed", "This is not a scope token.", `${at}[${i}]`);
    }
    if (!token.startsWith(LIMIT_PREFIX)) {
      grants.push(token);
      continue;
    }
    const limit = LIMIT.exec(token);
    const name = LIMIT_NAMES.find((known) => known === limit?.[1]);
    const value = Number(limit?.[2]);
    // A cap that is not understood cannot be kept, so it is no scope to act under.
    if (name === undefined || !Number.isSafeInteger(value)) {
      return refuse("scope-malformed", "This is not a known limit with a whole number.", `${at}[${i}]`);
    }
    limits[name] = Math.min(limits[name] ?? value, value);
  }
  return ok({ grants: normalize(expand(grants)), limits });
}

/** The tokens of a scope for a JSON list: grants, then limits. */
export function formatScopes(scope: ScopeSet): string[] {
  const limits = LIMIT_NAMES.filter((name) => scope.limits[name] !== undefined);
  return [...scope.grants, ...limits.map((name) => `${LIMIT_PREFIX}${name}:${scope.limits[name]}`)];
}

/** A scope as the value of an Authority-Scope header. */
export function scopeHeader(scope: ScopeSet): string {
  return formatScopes(scope).join(", ");
}

/**
 * True when `scope` grants everything the token `need` names. In a grant, `*` matches one segment, as the last one all
 * that follow (at least one); `communication:bilateral` stands for capture and transmit of audio, video and data.
 */
export function covers(scope: ScopeSet, need: string): boolean {
  const grants = expand(scope.grants);
  return expand([need]).every((token) => grants.some((grant) => tokenCovers(grant, token)));
}

/** The tokens of `wanted` that `granted` does not cover. Limits are caps, not permissions: none is ever missing. */
export function missingScopes(granted: ScopeSet, wanted: ScopeSet): string[] {
  return normalize(expand(wanted.grants).filter((token) => !covers(granted, token)));
}

/**
 * What both scopes grant, under the lower of each pair of caps. Wildcards can multiply: of more than
 * {@link MAX_SCOPE_TOKENS} tokens the last in order are left out, which grants less, never more.
 */
export function intersect(left: ScopeSet, right: ScopeSet): ScopeSet {
  const shared = new Set<string>();
  for (const a of expand(left.grants)) {
    for (const b of expand(right.grants)) {
      const meet = tokenMeet(a, b);
      if (meet !== undefined) shared.add(meet);
    }
  }
  const grants = normalize([...shared].sort().slice(0, MAX_SHARED_TOKENS)).slice(0, MAX_SCOPE_TOKENS);
  return { grants, limits: lowerLimits(left.limits, right.limits) };
}

/** What `scope` grants and `tokens` besides, under the caps of `scope`. */
export function widen(scope: ScopeSet, tokens: readonly string[]): ScopeSet {
  return { grants: normalize(expand([...scope.grants, ...tokens])), limits: scope.limits };
}

/** True when `scope` lets its holder do `act` with `modality`. */
export function permits(scope: ScopeSet, modality: Modality, act: "capture" | "transmit"): boolean {
  return covers(scope, `communication:${modality}:${act}`);
}

/** The tokens that sending a modality takes. Receiving takes none. */
export function sendingScopes(modality: Modality): string[] {
  return [`communication:${modality}:capture`, `communication:${modality}:transmit`];
}

/** True when `scope` lets its holder send `modality`: capture and transmit. */
export function permitsSending(scope: ScopeSet, modality: Modality): boolean {
  return sendingScopes(modality).every((token) => covers(scope, token));
}

/** What an agent's authority is made of. */
export interface AuthoritySources {
  /** What the request claims (Authority-Scope). Absent: everything declared. */
  readonly claim?: ScopeSet;
  /** `scopes_accepted` of the identity document. */
  readonly document: ScopeSet;
  /** `scope` of the Genesis, where it has one. */
  readonly genesis?: ScopeSet | undefined;
  /** The certificate's commitment, where the connection has one. */
  readonly certificate?: ScopeSet | undefined;
  /** What the access token grants, where one was shown. */
  readonly grant?: ScopeSet | undefined;
  /** What this server lets anybody do. */
  readonly policy?: ScopeSet | undefined;
}

/**
 * The scope in force: claim, identity document, Genesis, certificate, access token and server policy, intersected. A claim
 * beyond the documents is refused with `scope-claim-invalid`, beyond the certificate with `scope-violation`, both with
 * `details.missing_scopes`; token and policy narrow without refusing, and of caps the lowest holds.
 */
export function effectiveScope(sources: AuthoritySources): Result<ScopeSet> {
  const declared = intersectAll(sources.document, sources.genesis);
  const claim = sources.claim ?? declared;
  const undeclared = missingScopes(declared, claim);
  if (undeclared.length > 0) {
    return refuse("scope-claim-invalid", "The claim exceeds the identity document.", "scope", {
      missing_scopes: undeclared,
    });
  }
  if (sources.claim !== undefined && sources.certificate !== undefined) {
    const uncommitted = missingScopes(sources.certificate, claim);
    if (uncommitted.length > 0) {
      return refuse("scope-violation", "The claim exceeds the certificate.", "scope", {
        missing_scopes: uncommitted,
      });
    }
  }
  return ok(intersect(claim, grantedScope(sources)));
}

/** The most an agent may do now, whatever it claims: identity document, Genesis, certificate, access token and server policy, intersected. */
export function grantedScope(sources: Omit<AuthoritySources, "claim">): ScopeSet {
  const { document, genesis, certificate, grant, policy } = sources;
  return intersectAll(document, genesis, certificate, grant, policy);
}

/** The first cap that `asked` names higher than `granted` does; one that it does not name follows what was granted. */
export function raisedLimit(granted: ScopeLimits, asked: ScopeLimits) {
  for (const limit of LIMIT_NAMES) {
    const [cap, value] = [granted[limit], asked[limit]];
    if (cap !== undefined && value !== undefined && value > cap) return { limit, cap, asked: value };
  }
  return undefined;
}

/** True when both let their holder do the same under the same caps. */
export function isSameScope(left: ScopeSet, right: ScopeSet): boolean {
  return scopeHeader(left) === scopeHeader(right);
}

function intersectAll(first: ScopeSet, ...others: readonly (ScopeSet | undefined)[]): ScopeSet {
  let scope = first;
  for (const other of others) if (other !== undefined) scope = intersect(scope, other);
  return scope;
}

function splitHeader(header: string): string[] {
  const trimmed = header.replace(/^[ \t]+|[ \t]+$/g, "");
  return trimmed === "" ? [] : trimmed.split(/[ \t]*,[ \t]*|[ \t]+/);
}

function expand(tokens: readonly string[]): string[] {
  return tokens.flatMap((token) => (token === BILATERAL ? BILATERAL_PARTS : [token]));
}

function normalize(tokens: readonly string[]): string[] {
  const distinct = [...new Set(tokens)];
  const widest = distinct.filter(
    (token) => !distinct.some((other) => other !== token && tokenCovers(other, token)),
  );
  const whole = BILATERAL_PARTS.every((part) => widest.includes(part));
  const kept = whole ? [BILATERAL, ...widest.filter((token) => !BILATERAL_PARTS.includes(token))] : widest;
  return kept.sort();
}

function tokenCovers(grant: string, need: string): boolean {
  return tokenMeet(grant, need) === need;
}

/** The token whose matches are those of both, or `undefined` when they share none. */
function tokenMeet(left: string, right: string): string | undefined {
  if (left === right) return left;
  if (!left.includes("*") && !right.includes("*")) return undefined;
  const a = left.split(":");
  const b = right.split(":");
  const [shorter, longer] = a.length <= b.length ? [a, b] : [b, a];
  const last = shorter.length - 1;
  if (shorter.length < longer.length && shorter[last] !== "*") return undefined;
  const meet: string[] = [];
  for (const [i, segment] of longer.entries()) {
    // Past the end of the shorter one, its final `*` matches whatever there is.
    const other = i <= last ? (shorter[i] as string) : "*";
    if (segment !== other && segment !== "*" && other !== "*") return undefined;
    meet.push(segment === "*" ? other : segment);
  }
  return meet.join(":");
}

function lowerLimits(left: ScopeLimits, right: ScopeLimits): ScopeLimits {
  const limits: Partial<Record<LimitName, number>> = {};
  for (const name of LIMIT_NAMES) {
    const value = Math.min(left[name] ?? Number.POSITIVE_INFINITY, right[name] ?? Number.POSITIVE_INFINITY);
    if (Number.isFinite(value)) limits[name] = value;
  }
  return limits;
}

/** Tokens that two scopes share before those covered by others are taken out: the work grows with its square. */
const MAX_SHARED_TOKENS = 4 * MAX_SCOPE_TOKENS;

const TOKEN = /^(?:[a-z0-9_-]+|\*)(?::(?:[a-z0-9_-]+|\*))+$/;
const LIMIT_PREFIX = "communication:limit:";
const LIMIT = /^communication:limit:([a-z-]+):(0|[1-9][0-9]*)$/;
const BILATERAL = "communication:bilateral";
const MODALITIES: readonly Modality[] = ["audio", "video", "data"];
const BILATERAL_PARTS: readonly string[] = MODALITIES.flatMap(sendingScopes);
