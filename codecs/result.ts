/** Outcome of a decoder: a typed value or a typed fault, never a half-valid object. */
export type Result<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly fault: Fault };

/** Why bytes or a document were refused. `code` is stable and listed in `docs/errors.md`. */
export interface Fault {
  readonly code: ErrorCode;
  /** One sentence for a person. */
  readonly message: string;
  /** The line, field or byte offset at fault, e.g. `line 3`, `offer.streams[0].codecs`, `byte 17`. */
  readonly at?: string;
  /** Machine-readable facts that go out with the refusal, e.g. `missing_scopes`, `counter_proposal`. */
  readonly details?: Readonly<Record<string, unknown>>;
}

export function ok<T>(value: T): Result<T> {
  return { ok: true, value };
}

export function refuse(
  code: ErrorCode,
  message: string,
  at?: string,
  details?: Readonly<Record<string, unknown>>,
): { readonly ok: false; readonly fault: Fault } {
  return {
    ok: false,
    fault: {
      code,
      message,
      ...(at === undefined ? {} : { at }),
      ...(details === undefined ? {} : { details }),
    },
  };
}

import type { ErrorCode } from "./error-codes.ts";
