import type { Genesis } from "./genesis.ts";
import type { IdentityDocument } from "./identity-document.ts";
import { intersect, type ScopeSet } from "./scope.ts";

/** 1 verified, 2 asserted by an organisation, 3 experimental. */
type TrustTier = 1 | 2 | 3;

/** How an identity was verified. `self-signed` is what the reference implementation says where nobody else vouches. */
export const VERIFICATION_PATHS = [
  "dns-anchored",
  "log-anchored",
  "hybrid",
  "org-asserted",
  "self-signed",
] as const;
export type VerificationPath = (typeof VERIFICATION_PATHS)[number];

/** What must be said beside a tier that is not the best (`Trust-Warning`). */
export type TrustWarning = "verification-incomplete" | "verification-path-unsupported";

/** How far an agent is trusted here (`spec/agtp.md` 4.4). */
export interface TrustPosture {
  readonly tier: TrustTier;
  readonly path: VerificationPath;
  /** Of every tier but the first. */
  readonly warning: TrustWarning | undefined;
}

/** Whom an operator lets talk: tier 1 and whoever has an Agent Certificate, tier 2 without one as well, or tier 3 too. */
export const TRUST_FLOORS = ["verified", "org-asserted", "experimental"] as const;
export type TrustFloor = (typeof TRUST_FLOORS)[number];

/**
 * An agent's tier and path: as its identity document says, else its Genesis, else tier 2, `org-asserted`. A path that is not known counts as
 * `org-asserted`, tier 2. Tier 1 is the word of an issuer, so it counts where `isVouched`: the operator believes that issuer; otherwise it is
 * tier 2. An agent without an owner is of tier 3 (identifiers).
 */
export function trustPosture(genesis: Genesis, document: IdentityDocument, isVouched: boolean): TrustPosture {
  const stated = document.trustTier ?? genesis.trustTier;
  const named = document.verificationPath ?? genesis.verificationPath;
  const path = VERIFICATION_PATHS.find((known) => known === named);
  if (genesis.ownerId === "" || stated === 3) {
    return { tier: 3, path: path ?? "org-asserted", warning: warningOf(path) };
  }
  if (path === undefined) return { tier: 2, path: "org-asserted", warning: "verification-path-unsupported" };
  if (stated === 1 && isVouched) return { tier: 1, path, warning: undefined };
  return {
    tier: 2,
    path: path === "self-signed" ? path : "org-asserted",
    warning: "verification-incomplete",
  };
}

/** Whether agents of this tier may be granted `communication:*` where the operator draws the line at `floor`. */
export function mayTalk(tier: TrustTier, isCertified: boolean, floor: TrustFloor): boolean {
  if (tier === 1) return true;
  if (tier === 3) return floor === "experimental";
  return isCertified || floor !== "verified";
}

/** What is left of a scope for an agent that {@link mayTalk} refuses: to read (trust). */
export function withoutTalking(scope: ScopeSet): ScopeSet {
  return intersect(scope, READING);
}

function warningOf(path: VerificationPath | undefined): TrustWarning {
  return path === undefined ? "verification-path-unsupported" : "verification-incomplete";
}

const READING: ScopeSet = { grants: ["documents:query", "knowledge:query"], limits: {} };
