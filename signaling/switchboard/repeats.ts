import { canonicalBytes, type JsonObject } from "../../codecs/canonical-json.ts";
import { ERRORS, type ErrorEntry } from "../../codecs/error-codes.ts";
import type { HeaderField } from "../../codecs/headers.ts";
import { type Fault, ok, type Result, refuse } from "../../codecs/result.ts";
import { bodyHash } from "../attribution.ts";
import { FairMap } from "./fair-map.ts";
import type { Exchange } from "./replies.ts";

/** Answers kept for requests that are sent again, and how long, milliseconds; beyond, the agent that has most forgets its oldest. */
export const MAX_REPEATS = 4_096;
export const REPEAT_LIFETIME = 600_000;
/** Longest answer kept, bytes of canonical JSON; a longer one is worked out again. */
const MAX_KEPT_BYTES = 8_192;
/** Longest key taken, characters. */
const MAX_KEY_CHARACTERS = 128;

/** How a request ended, to be told again. */
export type Outcome =
  | { readonly fault: Fault }
  | {
      readonly fault?: undefined;
      readonly status: number;
      readonly result: JsonObject;
      readonly headers: readonly HeaderField[];
      readonly sessionId: string | undefined;
    };

interface Kept {
  readonly digest: string;
  readonly outcome: Outcome;
}

/**
 * Answers by agent and `Idempotency-Key`: the same request again is answered the same without being carried out twice, on whichever
 * connection. Requests whose answer holds on one connection alone have rules of their own (`isRepeatable`).
 */
export class Repeats {
  readonly #kept = new FairMap<Kept>(MAX_REPEATS, REPEAT_LIFETIME);

  get size(): number {
    return this.#kept.size;
  }

  /**
   * The outcome of this request when it was answered before. Otherwise the exchange will leave its own here. Faults:
   * `idempotency-conflict` for a key that stood for another request, `field-invalid` for one that is too long.
   */
  find(
    exchange: Exchange,
    agentId: string,
    key: string,
    parameters: JsonObject,
    now: number,
  ): Result<Outcome | undefined> {
    if (key === "" || key.length > MAX_KEY_CHARACTERS) {
      return refuse(
        "field-invalid",
        `A key has 1 to ${MAX_KEY_CHARACTERS} characters.`,
        "header Idempotency-Key",
      );
    }
    const digest = digestOf(exchange, parameters);
    const name = `${agentId} ${key}`;
    const known = this.#kept.get(name, now);
    if (known !== undefined && known.digest !== digest) {
      return refuse(
        "idempotency-conflict",
        "This key was used for another request.",
        "header Idempotency-Key",
      );
    }
    if (known !== undefined) return ok(known.outcome);
    exchange.keep = (outcome, at) => {
      if (isLasting(outcome)) this.#kept.set(name, agentId, { digest, outcome }, at);
    };
    return ok(undefined);
  }
}

/** What makes two requests the same: proof and documents are new each time. */
function digestOf({ method, path }: Exchange, parameters: JsonObject): string {
  const { proof: _proof, genesis: _genesis, identity_document: _document, ...rest } = parameters;
  return bodyHash(canonicalBytes({ method, path, parameters: rest }));
}

/** A refusal that a later try might not meet is not the last word. */
function isLasting(outcome: Outcome): boolean {
  if (outcome.fault !== undefined) {
    const entry: ErrorEntry = ERRORS[outcome.fault.code];
    return !entry.retryable;
  }
  return canonicalBytes(outcome.result).length <= MAX_KEPT_BYTES;
}
