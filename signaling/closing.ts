import { MAX_KEY_GENERATION } from "../codecs/frame.ts";
import { encodeHex } from "../codecs/hex.ts";
import { type Result, refuse } from "../codecs/result.ts";
import type { IdentitySigner, Signed, Verifier } from "../codecs/signer.ts";
import { SESSION_ID } from "./answer.ts";
import { type SignedForm, signJws, verifySigned } from "./jws.ts";
import { DIGEST, integer, object, oneOf, optional, SECONDS, type Shape, text } from "./shape.ts";

/**
 * Why a session ended, in the words of whoever ended it, 64 characters at most: words joined by `-` where programs are to
 * tell reasons apart, otherwise any letters, digits, punctuation, symbols and spaces. Nothing that a terminal would obey.
 */
export const END_REASON: Shape<string> = text({
  min: 1,
  max: 64,
  pattern: /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]+$/u,
});

/** What one end counted since it has its media key, all streams together. Frames unless said otherwise. */
export type ClosingTotals = {
  readonly sent: { readonly frames: number; readonly checkpoints: number };
  readonly received: {
    readonly frames: number;
    readonly heard: number;
    readonly concealed: number;
    readonly late: number;
    readonly refused: number;
    readonly receipts: number;
  };
};

/** One end's last word on a session. `iat` is Unix seconds. */
export type ClosingPayload = {
  readonly v: 1;
  readonly session_id: string;
  /** 64 hex digits. */
  readonly session_digest: string;
  readonly leg: 0 | 1;
  /** The last Audit-ID this end saw; 64 zeros when none. */
  readonly last_audit_id: string;
  /** As {@link END_REASON}, e.g. `hangup`. */
  readonly reason: string;
  /** Of the media key that signed what it counts; absent for 0. */
  readonly generation?: number;
  readonly totals: ClosingTotals;
  readonly iat: number;
};

/** Signs a closing statement with the identity key of the end that makes it. */
export function makeClosing<Key extends IdentitySigner>(
  payload: ClosingPayload,
  identity: Key,
): Signed<Key, string> {
  return signJws(CLOSING.typ, payload, identity);
}

/** Whose closing statement it must be. */
export interface ClosingExpectation {
  /** The identity key of that leg. */
  readonly publicKey: Uint8Array;
  readonly sessionId: string;
  /** 32 bytes. */
  readonly sessionDigest: Uint8Array;
  readonly leg: 0 | 1;
}

/** Judges a closing statement. Faults: `signature-invalid`, `field-invalid`, `json-not-canonical`. */
export function verifyClosing(
  jws: string,
  expected: ClosingExpectation,
  verifier: Verifier,
): Result<ClosingPayload> {
  const verified = verifySigned(jws, CLOSING, expected.publicKey, verifier);
  if (!verified.ok) return verified;
  const { session_id, session_digest, leg } = verified.value;
  if (session_id !== expected.sessionId || session_digest !== encodeHex(expected.sessionDigest)) {
    return refuse("field-invalid", "This closes another session.", "closing.session_digest");
  }
  if (leg !== expected.leg) return refuse("field-invalid", "This is the other leg's.", "closing.leg");
  return verified;
}

const COUNT = integer(0, Number.MAX_SAFE_INTEGER);

export const CLOSING: SignedForm<ClosingPayload> = {
  typ: "parley-closing+jwt",
  name: "closing",
  shape: object<ClosingPayload>({
    v: oneOf(1),
    session_id: SESSION_ID,
    session_digest: DIGEST,
    leg: oneOf(0, 1),
    last_audit_id: DIGEST,
    reason: END_REASON,
    generation: optional(integer(1, MAX_KEY_GENERATION)),
    totals: object<ClosingTotals>({
      sent: object<ClosingTotals["sent"]>({ frames: COUNT, checkpoints: COUNT }),
      received: object<ClosingTotals["received"]>({
        frames: COUNT,
        heard: COUNT,
        concealed: COUNT,
        late: COUNT,
        refused: COUNT,
        receipts: COUNT,
      }),
    }),
    iat: SECONDS,
  }),
};
