import { decodeBase64url, encodeBase64url } from "../codecs/base64url.ts";
import { isJsonObject, type JsonObject, parseJson } from "../codecs/canonical-json.ts";
import { duplicateMember } from "../codecs/duplicate-members.ts";
import { decodeHex, encodeHex } from "../codecs/hex.ts";
import { type Fault, ok, type Result, refuse } from "../codecs/result.ts";
import type { IdentitySigner, Signed } from "../codecs/signer.ts";
import type { AccessGrant, TokenConfirmation } from "./authority.ts";
import { signJws } from "./jws.ts";
import { formatScopes, parseScopes, type ScopeSet } from "./scope.ts";
import { AGENT_ID, list, object, optional, readShape, SECONDS, type Shape, text } from "./shape.ts";
import { CLOCK_SKEW_SECONDS, toSeconds } from "./validity.ts";

/** Longest access token, characters: it goes with every proof. Longer ones are refused unread. */
const MAX_TOKEN_CHARACTERS = 8_192;
/** Longest life of an access token, seconds: there is no list of those taken back. */
const MAX_TOKEN_SECONDS = 3_600;

/** Bytes of a SHA-256 fingerprint. */
const FINGERPRINT_BYTES = 32;

/** Signature algorithms of access tokens (RFC 7518, RFC 8037). */
export const TOKEN_ALGORITHMS = ["EdDSA", "ES256", "RS256"] as const;
export type TokenAlgorithm = (typeof TOKEN_ALGORITHMS)[number];

/** The access tokens that Parley makes; those of other makers may also be `at+jwt` (RFC 9068). */
export const ACCESS_TOKEN = { typ: "agtp-access+jwt" } as const;

/** A token taken apart. Nothing of it is to be believed before its signature was judged. */
export interface ReadToken {
  readonly algorithm: TokenAlgorithm;
  readonly keyId: string | undefined;
  readonly claims: TokenClaims;
  /** The ASCII bytes that are signed. */
  readonly signed: Uint8Array;
  readonly signature: Uint8Array;
}

/** What Parley reads of a token. */
export type TokenClaims = {
  readonly iss: string;
  readonly sub: string;
  readonly aud: string | readonly string[];
  readonly exp: number;
  readonly iat: number;
  readonly nbf?: number;
  readonly jti: string;
  readonly scope: string | readonly string[];
  /** Binds the token to whoever holds a key (RFC 7800). Of its members Parley reads this one. */
  readonly cnf?: { readonly "x5t#S256"?: string };
};

/**
 * Takes an access token apart: three parts of strict base64url, JSON without duplicate members, a `typ` of access tokens, one of
 * the algorithms, every claim there and of its form. Headers that would say where keys are or change what is signed are refused.
 * Faults: `token-invalid`, `at` and `details.claim` naming the part.
 */
export function readAccessToken(token: string): Result<ReadToken> {
  if (token.length > MAX_TOKEN_CHARACTERS)
    return tokenInvalid(undefined, `A token has at most ${MAX_TOKEN_CHARACTERS} characters.`);
  const parts = token.split(".");
  const [headerText = "", payloadText = "", signatureText = ""] = parts;
  if (parts.length !== 3) return tokenInvalid(undefined, "A signed token has three parts.");
  const header = segment(headerText, "header");
  if (!header.ok) return header;
  const named = readHeader(header.value);
  if (!named.ok) return named;
  const payload = segment(payloadText, "payload");
  if (!payload.ok) return payload;
  const claims = readShape(CLAIMS, payload.value, "token");
  if (!claims.ok) return tokenInvalid(memberOf(claims.fault), claims.fault.message);
  const signature = decodeBase64url(signatureText);
  if (!signature.ok || signature.value.length === 0)
    return tokenInvalid("signature", "The signature is missing or no base64url.");
  const signed = ascii.encode(`${headerText}.${payloadText}`);
  return ok({ ...named.value, claims: claims.value, signed, signature: signature.value });
}

/**
 * What a token grants whose signature holds, here and now. `audiences`: what this server goes by. Faults: `token-invalid` naming the
 * claim, `token-expired`.
 */
export function judgeClaims(
  claims: TokenClaims,
  { audiences, now }: { readonly audiences: readonly string[]; readonly now: number },
): Result<AccessGrant> {
  const { iss, sub, aud, exp, iat, nbf, jti, cnf } = claims;
  const named = typeof aud === "string" ? [aud] : aud;
  if (!named.some((audience) => audiences.includes(audience)))
    return tokenInvalid("aud", "The token is for another server.");
  const life = checkLife(claims);
  if (!life.ok) return life;
  const seconds = now / 1000;
  if (iat > seconds + CLOCK_SKEW_SECONDS) return tokenInvalid("iat", "The token is of the future.");
  if (nbf !== undefined && nbf > seconds + CLOCK_SKEW_SECONDS)
    return tokenInvalid("nbf", "The token does not hold yet.");
  if (seconds >= exp) return tokenExpired();
  const scope = readScope(claims.scope);
  if (!scope.ok) return tokenInvalid("scope", scope.fault.message);
  const confirmation = readConfirmation(cnf);
  if (!confirmation.ok) return confirmation;
  return ok({
    ...{ issuer: iss, tokenId: jti, agentId: sub, scope: scope.value, expiresAt: exp * 1000 },
    ...(confirmation.value === undefined ? {} : { confirmation: confirmation.value }),
  });
}

/** What an access token says. */
export interface AccessTokenInput {
  /** Who says so: a name the server trusts, or the agent's own Agent-ID. */
  readonly issuer: string;
  readonly agentId: string;
  /** What the server goes by: an origin of it, its `Server-ID` or its Agent-ID; several for several servers. */
  readonly audience: string | readonly string[];
  readonly scope: ScopeSet;
  /** Seconds, at most {@link MAX_TOKEN_SECONDS}. */
  readonly lifetime: number;
  /** Unique among the issuer's tokens. */
  readonly jti: string;
  /** SHA-256 of the certificate that its bearer must hold, 64 hex digits. */
  readonly fingerprint?: string | undefined;
  /** Unix milliseconds. */
  readonly now: number;
}

/** Makes an access token with an Ed25519 key. */
export function makeAccessToken<Key extends IdentitySigner>(
  input: AccessTokenInput,
  signer: Key,
): Signed<Key, string> {
  const iat = toSeconds(input.now);
  const claims: TokenClaims = {
    iss: input.issuer,
    sub: input.agentId,
    aud: input.audience,
    iat,
    exp: iat + input.lifetime,
    jti: input.jti,
    scope: formatScopes(input.scope).join(" "),
    ...(input.fingerprint === undefined ? {} : { cnf: { "x5t#S256": thumbprint(input.fingerprint) } }),
  };
  return signJws(ACCESS_TOKEN.typ, claims, signer);
}

/** Whether a token that was made will be taken: every claim of its form, and no longer life than one may have. Faults: `field-invalid`. */
export function checkMade(token: string): Result<void> {
  const read = readAccessToken(token);
  const lasting = read.ok ? checkLife(read.value.claims) : read;
  const judged = lasting.ok && read.ok ? readConfirmation(read.value.claims.cnf) : lasting;
  if (judged.ok) return ok(undefined);
  const { message, at } = judged.fault;
  return refuse("field-invalid", message, at);
}

/** The refusal of a token; `part` is the claim or header member at fault. Says nothing of what stands in it. */
export function tokenInvalid(part: string | undefined, message: string) {
  const at = part === undefined ? "token" : `token.${part}`;
  return refuse("token-invalid", message, at, part === undefined ? undefined : { claim: part });
}

/** The refusal of a token that held once. */
export function tokenExpired() {
  return refuse("token-expired", "The access token has expired: bring a fresh one.", "token.exp", {
    claim: "exp",
  });
}

function readHeader(header: JsonObject): Result<Pick<ReadToken, "algorithm" | "keyId">> {
  for (const name of REFUSED_HEADERS)
    if (Object.hasOwn(header, name)) return tokenInvalid(name, `No token with \`${name}\` is taken.`);
  const { alg, typ, kid } = header;
  const algorithm = TOKEN_ALGORITHMS.find((known) => known === alg);
  if (algorithm === undefined) return tokenInvalid("alg", "No such signature algorithm is taken.");
  const kind = typeof typ === "string" ? typ.toLowerCase().replace(/^application\//, "") : "";
  if (!TYPES.has(kind)) return tokenInvalid("typ", "This is not an access token.");
  if (kid !== undefined && (typeof kid !== "string" || !KEY_ID.test(kid)))
    return tokenInvalid("kid", "This cannot name a key.");
  return ok({ algorithm, keyId: kid });
}

function segment(encoded: string, part: string): Result<JsonObject> {
  const bytes = decodeBase64url(encoded);
  const value = bytes.ok ? parseJson(bytes.value) : bytes;
  if (!bytes.ok || !value.ok || !isJsonObject(value.value))
    return tokenInvalid(part, "This is not base64url of a JSON object.");
  const twice = duplicateMember(utf8.decode(bytes.value));
  if (twice !== undefined) return tokenInvalid(part, "A member stands twice.");
  return ok(value.value);
}

function checkLife({ iat, exp }: TokenClaims): Result<void> {
  if (exp > iat && exp <= iat + MAX_TOKEN_SECONDS) return ok(undefined);
  return tokenInvalid("exp", `A token lives at most ${MAX_TOKEN_SECONDS} s from its \`iat\`.`);
}

function readScope(scope: string | readonly string[]): Result<ScopeSet> {
  return parseScopes(typeof scope === "string" ? scope.replaceAll(",", " ") : scope, "scope");
}

/** `cnf` as it is checked. Faults: `token-invalid` for a thumbprint of another form. */
function readConfirmation(cnf: TokenClaims["cnf"]): Result<TokenConfirmation | undefined> {
  const encoded = cnf?.["x5t#S256"];
  if (cnf === undefined || encoded === undefined)
    return ok(cnf === undefined ? undefined : { fingerprint: undefined });
  const bytes = decodeBase64url(encoded);
  if (bytes.ok && bytes.value.length === FINGERPRINT_BYTES)
    return ok({ fingerprint: encodeHex(bytes.value) });
  return tokenInvalid("cnf", "A thumbprint is base64url of 32 bytes.");
}

/** Base64url of a fingerprint; as it is where it is none, which {@link checkMade} then says. */
function thumbprint(fingerprint: string): string {
  const bytes = decodeHex(fingerprint, FINGERPRINT_BYTES);
  return bytes.ok ? encodeBase64url(bytes.value) : fingerprint;
}

function memberOf({ at }: Fault): string {
  return /^token\.([a-z]+)/.exec(at ?? "")?.[1] ?? "payload";
}

const NAME = text({ min: 1, max: 512, pattern: /^[!-~]+$/ });
/** A string, or a list of them. */
function oneOrMore(item: Shape<string>, max: number): Shape<string | readonly string[]> {
  const several = list(item, { min: 1, max });
  return {
    schema: { anyOf: [item.schema, several.schema] },
    check: (value, at) => (Array.isArray(value) ? several : item).check(value, at),
  };
}

const CLAIMS: Shape<TokenClaims> = object<TokenClaims>(
  {
    iss: NAME,
    sub: AGENT_ID,
    aud: oneOrMore(NAME, 16),
    exp: SECONDS,
    iat: SECONDS,
    nbf: optional(SECONDS),
    jti: text({ min: 1, max: 256, pattern: /^[!-~]+$/ }),
    scope: oneOrMore(text({ max: 4_096, pattern: /^[ -~]*$/ }), 64),
    cnf: optional(
      object<NonNullable<TokenClaims["cnf"]>>({ "x5t#S256": optional(text({ max: 64 })) }, { open: true }),
    ),
  },
  { open: true },
);

const TYPES: ReadonlySet<string> = new Set([ACCESS_TOKEN.typ, "at+jwt"]);
/** Where a key would be found or what would be signed otherwise, in the token's own words: nothing that a token may decide. */
const REFUSED_HEADERS = ["crit", "b64", "jku", "jwk", "x5u", "x5c", "zip", "enc", "cty"] as const;
const KEY_ID = /^[!-~]{1,256}$/;
const ascii = new TextEncoder();
const utf8 = new TextDecoder();
