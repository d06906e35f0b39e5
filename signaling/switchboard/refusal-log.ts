import type { Fault } from "../../codecs/result.ts";
import { Allowance } from "./allowance.ts";
import type { Outputs } from "./outputs.ts";
import type { Exchange } from "./replies.ts";

/** Lines a second about refusals, and their burst. Beyond it they are counted, and the next line says how many. */
const LINE_RATE = { perSecond: 20, burst: 100 };

/** Faults of identity that are refused with a status HTTP has too, and logged all the same. */
const IDENTITY_FAULTS: ReadonlySet<string> = new Set([
  "agent-mismatch",
  "session-identity-mismatch",
  "issuer-mismatch",
  "genesis-issuer-cert-required",
]);

/** Tells the log of every refusal that is AGTP's own, and of identities that do not fit. */
export class RefusalLog {
  readonly #outputs: Outputs;
  #allowance: Allowance | undefined;
  #suppressed = 0;

  constructor(outputs: Outputs) {
    this.#outputs = outputs;
  }

  note(exchange: Exchange, status: number, fault: Fault, now: number): void {
    if (!isAgtpStatus(status) && !IDENTITY_FAULTS.has(fault.code)) return;
    this.#allowance ??= new Allowance(LINE_RATE, now);
    if (!this.#allowance.take(now)) {
      this.#suppressed++;
      return;
    }
    const level = IDENTITY_FAULTS.has(fault.code) ? "warn" : "info";
    const suppressed = this.#suppressed === 0 ? undefined : this.#suppressed;
    this.#suppressed = 0;
    const { method, path, caller, agentId: claimed } = exchange;
    this.#outputs.log(level, "request-refused", {
      status,
      code: fault.code,
      method: method.slice(0, 32),
      path: path.slice(0, 256),
      caller,
      ...(caller === undefined ? { claimed } : {}),
      suppressed,
    });
  }
}

/** True for the status codes that AGTP adds to those of HTTP (`spec/agtp.md` 3.1), 451 and 425 of its other drafts among them. */
function isAgtpStatus(status: number): boolean {
  return (
    (status >= 261 && status <= 263) || status === 425 || (status >= 451 && status <= 465) || status >= 550
  );
}
