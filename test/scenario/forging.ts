/** What a liar can do to signed objects without the key, and with a key of its own. */
import { decodeBase64url, encodeBase64url } from "../../codecs/base64url.ts";
import { canonicalBytes, type JsonObject } from "../../codecs/canonical-json.ts";
import type { Signer } from "../../codecs/signer.ts";
import { signJws } from "../../signaling/jws.ts";
import { must } from "../signed-call.ts";

export type Change = (payload: JsonObject) => JsonObject;

/** The payload of a compact JWS. */
export function payloadOf(jws: string): JsonObject {
  return JSON.parse(new TextDecoder().decode(must(decodeBase64url(jws.split(".")[1] ?? "")))) as JsonObject;
}

/** Another payload under the signature of the first. */
export function rewritten(jws: string, change: Change): string {
  const [header, , signature] = jws.split(".");
  return `${header}.${encodeBase64url(canonicalBytes(change(payloadOf(jws))))}.${signature}`;
}

/** Another payload, or the same, signed by a key that the object does not belong to. */
export function signedBy(jws: string, signer: Signer, change: Change = (payload) => payload): string {
  const header = JSON.parse(new TextDecoder().decode(must(decodeBase64url(jws.split(".")[0] ?? "")))) as {
    typ: string;
  };
  return signJws(header.typ, change(payloadOf(jws)), signer);
}

/** The first stream of an offer or answer, changed. */
export function streamChanged(payload: JsonObject, change: Change): JsonObject {
  const [first, ...rest] = payload.streams as JsonObject[];
  return { ...payload, streams: [change(first as JsonObject), ...rest] };
}
