import type { ScopeSet } from "./scope.ts";

/** Names a certificate: its serial number, and the key of the authority that signed it, as in {@link AgentCertificate}. */
export interface IssuedSerial {
  readonly issuerKeyId: string;
  readonly serial: string;
}

/** What a verified Agent Certificate says of its holder (`spec/agtp.md` 4.5). */
export interface AgentCertificate {
  /** SHA-256 of the certificate (DER), 64 hex. */
  readonly fingerprint: string;
  /** Serial number, lowercase hex without leading zeros; unique for one issuer. */
  readonly serial: string;
  /** SHA-256 of the public key (SubjectPublicKeyInfo, DER) of the authority that signed it, 64 hex. */
  readonly issuerKeyId: string;
  /** The authorities between it and the pinned one, the nearest first: it holds only while none of them is revoked. */
  readonly authorities: readonly IssuedSerial[];
  readonly agentId: string;
  readonly ownerId: string;
  /** `authority-scope-commitment`: the most its holder may claim. */
  readonly commitment: ScopeSet;
  readonly governanceZone: string | undefined;
  readonly trustTier: 1 | 2 | 3 | undefined;
  /** Unix milliseconds, of the certificate and its chain: the time in which all of them are valid. */
  readonly notBefore: number;
  readonly notAfter: number;
}

/** What a verified access token lets an agent do: never more than its documents. */
export interface AccessGrant {
  /** `iss`: an issuer this server trusts, or the agent's own Agent-ID. */
  readonly issuer: string;
  /** `jti`. */
  readonly tokenId: string;
  /** `sub`: the agent it is for. */
  readonly agentId: string;
  readonly scope: ScopeSet;
  /** Unix milliseconds. */
  readonly expiresAt: number;
  /** `cnf`: whoever brings it must prove that it holds a key besides; absent for a token without. */
  readonly confirmation?: TokenConfirmation | undefined;
  /** SHA-256 of the token's ASCII bytes, 64 hex digits; absent for one that only an earlier process saw. */
  readonly digest?: string | undefined;
}

/** What the bearer of a token must hold (RFC 7800). */
export interface TokenConfirmation {
  /** `x5t#S256`: SHA-256 of its certificate, 64 hex digits; `undefined` where another kind of proof is named. */
  readonly fingerprint: string | undefined;
}

/** What an agent showed beside its documents: each can only narrow what those allow. */
export interface Authority {
  readonly certificate: AgentCertificate | undefined;
  readonly grant: AccessGrant | undefined;
}

/** An agent that showed its documents alone. */
export const DOCUMENTS_ALONE: Authority = { certificate: undefined, grant: undefined };
