import type { ErrorCode } from "./error-codes.ts";
import { ERRORS, type ErrorEntry } from "./error-codes.ts";
import type { Fault } from "./result.ts";

/** The one error class Parley throws. Decide on `code`; the message is for people. */
export class ParleyError extends Error {
  readonly code: ErrorCode;
  /** AGTP status where one applies. */
  readonly status: number | undefined;
  readonly retryable: boolean;
  readonly at: string | undefined;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(fault: Fault, options?: { cause?: unknown }) {
    super(fault.at === undefined ? fault.message : `${fault.message} (${fault.at})`, options);
    this.name = "ParleyError";
    const entry: ErrorEntry = ERRORS[fault.code];
    this.code = fault.code;
    this.status = entry.status;
    this.retryable = entry.retryable;
    this.at = fault.at;
    this.details = fault.details ?? {};
  }
}
