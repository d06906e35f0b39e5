import { decodeBase64url } from "../codecs/base64url.ts";
import { isJsonObject, parseJson } from "../codecs/canonical-json.ts";
import type { Clock } from "../codecs/clock.ts";
import { ParleyError } from "../codecs/parley-error.ts";

/** An access token (JWT), or where to get one: a function is asked again before the last one runs out. */
export type TokenSource = string | (() => string | Promise<string>);

/** Part of a token's life after which the next one is asked for: whatever makes tokens has the rest to answer in. */
const RENEW_AFTER = 0.75;
/** Between two tries for a token while calls need one, ms. */
const RETRY_MS = 5_000;
/** Between two tokens that calls are shown, ms, however short they last or often the source gives the same. */
const LEAST_PAUSE_MS = 1_000;
/** Methods that a server takes tokens with: those that begin a call or go on with one, and the first of a connection. */
const WITH_TOKEN: ReadonlySet<string> = new Set(["ESTABLISH", "CONFIRM", "OPEN", "RESUME", "SUBSCRIBE"]);

/** The access tokens of one agent, over all its connections. */
export class AccessTokens {
  readonly #source: TokenSource;
  readonly #clock: Clock;
  #token: string | undefined;
  /** When to ask for the next, Unix milliseconds. */
  #renewAt = Number.POSITIVE_INFINITY;
  #asking: Promise<string> | undefined;
  #onFresh: () => void = () => {};

  constructor(source: TokenSource, clock: Clock) {
    this.#source = source;
    this.#clock = clock;
  }

  /** The token for a request; `undefined` for one that takes none. Throws what the source throws. */
  async forRequest(method: string): Promise<string | undefined> {
    return WITH_TOKEN.has(method) ? await this.present() : undefined;
  }

  /** A token that has some time left, as far as the source has one. Throws what the source throws. */
  async present(): Promise<string> {
    if (this.#token !== undefined && this.#clock.wall() < this.#renewAt) return this.#token;
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    return await this.#asking;
  }

  /** The server says that `token` has run out. True where the source may have another one. */
  expired(token: string): boolean {
    if (typeof this.#source === "string") return false;
    if (this.#token === token) this.#token = undefined;
    return true;
  }

  /**
   * Has `show` bring a fresh token to the server in time, again and again, as long as `isNeeded`: calls end with the token they came up
   * with. The returned function stops it.
   */
  keepFresh(
    isNeeded: () => boolean,
    show: (token: string) => Promise<void>,
    report: (error: unknown) => void,
  ) {
    if (typeof this.#source === "string") return () => {};
    let cancel = () => {};
    const wait = (ms: number) => {
      cancel();
      cancel = this.#clock.at(this.#clock.now() + ms, () => void renew());
    };
    const renew = async () => {
      // Whatever needs one next asks for it, which brings this about again.
      if (!isNeeded()) return;
      try {
        await show(await this.present());
      } catch (error) {
        report(error);
        wait(RETRY_MS);
      }
    };
    const arm = () => {
      if (this.#renewAt < Number.POSITIVE_INFINITY)
        wait(Math.max(LEAST_PAUSE_MS, this.#renewAt - this.#clock.wall()));
    };
    this.#onFresh = arm;
    arm();
    return () => {
      cancel();
      if (this.#onFresh === arm) this.#onFresh = () => {};
    };
  }

  async #ask(): Promise<string> {
    const token = typeof this.#source === "string" ? this.#source : await this.#source();
    if (typeof token !== "string" || !TOKEN.test(token))
      throw new ParleyError({
        code: "token-invalid",
        message: "The source of tokens gave none.",
        at: "token",
      });
    const isFresh = token !== this.#token;
    this.#token = token;
    if (typeof this.#source !== "string")
      this.#renewAt = renewalOf(token, isFresh ? undefined : this.#clock.wall());
    this.#onFresh();
    return token;
  }
}

/**
 * When most of its life is over, or, where there was no fresher one at `asked`, half of what was left of it: Unix milliseconds; never for a
 * token that does not tell.
 */
function renewalOf(token: string, asked?: number): number {
  const payload = decodeBase64url(token.split(".")[1] ?? "");
  const claims = payload.ok ? parseJson(payload.value) : payload;
  if (!claims.ok || !isJsonObject(claims.value as never)) return Number.POSITIVE_INFINITY;
  const { iat, exp } = claims.value as { readonly iat?: unknown; readonly exp?: unknown };
  if (typeof iat !== "number" || typeof exp !== "number") return Number.POSITIVE_INFINITY;
  if (asked !== undefined) return asked + (exp * 1_000 - asked) / 2;
  return (iat + (exp - iat) * RENEW_AFTER) * 1_000;
}

/** What can stand in a header behind `Bearer`. */
const TOKEN = /^[A-Za-z0-9._~+/=-]{1,8192}$/;
