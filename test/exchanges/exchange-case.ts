import type { JsonObject } from "../../codecs/canonical-json.ts";
import type { Ground } from "./ground.ts";
import type { Request } from "./voice.ts";

/** One exchange as data: what is sent, and what must come back. In strings `{names}` stand for what differs from ground to ground. */
export interface ExchangeCase {
  /** What is shown, as the end of a sentence. */
  readonly name: string;
  /** Whose request it is; default Alice's. `nobody`: on a connection on which nothing was proved. */
  readonly by?: "alice" | "bob" | "nobody";
  readonly send: Request | ((ground: Ground) => Request);
  readonly gets: Expected | ((ground: Ground) => Expected);
}

/** What an answer must have. */
export interface Expected {
  readonly status: number;
  /** Code of the refusal. */
  readonly code?: string;
  /** Members of `error.details` that must be so. */
  readonly details?: Readonly<Record<string, unknown>>;
  /** Members of `result` that must be so. */
  readonly result?: Readonly<Record<string, unknown>>;
  /** Members of a document that comes without an envelope. */
  readonly document?: Readonly<Record<string, unknown>>;
  /** Headers that must be so; `undefined`: must not be there. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
  /** Members of the record that must be so. */
  readonly record?: JsonObject;
  /** Answers of the whole series; default 1. */
  readonly answers?: number;
}
