import type { JsonObject } from "../../codecs/canonical-json.ts";
import type { Clock } from "../../codecs/clock.ts";
import { ok, type Result, refuse } from "../../codecs/result.ts";
import type { VerificationKey } from "./verification-keys.ts";

/** How long keys count before they are fetched anew, ms. */
export const FRESH_MS = 3_600_000;
/** How long after the last fetch keys still count while their issuer cannot be reached, ms. */
export const STALE_MS = 24 * 3_600_000;
/** Between two fetches, however many tokens name keys that nobody knows, ms. */
export const COOLDOWN_MS = 30_000;

/** Tokens that wait for one issuer's keys at once, and those of one connection; one more is refused with `capacity`. */
export const MAX_WAITING = 1_024;
export const MAX_WAITING_EACH = 32;

/** One issuer's keys, fetched when needed, kept and fetched again. */
export class IssuerKeys {
  readonly #load: () => Promise<JsonObject>;
  readonly #read: (document: JsonObject) => Promise<VerificationKey[]>;
  readonly #clock: Clock;
  readonly #failed: (error: unknown) => void;
  #keys: readonly VerificationKey[] | undefined;
  #fetchedAt = Number.NEGATIVE_INFINITY;
  #triedAt = Number.NEGATIVE_INFINITY;
  #fetching: Promise<void> | undefined;
  /** How many tokens wait, by connection. */
  readonly #waiting = new Map<number, number>();
  #waitingInAll = 0;

  constructor(options: {
    readonly load: () => Promise<JsonObject>;
    /** The keys of a document that may be used. */
    readonly read: (document: JsonObject) => Promise<VerificationKey[]>;
    readonly clock: Clock;
    /** Told each time the document cannot be had. */
    readonly failed: (error: unknown) => void;
  }) {
    this.#load = options.load;
    this.#read = options.read;
    this.#clock = options.clock;
    this.#failed = options.failed;
  }

  /**
   * The keys that may have signed a token, those of this name where it names one. Where there are none the document is fetched again,
   * unless that was tried lately. `connection`: who brings the token. Faults: `token-issuer-unavailable` while no keys can be had,
   * `capacity` where too many wait for them.
   */
  async find(
    wanted: (key: VerificationKey) => boolean,
    connection: number,
  ): Promise<Result<readonly VerificationKey[]>> {
    if (this.#clock.now() - this.#fetchedAt >= FRESH_MS) {
      const refreshed = await this.#refresh(connection);
      if (!refreshed.ok) return refreshed;
    }
    let found = this.#usable()?.filter(wanted);
    if (found?.length === 0) {
      const refreshed = await this.#refresh(connection);
      if (!refreshed.ok) return refreshed;
      found = this.#usable()?.filter(wanted);
    }
    if (found !== undefined) return ok(found);
    return refuse(
      "token-issuer-unavailable",
      "The keys of the token's issuer cannot be fetched now.",
      undefined,
      {
        retry_after_ms: Math.max(1_000, this.#triedAt + COOLDOWN_MS - this.#clock.now()),
      },
    );
  }

  #usable(): readonly VerificationKey[] | undefined {
    return this.#clock.now() - this.#fetchedAt < STALE_MS ? this.#keys : undefined;
  }

  /** One fetch at a time, and none soon after another. Whoever asks meanwhile waits for it. */
  async #refresh(connection: number): Promise<Result<void>> {
    if (this.#fetching === undefined && this.#clock.now() - this.#triedAt < COOLDOWN_MS) return ok(undefined);
    const own = this.#waiting.get(connection) ?? 0;
    if (this.#waitingInAll >= MAX_WAITING || own >= MAX_WAITING_EACH)
      return refuse("capacity", "Too many tokens wait for their issuer's keys.", undefined, {
        retry_after_ms: 1_000,
      });
    this.#waiting.set(connection, own + 1);
    this.#waitingInAll++;
    this.#fetching ??= this.#fetch().finally(() => {
      this.#fetching = undefined;
      this.#waiting.clear();
      this.#waitingInAll = 0;
    });
    await this.#fetching;
    return ok(undefined);
  }

  async #fetch(): Promise<void> {
    this.#triedAt = this.#clock.now();
    try {
      this.#keys = await this.#read(await this.#load());
      this.#fetchedAt = this.#clock.now();
    } catch (error) {
      this.#failed(error);
    }
  }
}
