import { sha256 } from "@noble/hashes/sha2.js";
import { encodeHex } from "../../codecs/hex.ts";
import type { Result } from "../../codecs/result.ts";
import { parseUtc } from "../utc-time.ts";
import { context, DerReader, readDer, TAG } from "./der.ts";
import { flawed } from "./flaws.ts";

/** Largest certificate that is read, bytes. */
const MAX_CERTIFICATE_BYTES = 16_384;
/** Extensions of one certificate, at most. */
const MAX_EXTENSIONS = 64;

/** How a certificate was signed. */
export type SignatureAlgorithm =
  | "ed25519"
  | "ecdsa-sha256"
  | "ecdsa-sha384"
  | "ecdsa-sha512"
  | "rsa-sha256"
  | "rsa-sha384"
  | "rsa-sha512";

/** Judges signatures of certificates. */
export interface CertificateSignatures {
  /**
   * True only when `signature` over `message` holds under `publicKey` (SubjectPublicKeyInfo, DER), and the key fits the algorithm and is
   * strong enough to be relied on. Never throws.
   */
  verify(
    algorithm: SignatureAlgorithm,
    publicKey: Uint8Array,
    message: Uint8Array,
    signature: Uint8Array,
  ): boolean;
}

export interface CertificateExtension {
  readonly oid: string;
  readonly isCritical: boolean;
  /** What its OCTET STRING holds. */
  readonly value: Uint8Array;
}

/** An X.509 certificate (RFC 5280), read and not judged. Byte fields are views on the certificate. */
export interface X509 {
  readonly der: Uint8Array;
  /** What is signed. */
  readonly signed: Uint8Array;
  readonly signature: Uint8Array;
  /** `undefined` for one that is not taken here. */
  readonly algorithm: SignatureAlgorithm | undefined;
  /** Lowercase hex without leading zeros. */
  readonly serial: string;
  /** Names, DER as they stand: compared byte by byte. */
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  /** Unix milliseconds. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** SubjectPublicKeyInfo, DER, and its SHA-256 in hex. */
  readonly publicKey: Uint8Array;
  readonly keyId: string;
  /** The 32 raw bytes of an Ed25519 key. */
  readonly ed25519: Uint8Array | undefined;
  readonly extensions: readonly CertificateExtension[];
  readonly constraints: Constraints;
}

/** What the standard extensions say that are understood here; `undefined` where they are missing. */
export interface Constraints {
  readonly isAuthority: boolean;
  /** Authorities that may stand between it and an agent. */
  readonly pathLength: number | undefined;
  /** Bits of keyUsage. */
  readonly keyUsage: ReadonlySet<number> | undefined;
  readonly extendedKeyUsage: readonly string[] | undefined;
}

/** Bits of keyUsage (RFC 5280, section 4.2.1.3). */
export const KEY_USAGE = { digitalSignature: 0, keyCertSign: 5 } as const;

/** Extensions that may be critical because what they demand is done here; subjectAltName demands nothing of us. */
export const UNDERSTOOD = {
  keyUsage: "2.5.29.15",
  subjectAltName: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  extendedKeyUsage: "2.5.29.37",
} as const;

/** Reads a certificate. Faults: `agent-certificate-refused` with `too-large`, `malformed`, `extension-duplicate`. */
export function readX509(der: Uint8Array): Result<X509> {
  if (der.length > MAX_CERTIFICATE_BYTES)
    return flawed("too-large", `A certificate has at most ${MAX_CERTIFICATE_BYTES} bytes.`);
  return readDer(der, (reader) => {
    const certificate = reader.inside(TAG.sequence, "a certificate");
    const signed = certificate.read(TAG.sequence, "what is signed");
    const algorithm = certificate.read(TAG.sequence, "the signature's algorithm").whole;
    const signature = certificate.bitString("the signature");
    certificate.end();
    return { der, signed: signed.whole, signature, ...readSigned(signed.content, signed.at, algorithm) };
  });
}

/** SHA-256 of a certificate, 64 hex digits. */
export function fingerprintOf({ der }: X509): string {
  return encodeHex(sha256(der));
}

/** True for names, keys and the like that are the same bytes. */
export function areSame(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, i) => byte === right[i]);
}

function readSigned(bytes: Uint8Array, at: number, algorithm: Uint8Array) {
  const reader = new DerReader(bytes, at);
  const version = reader.optional(context(0), "the version");
  if (version !== undefined) {
    const inner = new DerReader(version.content, version.at);
    if (inner.smallInteger("the version") > 2) reader.fail("This version is not known.");
    inner.end();
  }
  const serial = reader.integer("the serial number");
  if (serial.length > MAX_SERIAL_BYTES || (serial[0] as number) >= 0x80)
    reader.fail("A serial number is a positive one of at most 20 bytes.");
  const inner = reader.read(TAG.sequence, "the signature's algorithm");
  if (!areSame(inner.whole, algorithm)) reader.fail("It names two algorithms for one signature.");
  const issuer = reader.read(TAG.sequence, "the issuer's name").whole;
  const validity = reader.inside(TAG.sequence, "the validity");
  const notBefore = timeOf(validity);
  const notAfter = timeOf(validity);
  validity.end();
  const subject = reader.read(TAG.sequence, "the subject's name").whole;
  const publicKey = reader.read(TAG.sequence, "the public key");
  reader.optional(UNIQUE_ISSUER, "an identifier");
  reader.optional(UNIQUE_SUBJECT, "an identifier");
  const wrapped = reader.optional(context(3), "the extensions");
  reader.end();
  const extensions = wrapped === undefined ? [] : extensionsOf(new DerReader(wrapped.content, wrapped.at));
  return {
    algorithm: ALGORITHMS[algorithmOf(inner.content, inner.at)],
    serial: encodeHex(serial).replace(/^0+(?=.)/, ""),
    issuer,
    subject,
    notBefore,
    notAfter,
    publicKey: publicKey.whole,
    keyId: encodeHex(sha256(publicKey.whole)),
    ed25519: ed25519Of(new DerReader(publicKey.content, publicKey.at)),
    extensions,
    constraints: constraintsOf(extensions),
  };
}

/** OID, and whether parameters stand behind it: for ECDSA and Ed25519 none, for RSA NULL. */
function algorithmOf(bytes: Uint8Array, at: number): string {
  const reader = new DerReader(bytes, at);
  const oid = reader.oid("the algorithm");
  if (reader.isOver) return oid;
  const parameters = reader.any("the algorithm's parameters");
  reader.end();
  return parameters.tag === TAG_NULL && parameters.content.length === 0 ? `${oid} null` : `${oid} parameters`;
}

function ed25519Of(reader: DerReader): Uint8Array | undefined {
  const { content, at } = reader.read(TAG.sequence, "the key's algorithm");
  const isEd25519 = algorithmOf(content, at) === ED25519;
  const bits = reader.read(TAG.bitString, "the key").content;
  reader.end();
  const key = bits.subarray(1);
  return isEd25519 && bits[0] === 0 && key.length === 32 ? key : undefined;
}

function extensionsOf(reader: DerReader): CertificateExtension[] {
  const list = reader.inside(TAG.sequence, "the extensions");
  reader.end();
  const found = new Map<string, CertificateExtension>();
  while (!list.isOver) {
    const extension = list.inside(TAG.sequence, "an extension");
    const oid = extension.oid("an extension's name");
    const isCritical = extension.flag("whether it is critical");
    const value = extension.read(TAG.octetString, "an extension's value").content;
    extension.end();
    if (found.has(oid)) list.fail("An extension stands here twice.", "extension-duplicate", { oid });
    if (found.size === MAX_EXTENSIONS) list.fail(`There are more than ${MAX_EXTENSIONS} extensions.`);
    found.set(oid, { oid, isCritical, value });
  }
  return [...found.values()];
}

function constraintsOf(extensions: readonly CertificateExtension[]): Constraints {
  const read = <Value>(oid: string, take: (reader: DerReader) => Value): Value | undefined => {
    const extension = extensions.find((one) => one.oid === oid);
    if (extension === undefined) return undefined;
    const reader = new DerReader(extension.value, 0);
    const taken = take(reader);
    reader.end();
    return taken;
  };
  const basic = read(UNDERSTOOD.basicConstraints, (whole) => {
    const inner = whole.inside(TAG.sequence, "basicConstraints");
    const isAuthority = inner.flag("whether it is an authority");
    const pathLength = inner.isOver ? undefined : inner.smallInteger("the path length");
    inner.end();
    return { isAuthority, pathLength };
  });
  return {
    isAuthority: basic?.isAuthority ?? false,
    pathLength: basic?.pathLength,
    keyUsage: read(UNDERSTOOD.keyUsage, (whole) => whole.bits("keyUsage")),
    extendedKeyUsage: read(UNDERSTOOD.extendedKeyUsage, (whole) => {
      const list = whole.inside(TAG.sequence, "extKeyUsage");
      const uses: string[] = [];
      while (!list.isOver) uses.push(list.oid("a use"));
      return uses;
    }),
  };
}

/** UTCTime to 2049, GeneralizedTime from 2050 on; whoever writes the latter for earlier years is understood as well. */
function timeOf(reader: DerReader): number {
  const { tag, content } = reader.any("a time");
  const text = String.fromCharCode(...content.subarray(0, MAX_TIME_CHARACTERS));
  const match = (
    tag === TAG.utcTime ? UTC_TIME : tag === TAG.generalizedTime ? GENERALIZED_TIME : NO_TIME
  ).exec(text);
  const [, year = "", month, day, hour, minute, second] = match ?? [];
  const century = year.length === 4 ? "" : Number(year) < 50 ? "20" : "19";
  const time = parseUtc(`${century}${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return time.ok ? time.value : reader.fail("This is not a time in UTC.");
}

const ED25519 = "1.3.101.112";
const ALGORITHMS: Readonly<Record<string, SignatureAlgorithm>> = {
  [ED25519]: "ed25519",
  "1.2.840.10045.4.3.2": "ecdsa-sha256",
  "1.2.840.10045.4.3.3": "ecdsa-sha384",
  "1.2.840.10045.4.3.4": "ecdsa-sha512",
  "1.2.840.113549.1.1.11 null": "rsa-sha256",
  "1.2.840.113549.1.1.12 null": "rsa-sha384",
  "1.2.840.113549.1.1.13 null": "rsa-sha512",
};
const MAX_SERIAL_BYTES = 20;
const MAX_TIME_CHARACTERS = 16;
const TAG_NULL = 0x05;
/** `[1]` and `[2]` of elements that hold none. */
const UNIQUE_ISSUER = 0x81;
const UNIQUE_SUBJECT = 0x82;
const UTC_TIME = /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/;
const GENERALIZED_TIME = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/;
const NO_TIME = /$^/;
