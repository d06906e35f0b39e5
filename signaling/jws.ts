import { sha256 } from "@noble/hashes/sha2.js";
import { decodeBase64url, encodeBase64url } from "../codecs/base64url.ts";
import { canonicalBytes, isJsonObject, type JsonObject, parseCanonical } from "../codecs/canonical-json.ts";
import type { ErrorCode } from "../codecs/error-codes.ts";
import { encodeHex } from "../codecs/hex.ts";
import { ok, type Result, refuse } from "../codecs/result.ts";
import { type IdentitySigner, type Signed, signThen, type Verifier } from "../codecs/signer.ts";
import { keyId } from "./keys.ts";
import { object, oneOf, readShape, type Shape, text } from "./shape.ts";

/** Longest signed object in its compact form, characters. Longer ones are refused unread. */
export const MAX_JWS_CHARACTERS = 65_536;

/** The protected header of every JWS that Parley makes or takes. */
export type JwsHeader = {
  readonly alg: "EdDSA";
  /** `keyId` of the signing key. */
  readonly kid: string;
  readonly typ: string;
};

/** A compact JWS taken apart. */
export interface Jws {
  readonly header: JwsHeader;
  readonly payload: JsonObject;
  /** The ASCII bytes that are signed (RFC 7515 5.1): header, dot, payload. */
  readonly signed: Uint8Array;
  /** 64 bytes. */
  readonly signature: Uint8Array;
}

/** One kind of signed object: its `typ`, the form of its payload and what its refusals are called. */
export interface SignedForm<T> {
  readonly typ: string;
  /** Names the object in `Fault.at`, e.g. `offer`. */
  readonly name: string;
  readonly shape: Shape<T>;
  /** The code of every refusal. Absent: `signature-invalid`, `field-invalid` and `json-not-canonical` as they fit. */
  readonly code?: ErrorCode;
}

/**
 * Signs `payload` as a compact JWS (RFC 7515) with EdDSA (RFC 8037). Header and payload are canonical JSON (RFC 8785),
 * so the same payload and key make the same text: at once with a `Signer`. Throws `json-unrepresentable` for a payload with no such form.
 */
export function signJws<Key extends IdentitySigner>(
  typ: string,
  payload: object,
  signer: Key,
): Signed<Key, string> {
  const header: JwsHeader = { alg: "EdDSA", kid: keyId(signer.publicKey), typ };
  const signed = `${encodeBase64url(canonicalBytes(header))}.${encodeBase64url(canonicalBytes(payload))}`;
  return signThen(signer, ascii.encode(signed), (signature) => `${signed}.${encodeBase64url(signature)}`);
}

/**
 * Takes a compact JWS apart without judging its signature: strict base64url, canonical JSON, exactly the members
 * `alg` `EdDSA`, `kid` and the given `typ` in its header, an object as payload. Every other algorithm, `none` among
 * them, is refused. Faults: `field-invalid`, `json-not-canonical`, `signature-invalid` for the wrong `alg` or `typ`.
 */
export function decodeJws(jws: string, typ: string, at = "jws", max = MAX_JWS_CHARACTERS): Result<Jws> {
  if (typeof jws !== "string" || jws.length > max) {
    return refuse("field-invalid", `A signed object is a string of at most ${max} characters.`, at);
  }
  const [headerText, payloadText, signatureText, more] = jws.split(".");
  if (
    headerText === undefined ||
    payloadText === undefined ||
    signatureText === undefined ||
    more !== undefined
  ) {
    return refuse("field-invalid", "A compact JWS has three parts.", at);
  }
  const header = segment(headerText, `${at}.header`);
  if (!header.ok) return header;
  const fields = readShape(HEADER, header.value, `${at}.header`);
  if (!fields.ok) return refuse("signature-invalid", fields.fault.message, fields.fault.at);
  if (fields.value.typ !== typ)
    return refuse("signature-invalid", `This is not a \`${typ}\`.`, `${at}.header.typ`);
  const payload = segment(payloadText, `${at}.payload`);
  if (!payload.ok) return payload;
  const signature = decodeBase64url(signatureText, `${at}.signature`);
  if (!signature.ok) return signature;
  if (signature.value.length !== SIGNATURE_BYTES) {
    return refuse("signature-invalid", "An Ed25519 signature is 64 bytes.", `${at}.signature`);
  }
  const signed = ascii.encode(`${headerText}.${payloadText}`);
  return ok({ header: fields.value, payload: payload.value, signed, signature: signature.value });
}

/**
 * {@link decodeJws}, then the signature under `publicKey` (32 raw bytes) by the verifier's strict rule; `kid` must name
 * that key. Faults as there, and `signature-invalid`.
 */
export function verifyJws(
  jws: string,
  typ: string,
  publicKey: Uint8Array,
  verifier: Verifier,
  at = "jws",
  max = MAX_JWS_CHARACTERS,
): Result<Jws> {
  const decoded = decodeJws(jws, typ, at, max);
  if (!decoded.ok) return decoded;
  const { header, signed, signature } = decoded.value;
  if (header.kid !== keyId(publicKey)) {
    return refuse("signature-invalid", "This is signed by another key.", `${at}.header.kid`);
  }
  if (!verifier.isAcceptableKey(publicKey) || !verifier.verify(publicKey, signed, signature)) {
    return refuse("signature-invalid", "The signature does not hold.", `${at}.signature`);
  }
  return decoded;
}

/** The typed payload of a signed object, without judging its signature: to learn whose it says it is. */
export function readSigned<T>(jws: string, form: SignedForm<T>): Result<T> {
  const decoded = decodeJws(jws, form.typ, form.name);
  return named(decoded.ok ? readShape(form.shape, decoded.value.payload, form.name) : decoded, form.code);
}

/** The typed payload of a signed object whose signature under `publicKey` holds. */
export function verifySigned<T>(
  jws: string,
  form: SignedForm<T>,
  publicKey: Uint8Array,
  verifier: Verifier,
): Result<T> {
  const verified = verifyJws(jws, form.typ, publicKey, verifier, form.name);
  return named(verified.ok ? readShape(form.shape, verified.value.payload, form.name) : verified, form.code);
}

/** SHA-256 of a signed object's compact form, 64 hex digits: how other objects refer to it. */
export function jwsDigest(jws: string): string {
  return encodeHex(sha256(ascii.encode(jws)));
}

function segment(text: string, at: string): Result<JsonObject> {
  const bytes = decodeBase64url(text, at);
  if (!bytes.ok) return bytes;
  const value = parseCanonical(bytes.value);
  if (!value.ok) return refuse("json-not-canonical", value.fault.message, at);
  return isJsonObject(value.value)
    ? ok(value.value)
    : refuse("field-invalid", "This is not a JSON object.", at);
}

function named<T>(result: Result<T>, code: ErrorCode | undefined): Result<T> {
  return result.ok || code === undefined ? result : { ok: false, fault: { ...result.fault, code } };
}

const HEADER: Shape<JwsHeader> = object<JwsHeader>({
  alg: oneOf("EdDSA"),
  kid: text({ max: 64 }),
  typ: text({ max: 64 }),
});

const SIGNATURE_BYTES = 64;
const ascii = new TextEncoder();
