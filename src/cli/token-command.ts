import { readFile } from "node:fs/promises";
import { createAccessToken, type Issuer } from "../../agent/node.ts";
import { encodeBase64url } from "../../codecs/base64url.ts";
import { isJsonObject, parseJson } from "../../codecs/canonical-json.ts";
import { type LoadedIdentity, loadIdentity } from "../../platform/node/identity-file.ts";
import { keyId } from "../../signaling/keys.ts";
import { loadIssuerFile } from "../issuer-file.ts";
import { EXIT, type ExitCode } from "./exit-codes.ts";
import { type Output, usageError } from "./output.ts";

/** Flags of `parley token`. */
export interface TokenFlags {
  readonly by: string;
  readonly audience?: readonly string[];
  readonly scope?: readonly string[];
  readonly lifetime: number;
  readonly bindFingerprint?: string;
  readonly jwks?: true;
}

/** `parley token`: makes an access token, or prints the keys that such tokens are verified with. */
export async function tokenCommand(
  agent: string | undefined,
  flags: TokenFlags,
  output: Output,
): Promise<ExitCode> {
  const by = await loadMaker(flags.by);
  if (flags.jwks) {
    const { publicKey } = by.signer;
    const jwk = {
      kty: "OKP",
      crv: "Ed25519",
      x: encodeBase64url(publicKey),
      kid: keyId(publicKey),
      alg: "EdDSA",
      use: "sig",
    };
    const jwks = { keys: [jwk] };
    output.result(jwks, JSON.stringify(jwks));
    return EXIT.done;
  }
  const own = "agentId" in by ? by.agentId : undefined;
  const agentId = agent ?? own;
  if (agentId === undefined) throw usageError("Name the Agent-ID that the token is for.");
  const { audience = [DEFAULT_AUDIENCE], scope = DEFAULT_SCOPE, lifetime, bindFingerprint } = flags;
  const bound = bindFingerprint === undefined ? {} : { fingerprint: bindFingerprint };
  const token = createAccessToken({ by, agentId, audience, scope, lifetime, ...bound });
  output.result(
    { token, issuer: own ?? (by as Issuer).name, agent_id: agentId, audience, scope, lifetime, ...bound },
    token,
  );
  output.note(`for ${agentId} at ${audience.join(", ")}, ${lifetime} s`);
  return EXIT.done;
}

/** An issuer's file, or an identity's: each says which it is. */
async function loadMaker(path: string): Promise<Issuer | LoadedIdentity> {
  const parsed = parseJson(await readFile(path).catch(() => new Uint8Array(0)));
  const isIssuer = parsed.ok && isJsonObject(parsed.value) && parsed.value.parley_issuer !== undefined;
  return isIssuer ? await loadIssuerFile(path) : await loadIdentity(path);
}

const DEFAULT_AUDIENCE = "https://127.0.0.1:4480";
const DEFAULT_SCOPE = ["communication:audio:*", "communication:data:*"];
