import { ERRORS, type ErrorCode, type ErrorEntry } from "../codecs/error-codes.ts";
import type { Dialect } from "../codecs/message.ts";

/** Reason texts of the AGTP status codes (`spec/agtp` 3.1), with 425, 451 and 501 that others of its drafts use. */
export const STATUS_REASONS: ReadonlyMap<number, string> = new Map([
  [200, "OK"],
  [202, "Accepted"],
  [204, "No Content"],
  [261, "Negotiation In Progress"],
  [262, "Authorization Required"],
  [263, "Proposal Approved"],
  [400, "Bad Request"],
  [401, "Unauthorized"],
  [403, "Forbidden"],
  [404, "Not Found"],
  [405, "Method Not Allowed"],
  [408, "Timeout"],
  [409, "Conflict"],
  [410, "Gone"],
  [422, "Unprocessable"],
  [425, "Too Early"],
  [429, "Rate Limited"],
  [451, "Scope Violation"],
  [455, "Scope Violation"],
  [456, "Budget Exceeded"],
  [457, "Zone Violation"],
  [458, "Counterparty Unverified"],
  [459, "Method Violation"],
  [460, "Endpoint Violation"],
  [461, "RCNS Contract Available"],
  [462, "Insufficient Budget"],
  [463, "Proposal Rejected"],
  [464, "RCNS No Contract"],
  [500, "Server Error"],
  [501, "Not Implemented"],
  [503, "Unavailable"],
  [550, "Delegation Failure"],
  [551, "Authority Chain Broken"],
]);

/** Reason text to write behind a status; empty for a code that has none here. Peers decide on the number alone. */
export function reasonText(status: number): string {
  return STATUS_REASONS.get(status) ?? "";
}

/** True for 2xx but 261 (undecided) and 262 (a refusal in spite of its number). */
export function isSuccess(status: number): boolean {
  return status >= 200 && status <= 299 && status !== 261 && status !== 262;
}

/** What exactly a scope refusal refuses (`spec/agtp` 3.3). */
export type ScopeRefusal =
  /** The effective scope does not cover what is asked, at ESTABLISH or in the session. */
  | "insufficient"
  /** A claimed scope exceeds the identity document. */
  | "claim-exceeds-document"
  /** A claimed scope exceeds the certificate's commitment. */
  | "claim-exceeds-certificate";

/** Setting of the operator: by dialect, or one code for every scope refusal. */
export type ScopeViolationCode = "auto" | 451 | 455 | 262;

/** Status of a scope refusal: in the seed dialect 451; in the base dialect 455, or 262 for a claim beyond the document. */
export function scopeRefusalStatus(
  dialect: Dialect,
  refusal: ScopeRefusal,
  setting: ScopeViolationCode = "auto",
): ScopeStatus {
  if (setting !== "auto") {
    return setting;
  }
  if (dialect === "seed") {
    return 451;
  }
  return refusal === "claim-exceeds-document" ? 262 : 455;
}

/** The three codes by which one family of drafts refuses a scope. */
export type ScopeStatus = 451 | 455 | 262;

/** True when a response refuses for want of scope, whichever of the three codes the peer uses. */
export function isScopeRefusal(status: number, errorCode?: string): boolean {
  return status === 451 || status === 455 || (status === 262 && SCOPE_ERRORS.has(errorCode ?? ""));
}

/** Status that answers a fault of this code in that dialect; 500 for codes that have none because they stay local. */
export function statusOf(code: ErrorCode, dialect: Dialect, setting: ScopeViolationCode = "auto"): number {
  if (code === "scope-violation") {
    return scopeRefusalStatus(dialect, "insufficient", setting);
  }
  if (code === "scope-claim-invalid") {
    return scopeRefusalStatus(dialect, "claim-exceeds-document", setting);
  }
  const entry: ErrorEntry = ERRORS[code];
  return entry.status ?? 500;
}

/** Error codes by which a 262 means scope (`spec/agtp` 3.1); its other codes ask for credentials. */
const SCOPE_ERRORS = new Set([
  "scope-required",
  "scope-claim-invalid",
  "scope-violation",
  "wildcards-required",
]);
