import { createHash } from "node:crypto";
import { isJsonObject } from "../../codecs/canonical-json.ts";
import type { Clock } from "../../codecs/clock.ts";
import type { AgtpRequest } from "../../codecs/message.ts";
import { ok, type Result, refuse } from "../../codecs/result.ts";
import type { Verifier } from "../../codecs/signer.ts";
import {
  judgeClaims,
  type ReadToken,
  readAccessToken,
  TOKEN_ALGORITHMS,
  tokenInvalid,
} from "../../signaling/access-token.ts";
import type { ConnectionId } from "../../signaling/admission.ts";
import type { AccessGrant } from "../../signaling/authority.ts";
import { readRequestBody } from "../../signaling/body.ts";
import { verifyGenesis } from "../../signaling/genesis.ts";
import { IssuerKeys } from "./issuer-keys.ts";
import { loadKeyDocument } from "./key-document.ts";
import { presentedToken } from "./presented-token.ts";
import type { TokenIssuer } from "./token-issuers.ts";
import { identityKey, readKeys, type VerificationKey } from "./verification-keys.ts";

/** Signatures judged at once; one more is refused with `capacity`. */
const MAX_JUDGING = 256;
/** Tokens whose signature is remembered to hold; beyond, the one verified first is verified again. */
const MAX_REMEMBERED = 4_096;

export interface TokenJudgeOptions {
  readonly issuers: readonly TokenIssuer[];
  /** The server: its Agent-ID and key are an issuer that it trusts, and a name that tokens may be for. */
  readonly server: { readonly agentId: string; readonly publicKey: Uint8Array; readonly serverId: string };
  readonly verifier: Verifier;
  readonly clock: Clock;
  /** The identity key of a registered agent, raw. */
  readonly keyOf: (agentId: string) => Uint8Array | undefined;
  /** Told when an issuer's keys cannot be fetched. */
  readonly failed: (issuer: string, error: unknown) => void;
}

/** Says what the access token of a request grants. */
export class TokenJudge {
  readonly #options: TokenJudgeOptions;
  readonly #issuers = new Map<string, IssuerKeys>();
  /** Digest of each token to what stands in it and the fingerprint of the key that verified it, the oldest first. */
  readonly #verified = new Map<string, { readonly read: ReadToken; readonly key: string }>();
  #judging = 0;

  constructor(options: TokenJudgeOptions) {
    this.#options = options;
    const { verifier, clock, failed } = options;
    for (const { issuer, jwks, algorithms = TOKEN_ALGORITHMS } of options.issuers) {
      const load = async () => (typeof jwks === "string" ? await loadKeyDocument(jwks) : jwks);
      this.#issuers.set(
        issuer,
        new IssuerKeys({
          load,
          read: (document) => readKeys(document, algorithms, verifier),
          clock,
          failed: (error) => failed(issuer, error),
        }),
      );
    }
  }

  /**
   * What the token of a request grants; `undefined` for one without. `origins`: what the client of this connection may have dialled. Faults:
   * `token-invalid`, `token-expired`, `token-issuer-unavailable`, `capacity`. Never rejects.
   */
  judge(
    request: AgtpRequest,
    origins: readonly string[],
    connection: ConnectionId,
  ): Promise<Result<AccessGrant>> | undefined {
    const presented = presentedToken(request);
    if (!presented.ok) return Promise.resolve(presented);
    if (presented.value === undefined) return undefined;
    return this.judgeToken(presented.value, origins, connection, request);
  }

  /** The same for a token that came by another road; `request`: what may bring the key of an agent that is not known yet. */
  async judgeToken(
    token: string,
    origins: readonly string[],
    connection: ConnectionId,
    request?: AgtpRequest,
  ): Promise<Result<AccessGrant>> {
    const { agentId, serverId } = this.#options.server;
    const audiences = [...origins, serverId, agentId];
    const digest = createHash("sha256").update(token).digest("base64");
    const known = this.#verified.get(digest);
    const read = known === undefined ? readAccessToken(token) : ok(known.read);
    if (!read.ok) return read;
    // What costs nothing first: no keys are fetched for a token that would do nothing.
    const grant = judgeClaims(read.value.claims, { audiences, now: this.#options.clock.wall() });
    if (!grant.ok) return grant;
    const keys = await this.#keysOf(read.value, request, connection);
    if (!keys.ok) return keys;
    const holds = await this.#isSigned(token, digest, read.value, keys.value);
    if (!holds.ok) return holds;
    return ok({ ...grant.value, digest: Buffer.from(digest, "base64").toString("hex") });
  }

  async #isSigned(
    token: string,
    digest: string,
    read: ReadToken,
    [key, another]: readonly VerificationKey[],
  ): Promise<Result<void>> {
    if (key === undefined) return tokenInvalid("kid", "The issuer has no such key.");
    if (another !== undefined)
      return tokenInvalid("kid", "The issuer has several such keys: the token names none.");
    if (this.#verified.get(digest)?.key === key.fingerprint) return ok(undefined);
    // Whoever waits for keys to be fetched takes no place here: a slow issuer is slow for its own tokens alone.
    if (this.#judging >= MAX_JUDGING)
      return refuse("capacity", "Too many tokens are being judged.", undefined, { retry_after_ms: 1_000 });
    this.#judging++;
    const verifies = await Promise.resolve(key.verifies(token, read)).finally(() => this.#judging--);
    if (!verifies) return tokenInvalid("signature", "The signature does not hold.");
    this.#verified.set(digest, { read, key: key.fingerprint });
    if (this.#verified.size > MAX_REMEMBERED) {
      const [oldest] = this.#verified.keys();
      this.#verified.delete(oldest as string);
    }
    return ok(undefined);
  }

  async #keysOf(
    { algorithm, keyId, claims }: ReadToken,
    request: AgtpRequest | undefined,
    connection: ConnectionId,
  ): Promise<Result<readonly VerificationKey[]>> {
    const fits = (key: VerificationKey) =>
      key.algorithm === algorithm && (keyId === undefined || key.keyId === keyId);
    const { iss, sub } = claims;
    const issuer = this.#issuers.get(iss);
    if (issuer !== undefined) return await issuer.find(fits, connection);
    const { server, verifier, keyOf } = this.#options;
    const raw =
      iss === server.agentId
        ? server.publicKey
        : iss === sub
          ? (keyOf(iss) ?? (request && broughtKey(request, iss, verifier)))
          : undefined;
    if (raw === undefined) return tokenInvalid("iss", "The token's issuer is not trusted here.");
    const own = identityKey(raw, verifier);
    // Whoever has one key alone need not say which.
    return ok(fits(own) ? [own] : []);
  }
}

/** The identity key of an agent that is not known here yet, by the Genesis that its request brings. */
function broughtKey(request: AgtpRequest, agentId: string, verifier: Verifier): Uint8Array | undefined {
  const body = readRequestBody(request);
  const genesis = body.ok && isJsonObject(body.value.parameters) ? body.value.parameters.genesis : undefined;
  if (typeof genesis !== "string") return undefined;
  const read = verifyGenesis(new TextEncoder().encode(genesis), agentId, verifier);
  return read.ok ? read.value.agentKey : undefined;
}
