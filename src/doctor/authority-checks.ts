/** Whose word the server takes: certificate authorities, and the keys of token issuers. Only those that the settings name. */
import type { ServerConfig } from "../config.ts";
import type { Check } from "./finding.ts";

export function authorityChecks({ certificateAuthorities, tokenIssuers }: ServerConfig): readonly Check[] {
  const authorities: Check = {
    name: "authorities",
    fix: "Give --certificate-authority PEM files with the certificates of authorities.",
    look: () => authoritiesIn(certificateAuthorities),
  };
  const issuers: Check = {
    name: "issuers",
    fix: "Have its keys where the setting tokenIssuers says, as a JWKS.",
    look: () => keysOf(tokenIssuers),
  };
  return [
    ...(certificateAuthorities.length === 0 ? [] : [authorities]),
    ...(tokenIssuers.length === 0 ? [] : [issuers]),
  ];
}

async function authoritiesIn(files: ServerConfig["certificateAuthorities"]) {
  const { certificateRules } = await import("../server/certificate-authorities.ts");
  const pinned = (await certificateRules(files))?.authorities.pinned ?? [];
  const now = Date.now();
  const current = pinned.filter(({ notBefore, notAfter }) => notBefore <= now && now <= notAfter);
  const found = `${current.length} of ${pinned.length} certificates of authorities are in force`;
  const last = Math.min(...current.map(({ notAfter }) => notAfter));
  if (current.length === 0)
    return {
      state: "failed",
      found,
      fix: "Have the authority give a certificate that is in force.",
    } as const;
  if (current.length < pinned.length || last < now + RENEW_MS)
    return {
      state: "warning",
      found: `${found}, one of them until ${new Date(last).toISOString()}`,
      fix: "Replace the others, and those that run out, in --certificate-authority.",
    } as const;
  return { state: "ok", found } as const;
}

/** One issuer that cannot be reached now may be so later, and keeps no server from starting. */
async function keysOf(issuers: ServerConfig["tokenIssuers"]) {
  const { verifier } = await import("../../platform/node/sodium.ts");
  const { TOKEN_ALGORITHMS } = await import("../../signaling/access-token.ts");
  const { loadKeyDocument } = await import("../tokens/key-document.ts");
  const { readKeys } = await import("../tokens/verification-keys.ts");
  const counts: string[] = [];
  const wrong: string[] = [];
  for (const { issuer, jwks, algorithms = TOKEN_ALGORITHMS } of issuers) {
    try {
      const document = typeof jwks === "string" ? await loadKeyDocument(jwks, FETCH_MS) : jwks;
      const { length } = await readKeys(document, algorithms, verifier);
      if (length === 0) wrong.push(`${issuer}: no key there may verify tokens`);
      else counts.push(`${issuer} (${length})`);
    } catch (error) {
      wrong.push(`${issuer}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  if (wrong.length > 0)
    return {
      state: "warning",
      found: `tokens of these are refused for now: ${wrong.join("; ")}`,
      fix: "Have their keys where the setting tokenIssuers says, as a JWKS.",
    } as const;
  return { state: "ok", found: `keys are there of ${counts.join(", ")}` } as const;
}

/** An authority with less time left is warned about. */
const RENEW_MS = 30 * 86_400_000;
const FETCH_MS = 2_000;
