import { encodeHex } from "../codecs/hex.ts";
import { ok, type Result, refuse } from "../codecs/result.ts";
import type { Terms } from "./terms.ts";

/** What everything that changes the terms of a session says of its place. */
interface Successor {
  readonly session_id: string;
  /** 64 hex digits. */
  readonly session_digest: string;
  /** Who signs. */
  readonly leg: 0 | 1;
  /** Number of the terms that it makes. */
  readonly number: number;
}

/** What it must follow. */
export interface Predecessor {
  /** 32 bytes. */
  readonly sessionDigest: Uint8Array;
  /** Who must have signed. */
  readonly leg: 0 | 1;
  /** The terms in force. */
  readonly terms: Terms;
}

/**
 * Whether what changes the terms is of this session and leg and makes the next number; `name` is what faults call it. Faults:
 * `field-invalid`, `terms-outdated` with `details.number` in force.
 */
export function checkSuccession(
  successor: Successor,
  { sessionDigest, leg, terms }: Predecessor,
  name: string,
): Result<void> {
  const isOfSession =
    successor.session_id === terms.session_id && successor.session_digest === encodeHex(sessionDigest);
  if (!isOfSession) return refuse("field-invalid", "This is of another session.", `${name}.session_digest`);
  if (successor.leg !== leg) return refuse("field-invalid", "This is the other leg's.", `${name}.leg`);
  if (successor.number === terms.number + 1) return ok(undefined);
  return refuse("terms-outdated", "This does not follow the terms in force.", `${name}.number`, {
    number: terms.number,
  });
}
