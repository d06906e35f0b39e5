import { describe, expect, it } from "vitest";
import type { JsonValue } from "../codecs/canonical-json.ts";
import { ALICE, CALL_SECONDS, CALL_TIME, must, scopes } from "../test/signed-call.ts";
import { ACCESS_TOKEN, checkMade, judgeClaims, makeAccessToken, readAccessToken } from "./access-token.ts";
import { signJws } from "./jws.ts";

const AUDIENCE = "https://media.example:4480";
const FINGERPRINT = "a1".repeat(32);
const THUMBPRINT = Buffer.from(FINGERPRINT, "hex").toString("base64url");

const { agentId } = ALICE.genesis;

/** What a token with this `cnf` grants, or why none. */
function judged(cnf: JsonValue) {
  const claims = {
    ...{ iss: agentId, sub: agentId, aud: AUDIENCE, iat: CALL_SECONDS, exp: CALL_SECONDS + 60, jti: "1" },
    ...{ scope: "communication:audio:*", cnf },
  };
  return granted(signJws(ACCESS_TOKEN.typ, claims, ALICE.identity));
}

function granted(token: string) {
  const read = readAccessToken(token);
  return read.ok ? judgeClaims(read.value.claims, { audiences: [AUDIENCE], now: CALL_TIME }) : read;
}

describe("a token that is bound to a key (RFC 7800)", () => {
  it.each([
    ["a certificate's thumbprint", { "x5t#S256": THUMBPRINT }, { fingerprint: FINGERPRINT }],
    [
      "a thumbprint beside something else",
      { "x5t#S256": THUMBPRINT, kid: "1" },
      { fingerprint: FINGERPRINT },
    ],
    ["a key of another kind", { jwk: { kty: "OKP" } }, { fingerprint: undefined }],
  ])("grants the same, and tells of %s", (_, cnf, confirmation) => {
    expect(must(judged(cnf))).toMatchObject({ scope: scopes("communication:audio:*"), confirmation });
  });

  it.each([
    ["31 bytes", { "x5t#S256": Buffer.alloc(31).toString("base64url") }],
    ["hex", { "x5t#S256": FINGERPRINT }],
    ["no text", { "x5t#S256": 1 }],
    ["no object", "x5t"],
  ])("is refused with %s for it", (_, cnf) => {
    expect(judged(cnf)).toMatchObject({ fault: { code: "token-invalid", details: { claim: "cnf" } } });
  });

  it("is made with a fingerprint, of 64 hex digits alone", () => {
    const made = (fingerprint: string | undefined) =>
      makeAccessToken(
        {
          ...{ issuer: agentId, agentId, audience: AUDIENCE, lifetime: 60, jti: "1", now: CALL_TIME },
          ...{ scope: scopes("communication:data:*"), fingerprint },
        },
        ALICE.identity,
      );
    expect(must(granted(made(FINGERPRINT))).confirmation).toEqual({ fingerprint: FINGERPRINT });
    expect(must(granted(made(undefined)))).not.toHaveProperty("confirmation");
    expect(checkMade(made(FINGERPRINT))).toEqual({ ok: true, value: undefined });
    expect(checkMade(made("a1"))).toMatchObject({ fault: { code: "field-invalid", at: "token.cnf" } });
  });
});
