import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { decodeBase64url, encodeBase64url } from "../../codecs/base64url.ts";

/** Name of the token in a WebTransport URL's query. */
const TOKEN_PARAMETER = "token";
/** How long a token is taken, seconds. */
export const TOKEN_LIFETIME_SECONDS = 60;

/** Why a URL's token does not open a connection. */
export type TokenFault = "token-missing" | "token-invalid" | "token-expired";

/**
 * Short-lived tokens that a page of this server puts into its WebTransport URL, since QUIC here shows no Origin. Each is
 * bound to the origin of the page it was given to; the key lives as long as the process. A token is four bytes of expiry
 * (Unix seconds) and an HMAC-SHA256 over expiry and origin.
 */
export class UrlTokens {
  readonly #key = randomBytes(32);
  readonly #origins: () => readonly string[];
  readonly #wall: () => number;

  /** `origins`: those whose pages get tokens; asked at every look. `wall`: Unix milliseconds. */
  constructor(options: { readonly origins: () => readonly string[]; readonly wall: () => number }) {
    this.#origins = options.origins;
    this.#wall = options.wall;
  }

  /** A fresh token for a page of this origin: 48 characters of base64url. */
  mint(origin: string): string {
    const expiry = new Uint8Array(EXPIRY_BYTES);
    const at = Math.floor(this.#wall() / 1000) + TOKEN_LIFETIME_SECONDS;
    new DataView(expiry.buffer).setUint32(0, at);
    return encodeBase64url(Buffer.concat([expiry, this.#mac(expiry, origin)]));
  }

  /** Judges the token in a URL; one that is not there counts only where it is `required`. */
  fault(url: string, required: boolean): TokenFault | undefined {
    const token = URL.canParse(url) ? new URL(url).searchParams.get(TOKEN_PARAMETER) : null;
    if (token === null) return required ? "token-missing" : undefined;
    const decoded = token.length === TOKEN_CHARACTERS ? decodeBase64url(token) : undefined;
    if (!decoded?.ok) return "token-invalid";
    const expiry = decoded.value.subarray(0, EXPIRY_BYTES);
    const mac = decoded.value.subarray(EXPIRY_BYTES);
    if (!this.#origins().some((origin) => timingSafeEqual(this.#mac(expiry, origin), mac)))
      return "token-invalid";
    const at = new DataView(expiry.buffer, expiry.byteOffset).getUint32(0);
    return at * 1000 > this.#wall() ? undefined : "token-expired";
  }

  #mac(expiry: Uint8Array, origin: string): Uint8Array {
    return createHmac("sha256", this.#key).update(expiry).update(origin).digest();
  }
}

/** The URL with the token in its query. */
export function withToken(url: string, token: string): string {
  return `${url}?${TOKEN_PARAMETER}=${token}`;
}

const EXPIRY_BYTES = 4;
const TOKEN_CHARACTERS = 48;
