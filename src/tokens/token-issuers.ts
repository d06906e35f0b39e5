import { isJsonObject, type JsonObject, type JsonValue } from "../../codecs/canonical-json.ts";
import { TOKEN_ALGORITHMS, type TokenAlgorithm } from "../../signaling/access-token.ts";
import { isServiceUrl, Wrong } from "../setting-parsers.ts";

/** Somebody whose access tokens the server takes. */
export interface TokenIssuer {
  /** `iss` of its tokens, exactly. */
  readonly issuer: string;
  /** Where its keys are, as a JWKS (RFC 7517): an https URL, a file, or the document itself. */
  readonly jwks: string | JsonObject;
  /** What it signs with. Default: all of EdDSA, ES256 and RS256. */
  readonly algorithms?: readonly TokenAlgorithm[];
}

/** The setting `tokenIssuers`. */
export function readTokenIssuers(value: unknown): readonly TokenIssuer[] | Wrong {
  if (!Array.isArray(value) || value.length > MAX_ISSUERS)
    return new Wrong(`It is a list of at most ${MAX_ISSUERS} token issuers`);
  const issuers: TokenIssuer[] = [];
  for (const [index, entry] of (value as JsonValue[]).entries()) {
    const read = readIssuer(entry);
    if (read instanceof Wrong) return new Wrong(`[${index}]: ${read.expected}`);
    if (issuers.some(({ issuer }) => issuer === read.issuer)) return new Wrong(`${read.issuer} stands twice`);
    issuers.push(read);
  }
  return issuers;
}

function readIssuer(entry: JsonValue): TokenIssuer | Wrong {
  if (!isJsonObject(entry)) return new Wrong("It is an object with issuer and jwks");
  const { issuer, jwks, algorithms, ...more } = entry;
  const [unknown] = Object.keys(more);
  if (unknown !== undefined) return new Wrong(`There is no member "${unknown}"`);
  if (typeof issuer !== "string" || !ISSUER.test(issuer) || AGENT_ID.test(issuer))
    return new Wrong("issuer: It is the `iss` of its tokens, and no Agent-ID");
  const isUrl = typeof jwks === "string" && /^[a-z][a-z0-9+.-]*:\/\//i.test(jwks);
  if (isUrl && !isServiceUrl(jwks))
    return new Wrong("jwks: It is an https URL; http is for this machine alone");
  const isPlace = typeof jwks === "string" && jwks.length > 0;
  if (!isPlace && !(isJsonObject(jwks) && Array.isArray(jwks.keys)))
    return new Wrong("jwks: It is an https URL, a file, or an object with a list of keys");
  if (algorithms === undefined) return { issuer, jwks };
  const chosen = Array.isArray(algorithms) ? (algorithms as JsonValue[]) : [];
  const known = TOKEN_ALGORITHMS.filter((algorithm) => chosen.includes(algorithm));
  if (known.length === 0 || known.length !== chosen.length)
    return new Wrong(`algorithms: It is a list of some of ${TOKEN_ALGORITHMS.join(", ")}`);
  return { issuer, jwks, algorithms: known };
}

/** Issuers that one server takes tokens of. */
const MAX_ISSUERS = 32;
const ISSUER = /^[!-~]{1,512}$/;
/** Agents issue tokens for themselves, under this name: nobody else may. */
const AGENT_ID = /^[0-9a-f]{64}$/;
