/** Access tokens as any backend would make them, and as none should: header, claims and key are free. */
import { createHmac, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { encodeBase64url } from "../codecs/base64url.ts";
import { canonicalBytes, type JsonObject } from "../codecs/canonical-json.ts";
import { Headers } from "../codecs/headers.ts";
import type { AgtpRequest } from "../codecs/message.ts";
import { ALICE, CALL_SECONDS } from "./signed-call.ts";

export const ISSUER = "https://login.example";
export const SERVER_ID = "media.test";

/** A key pair of an issuer and how its public half is published. */
export interface IssuerKey {
  readonly kid: string;
  readonly alg: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly jwk: JsonObject;
}

export function issuerKey(
  alg: "EdDSA" | "ES256" | "RS256",
  kid: string,
  bits = 2_048,
  exponent = 65_537,
): IssuerKey {
  const { privateKey, publicKey } =
    alg === "EdDSA"
      ? generateKeyPairSync("ed25519")
      : alg === "ES256"
        ? generateKeyPairSync("ec", { namedCurve: "P-256" })
        : generateKeyPairSync("rsa", { modulusLength: bits, publicExponent: exponent });
  const jwk = { ...publicKey.export({ format: "jwk" }), kid, alg, use: "sig" } as unknown as JsonObject;
  return { kid, alg, privateKey, publicKey, jwk };
}

/** What an honest token says, at the time of these tests. */
export const CLAIMS: JsonObject = {
  iss: ISSUER,
  sub: ALICE.genesis.agentId,
  aud: SERVER_ID,
  iat: CALL_SECONDS,
  exp: CALL_SECONDS + 600,
  jti: "token-1",
  scope: "communication:audio:*",
};

export function headerOf({ alg, kid }: IssuerKey): JsonObject {
  return { alg, kid, typ: "at+jwt" };
}

/** A token of these claims by this key. */
export function tokenOf(key: IssuerKey, changes: JsonObject = {}, header: JsonObject = {}): string {
  return signedBy(key, { ...headerOf(key), ...header }, { ...CLAIMS, ...changes });
}

/** Signs what is given, whatever it says: objects, or JSON as it stands. */
export function signedBy(
  key: Pick<IssuerKey, "alg" | "privateKey">,
  header: JsonObject | string,
  claims: JsonObject | string,
): string {
  const signed = `${encoded(header)}.${encoded(claims)}`;
  const signature =
    key.alg === "EdDSA"
      ? sign(null, Buffer.from(signed), key.privateKey)
      : sign("sha256", Buffer.from(signed), { key: key.privateKey, dsaEncoding: "ieee-p1363" });
  return `${signed}.${signature.toString("base64url")}`;
}

/** A symmetric signature with any octets as its secret. */
export function macBy(secret: string | Buffer, header: JsonObject, claims: JsonObject): string {
  const signed = `${encoded(header)}.${encoded(claims)}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

export function encoded(value: JsonObject | string): string {
  return encodeBase64url(typeof value === "string" ? Buffer.from(value) : canonicalBytes(value));
}

/** A request that brings it. */
export function bringing(token: string, changes: Partial<AgtpRequest> = {}): AgtpRequest {
  return {
    dialect: "base",
    method: "ESTABLISH",
    path: "/sessions",
    query: new Map(),
    headers: new Headers([["Authorization", `Bearer ${token}`]]),
    body: new Uint8Array(0),
    ...changes,
  };
}
