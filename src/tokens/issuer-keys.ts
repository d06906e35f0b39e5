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
   * unless that was tried lately. Faults: `token-issuer-unavailable` while no keys can be had.
   */
  async find(wanted: (key: VerificationKey) => boolean): Promise<Result<readonly VerificationKey[]>> {
    const now = this.#clock.now();
    if (now - this.#fetchedAt >= FRESH_MS) await this.#refresh();
    let found = this.#usable()?.filter(wanted);
    if (found?.length === 0) {
      await this.#refresh();
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
  async #refresh(): Promise<void> {
    if (this.#fetching === undefined && this.#clock.now() - this.#triedAt < COOLDOWN_MS) return;
    this.#fetching ??= this.#fetch().finally(() => {
      this.#fetching = undefined;
    });
    await this.#fetching;
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
