/** Longest validity of an Agent Certificate, milliseconds: 90 days, and an hour for issuers that date back for slow clocks. */
export const MAX_VALIDITY = (90 * 24 + 1) * 3_600_000;
