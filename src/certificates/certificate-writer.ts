import { sha256 } from "@noble/hashes/sha2.js";
import type { Signer } from "../../codecs/signer.ts";
import { bits, element, oid, positive, sequence, time, utf8 } from "./der-writer.ts";

/** A certificate to be signed. */
export interface CertificateContent {
  /** Bytes of the serial number, most significant first. */
  readonly serial: Uint8Array;
  /** Names, DER: {@link name}. */
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  /** Unix milliseconds, kept to the second. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** Ed25519, 32 raw bytes. */
  readonly publicKey: Uint8Array;
  /** DER: {@link extension}. */
  readonly extensions: readonly Uint8Array[];
}

/** An X.509 certificate (RFC 5280) signed with Ed25519 (RFC 8410), PEM. */
export function writeCertificate(content: CertificateContent, issuer: Signer): string {
  const { serial, notBefore, notAfter, publicKey } = content;
  const signed = sequence(
    element(0xa0, positive(Uint8Array.of(2))),
    positive(serial),
    ED25519,
    content.issuer,
    sequence(time(notBefore), time(notAfter)),
    content.subject,
    sequence(ED25519, bits(publicKey)),
    element(0xa3, sequence(...content.extensions)),
  );
  return pem("CERTIFICATE", sequence(signed, ED25519, bits(issuer.sign(signed))));
}

/** A distinguished name of organisation and common name. */
export function name(commonName: string, organisation?: string): Uint8Array {
  const part = (type: string, text: string) => element(0x31, sequence(oid(type), utf8(text)));
  const within = organisation === undefined ? [] : [part("2.5.4.10", organisation)];
  return sequence(...within, part("2.5.4.3", commonName));
}

/** One extension around its value. */
export function extension(id: string, isCritical: boolean, value: Uint8Array): Uint8Array {
  const critical = isCritical ? [element(0x01, Uint8Array.of(0xff))] : [];
  return sequence(oid(id), ...critical, element(0x04, value));
}

/** The extensions by which a certificate's key, and its issuer's, are found among others (RFC 5280, sections 4.2.1.1 and 4.2.1.2). */
export function keyIdentifiers(subject: Uint8Array, issuer: Uint8Array): readonly Uint8Array[] {
  const identifier = (key: Uint8Array) => sha256(key).subarray(0, 20);
  return [
    extension("2.5.29.14", false, element(0x04, identifier(subject))),
    extension("2.5.29.35", false, sequence(element(0x80, identifier(issuer)))),
  ];
}

/** The private key of a seed, PKCS #8 in PEM (RFC 8410). */
export function privateKeyPem(seed: Uint8Array): string {
  const key = element(0x04, element(0x04, seed));
  return pem("PRIVATE KEY", sequence(positive(Uint8Array.of(0)), ED25519, key));
}

function pem(label: string, der: Uint8Array): string {
  const lines = Buffer.from(der)
    .toString("base64")
    .replace(/.{1,64}/g, "$&\n");
  return `-----BEGIN ${label}-----\n${lines}-----END ${label}-----\n`;
}

const ED25519 = sequence(oid("1.3.101.112"));
