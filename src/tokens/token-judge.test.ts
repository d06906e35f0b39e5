import { createHash } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import type { JsonObject } from "../../codecs/canonical-json.ts";
import { canonicalBytes } from "../../codecs/canonical-json.ts";
import { Headers } from "../../codecs/headers.ts";
import type { AgtpRequest } from "../../codecs/message.ts";
import { makeAccessToken } from "../../signaling/access-token.ts";
import { requestBody } from "../../signaling/body.ts";
import { parseScopes } from "../../signaling/scope.ts";
import { strictVerifier } from "../../test/keys.ts";
import { VirtualClock } from "../../test/net/virtual-clock.ts";
import { ODD_KEYS } from "../../test/odd-keys.ts";
import { ALICE, BOB, CALL_SECONDS, CALL_TIME, must, SERVER } from "../../test/signed-call.ts";
import {
  bringing,
  CLAIMS,
  encoded,
  headerOf,
  ISSUER,
  type IssuerKey,
  issuerKey,
  macBy,
  SERVER_ID,
  signedBy,
  tokenOf,
} from "../../test/token-maker.ts";
import { MAX_WAITING, MAX_WAITING_EACH } from "./issuer-keys.ts";
import type { TokenIssuer } from "./token-issuers.ts";
import { TokenJudge } from "./token-judge.ts";

const ED = issuerKey("EdDSA", "ed");
const EC = issuerKey("ES256", "ec");
const RSA = issuerKey("RS256", "rsa");
const OTHER = issuerKey("EdDSA", "other");
const ORIGIN = "https://127.0.0.1:4480";
const NOW = CALL_TIME + 5_000;
const SERVER_AGENT = SERVER.genesis.agentId;

const jwksOf = (...keys: readonly JsonObject[]) => ({ keys });
const TRUSTED: readonly TokenIssuer[] = [
  { issuer: ISSUER, jwks: jwksOf(ED.jwk, EC.jwk, RSA.jwk) },
  { issuer: "https://other.example", jwks: jwksOf(OTHER.jwk) },
];

function judgeOf(issuers: readonly TokenIssuer[] = TRUSTED, now = NOW) {
  const clock = new VirtualClock({ wall: now });
  const agents = new Map([ALICE, BOB].map(({ genesis }) => [genesis.agentId, genesis.agentKey]));
  return new TokenJudge({
    issuers,
    server: { agentId: SERVER_AGENT, publicKey: SERVER.identity.publicKey, serverId: SERVER_ID },
    verifier: strictVerifier,
    clock,
    keyOf: (agentId) => agents.get(agentId),
    failed: () => {},
  });
}

/** The scope it grants, or what is wrong with it. */
async function verdict(
  token: string | AgtpRequest,
  issuers: readonly TokenIssuer[] = TRUSTED,
  now = NOW,
): Promise<string | undefined> {
  const request = typeof token === "string" ? bringing(token) : token;
  const judged = await judgeOf(issuers, now).judge(request, [ORIGIN], 1);
  if (judged === undefined) return undefined;
  if (judged.ok) return judged.value.scope.grants.join(" ");
  const { code, details } = judged.fault;
  return details?.claim === undefined ? code : `${code} ${details.claim}`;
}

const GRANTED = "communication:audio:*";

describe("a token of a trusted issuer", () => {
  it.each([
    ["EdDSA", ED],
    ["ES256", EC],
    ["RS256", RSA],
  ])("signed with %s grants what it says, to whom it says, until it says", async (_, key) => {
    const token = tokenOf(key);
    const judged = await judgeOf().judge(bringing(token), [ORIGIN], 1);
    expect(judged).toEqual({
      ok: true,
      value: {
        issuer: ISSUER,
        tokenId: "token-1",
        agentId: ALICE.genesis.agentId,
        scope: { grants: [GRANTED], limits: {} },
        expiresAt: (CALL_SECONDS + 600) * 1_000,
        digest: createHash("sha256").update(token).digest("hex"),
      },
    });
  });

  it.each([
    ["the server's Server-ID", SERVER_ID],
    ["the server's Agent-ID", SERVER_AGENT],
    ["an origin dialled", ORIGIN],
    ["one of several", ["https://elsewhere.example", ORIGIN]],
  ])("may be for %s", async (_, aud) => {
    expect(await verdict(tokenOf(ED, { aud }))).toBe(GRANTED);
  });

  it.each([
    ["a list", ["communication:audio:capture", "communication:limit:duration-s:60"]],
    ["text with blanks", "communication:audio:capture communication:limit:duration-s:60"],
    ["text with commas", "communication:audio:capture, communication:limit:duration-s:60"],
  ])("has its scope as %s, limits among it", async (_, scope) => {
    const judged = await judgeOf().judge(bringing(tokenOf(ED, { scope })), [ORIGIN], 1);
    expect(judged).toMatchObject({
      value: { scope: { grants: ["communication:audio:capture"], limits: { "duration-s": 60 } } },
    });
  });

  it.each(["agtp-access+jwt", "at+jwt", "AT+JWT", "application/at+jwt"])("is of type %s", async (typ) => {
    expect(await verdict(tokenOf(ED, {}, { typ }))).toBe(GRANTED);
  });

  it("comes in a parameter where headers are awkward, once", async () => {
    const token = tokenOf(ED);
    const inBody = (parameters: JsonObject) =>
      bringing(token, {
        headers: new Headers([["Content-Type", "application/vnd.agtp+json"]]),
        body: canonicalBytes(requestBody({ method: "ESTABLISH", parameters })),
      });
    expect(await verdict(inBody({ access_token: token }))).toBe(GRANTED);
    const twice = inBody({ access_token: token });
    twice.headers.append("Authorization", `Bearer ${token}`);
    expect(await verdict(twice)).toBe("token-invalid");
    expect(await verdict(inBody({ access_token: 7 }))).toBe("token-invalid");
    expect(await verdict(bringing(token, { query: new Map([["access_token", token]]) }))).toBe(
      "token-invalid",
    );
    expect(await verdict(inBody({ other: 1 })), "none").toBeUndefined();
    const basic = bringing(token, { headers: new Headers([["Authorization", "Basic YTpi"]]) });
    expect(await verdict(basic), "none of ours").toBeUndefined();
  });

  it("needs no name of its key where the issuer has one of that kind alone", async () => {
    const { kid: _, ...nameless } = headerOf(ED);
    const token = signedBy(ED, nameless, CLAIMS);
    expect(await verdict(token)).toBe(GRANTED);
    const two = [{ issuer: ISSUER, jwks: jwksOf(ED.jwk, OTHER.jwk) }];
    expect(await verdict(token, two)).toBe("token-invalid kid");
  });
});

describe("claims", () => {
  it.each<readonly [string, JsonObject, string]>([
    ["of an issuer nobody trusts", { iss: "https://evil.example" }, "token-invalid iss"],
    ["of the trusted issuer with a slash more", { iss: `${ISSUER}/` }, "token-invalid iss"],
    ["for another server", { aud: "https://elsewhere.example" }, "token-invalid aud"],
    ["for nobody", { aud: [] }, "token-invalid aud"],
    ["for something that is no text", { aud: { x: SERVER_ID } }, "token-invalid aud"],
    ["of no agent", { sub: "alice" }, "token-invalid sub"],
    ["that expired", { iat: CALL_SECONDS - 700, exp: CALL_SECONDS - 100 }, "token-expired exp"],
    ["that expire this second", { exp: CALL_SECONDS + 5 }, "token-expired exp"],
    ["that live longer than an hour", { exp: CALL_SECONDS + 3_601 }, "token-invalid exp"],
    ["that end before they begin", { exp: CALL_SECONDS - 1 }, "token-invalid exp"],
    ["that expire in no time that is", { exp: 1e300 }, "token-invalid exp"],
    ["that expire at a text", { exp: String(CALL_SECONDS + 600) }, "token-invalid exp"],
    ["issued in the future", { iat: CALL_SECONDS + 60, exp: CALL_SECONDS + 660 }, "token-invalid iat"],
    ["that do not hold yet", { nbf: CALL_SECONDS + 60 }, "token-invalid nbf"],
    ["with a scope that is none", { scope: "communication" }, "token-invalid scope"],
    ["with a limit that is none", { scope: "communication:limit:fun:1" }, "token-invalid scope"],
    ["with an unprintable name", { jti: "a\nb" }, "token-invalid jti"],
  ])("%s are refused", async (_, changes, refusal) => {
    expect(await verdict(tokenOf(ED, changes))).toBe(refusal);
  });

  it.each(["iss", "sub", "aud", "exp", "iat", "jti", "scope"])("without `%s` are refused", async (claim) => {
    const { [claim]: _, ...rest } = CLAIMS;
    expect(await verdict(signedBy(ED, headerOf(ED), rest))).toBe(`token-invalid ${claim}`);
  });
});

describe("a token whose header attacks", () => {
  const secret = ED.publicKey.export({ format: "pem", type: "spki" }) as string;
  const hmac = (key: string | Buffer) => macBy(key, { ...headerOf(ED), alg: "HS256" }, CLAIMS);
  const rsaPem = RSA.publicKey.export({ format: "pem", type: "spki" }) as string;

  it.each<readonly [string, string, string]>([
    ["has no algorithm", signedBy(ED, { kid: "ed", typ: "at+jwt" }, CLAIMS), "token-invalid alg"],
    ["has the algorithm none", tokenOf(ED, {}, { alg: "none" }), "token-invalid alg"],
    [
      "has none, and no signature",
      `${encoded({ ...headerOf(ED), alg: "none" })}.${encoded(CLAIMS)}.`,
      "token-invalid alg",
    ],
    ["has none in capitals", tokenOf(ED, {}, { alg: "NONE" }), "token-invalid alg"],
    [
      "has a list of algorithms",
      signedBy(ED, { ...headerOf(ED), alg: ["EdDSA"] }, CLAIMS),
      "token-invalid alg",
    ],
    ["is a MAC with the public key (PEM)", hmac(secret), "token-invalid alg"],
    [
      "is a MAC with the RSA public key",
      macBy(rsaPem, { ...headerOf(RSA), alg: "HS256" }, CLAIMS),
      "token-invalid alg",
    ],
    [
      "is a MAC with the raw public key",
      hmac(Buffer.from(ED.jwk.x as string, "base64url")),
      "token-invalid alg",
    ],
    ["calls an EdDSA signature ES256", tokenOf(ED, {}, { alg: "ES256" }), "token-invalid kid"],
    [
      "calls an EdDSA signature RS256, by the RSA key's name",
      tokenOf(ED, {}, { alg: "RS256", kid: "rsa" }),
      "token-invalid signature",
    ],
    ["names a key by a path", tokenOf(ED, {}, { kid: "../../etc/passwd" }), "token-invalid kid"],
    ["names a key by a query", tokenOf(ED, {}, { kid: "'UNION SELECT 'key';--" }), "token-invalid kid"],
    ["names a key of every object", tokenOf(ED, {}, { kid: "__proto__" }), "token-invalid kid"],
    ["names a key by an object", tokenOf(ED, {}, { kid: { kid: "ed" } }), "token-invalid kid"],
    [
      "names another key of the issuer",
      tokenOf(ED, {}, { kid: "ec", alg: "ES256" }),
      "token-invalid signature",
    ],
    [
      "brings a URL of keys",
      tokenOf(OTHER, {}, { jku: "https://evil.example/jwks", kid: "ed" }),
      "token-invalid jku",
    ],
    [
      "brings a URL of certificates",
      tokenOf(OTHER, {}, { x5u: "https://evil.example/pem", kid: "ed" }),
      "token-invalid x5u",
    ],
    ["brings its key", tokenOf(OTHER, {}, { jwk: OTHER.jwk, kid: "ed" }), "token-invalid jwk"],
    ["brings a certificate", tokenOf(OTHER, {}, { x5c: ["MIIB"], kid: "ed" }), "token-invalid x5c"],
    ["marks something critical", tokenOf(ED, {}, { crit: ["exp"] }), "token-invalid crit"],
    ["has its payload unencoded", tokenOf(ED, {}, { b64: false, crit: ["b64"] }), "token-invalid crit"],
    ["has its payload unencoded, uncritically", tokenOf(ED, {}, { b64: false }), "token-invalid b64"],
    ["is compressed", tokenOf(ED, {}, { zip: "DEF" }), "token-invalid zip"],
    ["says it is nested", tokenOf(ED, {}, { cty: "JWT" }), "token-invalid cty"],
    ["is of no type", signedBy(ED, { alg: "EdDSA", kid: "ed" }, CLAIMS), "token-invalid typ"],
    ["is an identity token", tokenOf(ED, {}, { typ: "JWT" }), "token-invalid typ"],
    ["is a possession proof", tokenOf(ED, {}, { typ: "agtp-proof+jwt" }), "token-invalid typ"],
  ])("and %s is refused", async (_, token, refusal) => {
    expect(await verdict(token)).toBe(refusal);
  });
});

describe("a token whose form attacks", () => {
  const [header = "", payload = "", signature = ""] = tokenOf(ED).split(".");
  const twice = (name: string, value: string) =>
    JSON.stringify(CLAIMS).replace("{", `{${JSON.stringify(name)}:${JSON.stringify(value)},`);

  it.each<readonly [string, string, string]>([
    ["lost its signature", `${header}.${payload}.`, "token-invalid signature"],
    ["lost it with its dot", `${header}.${payload}`, "token-invalid"],
    [
      "has the signature of another",
      `${header}.${payload}.${tokenOf(ED, { jti: "2" }).split(".")[2]}`,
      "token-invalid signature",
    ],
    [
      "was widened",
      `${header}.${encoded({ ...CLAIMS, scope: "communication:*" })}.${signature}`,
      "token-invalid signature",
    ],
    ["goes on behind its signature", `${header}.${payload}.${signature}.${signature}`, "token-invalid"],
    ["is encrypted", `${header}.${payload}.${signature}.a.b`, "token-invalid"],
    ["has a token inside", signedBy(ED, headerOf(ED), `"${tokenOf(ED)}"`), "token-invalid payload"],
    ["has padding", `${header}.${payload}=.${signature}`, "token-invalid payload"],
    [
      "has bits to spare",
      `${header}.${payload}.${signature.slice(0, -1)}${signature.endsWith("B") ? "C" : "B"}`,
      "token-invalid signature",
    ],
    ["is no JSON", signedBy(ED, headerOf(ED), "sub=alice"), "token-invalid payload"],
    ["is a list", signedBy(ED, headerOf(ED), "[]"), "token-invalid payload"],
    [
      "has two subjects",
      signedBy(ED, headerOf(ED), twice("sub", BOB.genesis.agentId)),
      "token-invalid payload",
    ],
    [
      "has two algorithms",
      signedBy(ED, JSON.stringify(headerOf(ED)).replace("{", '{"alg":"none",'), CLAIMS),
      "token-invalid header",
    ],
    [
      "spells the second one otherwise",
      signedBy(ED, headerOf(ED), twice("sub", BOB.genesis.agentId).replace('"sub"', '"\\u0073ub"')),
      "token-invalid payload",
    ],
    ["is too long", tokenOf(ED, { note: "x".repeat(8_192) }), "token-invalid"],
    ["is nothing", "", "token-invalid"],
    ["is three dots", "...", "token-invalid"],
  ])("and %s is refused", async (_, token, refusal) => {
    expect(await verdict(token)).toBe(refusal);
  });
});

describe("a key", () => {
  const only = (...keys: readonly JsonObject[]) => [{ issuer: ISSUER, jwks: jwksOf(...keys) }];

  it("of another issuer signs for that one alone", async () => {
    expect(await verdict(tokenOf(OTHER))).toBe("token-invalid kid");
    expect(await verdict(tokenOf(OTHER, {}, { kid: "ed" }))).toBe("token-invalid signature");
    expect(await verdict(tokenOf(OTHER, { iss: "https://other.example" }))).toBe(GRANTED);
  });

  it("of an algorithm that its issuer was not given is none", async () => {
    const issuers: readonly TokenIssuer[] = [
      { issuer: ISSUER, jwks: jwksOf(ED.jwk, EC.jwk), algorithms: ["ES256"] },
    ];
    expect(await verdict(tokenOf(ED), issuers)).toBe("token-invalid kid");
    expect(await verdict(tokenOf(EC), issuers)).toBe(GRANTED);
  });

  it.each(ODD_KEYS.map((key, at) => [at, key] as const))(
    "of small order or an odd encoding is none (%i)",
    async (_, key) => {
      const jwk = { kty: "OKP", crv: "Ed25519", x: Buffer.from(key).toString("base64url"), kid: "ed" };
      // Under a key of small order this holds for some verifiers, whatever is signed.
      const forged = `${encoded(headerOf(ED))}.${encoded(CLAIMS)}.${Buffer.concat([key, Buffer.alloc(32)]).toString("base64url")}`;
      expect(await verdict(forged, only(jwk))).toBe("token-invalid kid");
    },
  );

  const weak = issuerKey("RS256", "weak", 1_024);
  const low = issuerKey("RS256", "low", 2_048, 3);
  const modulus = RSA.jwk.n as string;
  it.each<readonly [string, IssuerKey, JsonObject]>([
    ["an RSA key of 1,024 bits", weak, weak.jwk],
    ["an RSA key with exponent 3", low, low.jwk],
    ["an RSA key with exponent 1", RSA, { ...RSA.jwk, e: "AQ" }],
    ["an RSA key with an even exponent", RSA, { ...RSA.jwk, e: "AQAA" }],
    ["an RSA key that fills the line", RSA, { ...RSA.jwk, n: modulus.repeat(20) }],
    ["a P-256 key off the curve", EC, { ...EC.jwk, y: EC.jwk.x as string }],
    ["a P-256 key at infinity", EC, { ...EC.jwk, x: "A".repeat(43), y: "A".repeat(43) }],
    ["a key of another curve", EC, { ...EC.jwk, crv: "P-384" }],
    ["a key for encryption", ED, { ...ED.jwk, use: "enc" }],
    ["a key for other operations", ED, { ...ED.jwk, key_ops: ["sign"] }],
    ["a key of another algorithm by its own word", RSA, { ...RSA.jwk, alg: "PS256" }],
    ["a private key", ED, ED.privateKey.export({ format: "jwk" }) as JsonObject],
    ["a symmetric key", ED, { kty: "oct", k: "AAAA", kid: "ed", alg: "EdDSA" }],
    ["a key without its point", ED, { kty: "OKP", crv: "Ed25519", kid: "ed" }],
  ])("is none where it is %s", async (_, key, jwk) => {
    expect(await verdict(tokenOf(key), only({ ...jwk, kid: key.kid }))).toBe("token-invalid kid");
  });

  it("that is none takes nothing from the others", async () => {
    expect(await verdict(tokenOf(ED), only(weak.jwk, { kty: "x" }, ED.jwk))).toBe(GRANTED);
  });
});

describe("an agent's own token", () => {
  const scope = must(parseScopes("communication:audio:capture"));
  const input = {
    issuer: ALICE.genesis.agentId,
    agentId: ALICE.genesis.agentId,
    audience: ORIGIN,
    scope,
    lifetime: 60,
    jti: "1",
    now: CALL_TIME,
  };

  it("is signed with its identity key", async () => {
    expect(await verdict(makeAccessToken(input, ALICE.identity))).toBe("communication:audio:capture");
    expect(await verdict(makeAccessToken(input, BOB.identity))).toBe("token-invalid kid");
  });

  it("is for itself: of others it says nothing", async () => {
    const forBob = { ...input, agentId: BOB.genesis.agentId };
    expect(await verdict(makeAccessToken(forBob, ALICE.identity))).toBe("token-invalid iss");
  });

  it("may come with the Genesis of an agent that is not known yet, and with that agent's alone", async () => {
    const carol = SERVER;
    const judge = judgeOf();
    const bring = (issuer: string, genesis: Uint8Array) => {
      const token = makeAccessToken({ ...input, issuer, agentId: issuer }, BOB.identity);
      const parameters = { genesis: new TextDecoder().decode(genesis) };
      return judge.judge(
        bringing(token, {
          body: canonicalBytes(requestBody({ method: "SUBSCRIBE", parameters })),
          headers: new Headers([
            ["Authorization", `Bearer ${token}`],
            ["Content-Type", "application/vnd.agtp+json"],
          ]),
        }),
        [ORIGIN],
        1,
      );
    };
    const stranger = "f".repeat(64);
    expect(await bring(stranger, BOB.genesis.bytes)).toMatchObject({ fault: { details: { claim: "iss" } } });
    expect(await bring(carol.genesis.agentId, BOB.genesis.bytes)).toMatchObject({ ok: false });
  });
});

it("the server's own tokens hold for whom it names", async () => {
  const scope = must(parseScopes("communication:data:*"));
  const input = {
    issuer: SERVER_AGENT,
    agentId: ALICE.genesis.agentId,
    audience: SERVER_AGENT,
    scope,
    lifetime: 60,
    jti: "1",
    now: CALL_TIME,
  };
  expect(await verdict(makeAccessToken(input, SERVER.identity))).toBe("communication:data:*");
  expect(await verdict(makeAccessToken(input, ALICE.identity))).toBe("token-invalid kid");
});

it("a signature that held is not verified again, and its claims are", async () => {
  const clock = new VirtualClock({ wall: NOW });
  let verified = 0;
  const judge = new TokenJudge({
    issuers: TRUSTED,
    server: { agentId: SERVER_AGENT, publicKey: SERVER.identity.publicKey, serverId: SERVER_ID },
    verifier: {
      ...strictVerifier,
      verify(...parts) {
        verified++;
        return strictVerifier.verify(...parts);
      },
    },
    clock,
    keyOf: () => undefined,
    failed: () => {},
  });
  const token = tokenOf(ED);
  const judged = async () => (await judge.judge(bringing(token), [ORIGIN], 1))?.ok;
  expect([await judged(), await judged(), verified]).toEqual([true, true, 1]);
  await clock.advance(700_000);
  expect([await judged(), verified]).toEqual([false, 1]);
});

it("of many tokens at once some are told to come again", async () => {
  const judge = judgeOf();
  await judge.judge(bringing(tokenOf(EC)), [ORIGIN], 1);
  const judged = await Promise.all(
    Array.from({ length: 300 }, (_, index) =>
      judge.judge(bringing(tokenOf(EC, { jti: `${index}` })), [ORIGIN], 1),
    ),
  );
  const refused = judged.filter((one) => one?.ok === false);
  expect(refused).toHaveLength(44);
  expect(refused[0]).toMatchObject({ fault: { code: "capacity", details: { retry_after_ms: 1_000 } } });
});

it("tokens that wait for the keys of a slow issuer leave room for those of others", async () => {
  const answered = Promise.withResolvers<void>();
  const slow = createServer((_, response) => void answered.promise.then(() => response.end('{"keys":[]}')));
  await new Promise<void>((resolve) => slow.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void slow.close());
  const jwks = `http://127.0.0.1:${(slow.address() as AddressInfo).port}/`;
  const judge = judgeOf([...TRUSTED, { issuer: "https://slow.example", jwks }]);
  const junk = bringing(tokenOf(OTHER, { iss: "https://slow.example" }));
  const codeOf = async (connection: number) => {
    const judged = await judge.judge(junk, [ORIGIN], connection);
    return judged?.ok === false ? judged.fault.code : undefined;
  };
  const waiting = Array.from({ length: MAX_WAITING }, (_, index) =>
    codeOf(index % (MAX_WAITING / MAX_WAITING_EACH)),
  );
  expect(await codeOf(0), "of one connection so many wait").toBe("capacity");
  expect(await codeOf(999), "and in all so many").toBe("capacity");
  expect(await judge.judge(bringing(tokenOf(ED)), [ORIGIN], 0)).toMatchObject({ ok: true });
  answered.resolve();
  expect(new Set(await Promise.all(waiting))).toEqual(new Set(["token-invalid"]));
  expect(await codeOf(0), "nobody waits any more").toBe("token-invalid");
});
