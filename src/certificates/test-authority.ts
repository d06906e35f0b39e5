/** A certificate authority of one's own, to try Agent Certificates with. */
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { unwrap } from "../../agent/unwrap.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import type { Signer } from "../../codecs/signer.ts";
import { certificatesOfPem } from "../../platform/node/pem.ts";
import { createSigner, generateSeed, random } from "../../platform/node/sodium.ts";
import { readX509, UNDERSTOOD, type X509 } from "../../signaling/certificate/x509.ts";
import {
  extension,
  keyIdentifiers,
  name as nameOf,
  privateKeyPem,
  writeCertificate,
} from "./certificate-writer.ts";
import { bits, element, sequence } from "./der-writer.ts";
import { writeNewFile } from "./new-file.ts";

/** Who issues: a certificate, and the key that signs. */
export interface TestAuthority {
  readonly certificate: X509;
  readonly signer: Signer;
}

/** Files of an authority in its folder. */
const AUTHORITY_FILE = "authority.pem";
const AUTHORITY_KEY_FILE = "authority-key.pem";

/** An authority just made, and what is kept of it, PEM. */
export interface NewAuthority extends TestAuthority {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

/** Makes an authority, good for ten years ({@link AUTHORITY_LIFETIME}) from `now` (Unix milliseconds) on; its certificate is its own, or issued by the one `above`. */
export function makeTestAuthority(name: string, now: number, above?: TestAuthority): NewAuthority {
  const seed = generateSeed();
  const signer = createSigner(seed);
  const certificatePem = writeCertificate(
    {
      serial: freshSerial(),
      issuer: above?.certificate.subject ?? nameOf(name),
      subject: nameOf(name),
      notBefore: now - BACKDATED,
      notAfter: now + AUTHORITY_LIFETIME,
      publicKey: signer.publicKey,
      extensions: [
        extension(UNDERSTOOD.basicConstraints, true, sequence(element(0x01, Uint8Array.of(0xff)))),
        extension(UNDERSTOOD.keyUsage, true, bits(KEY_CERT_SIGN, 2)),
        ...keyIdentifiers(signer.publicKey, (above?.signer ?? signer).publicKey),
      ],
    },
    above?.signer ?? signer,
  );
  return { certificate: read(certificatePem), signer, certificatePem, privateKeyPem: privateKeyPem(seed) };
}

/**
 * Makes an authority and keeps it in `folder`: its certificate, and its key readable by its owner alone. Gives the path of the certificate.
 * Throws `key-file-invalid` where there is one already.
 */
export async function createTestAuthority(folder: string, name: string, now: number): Promise<string> {
  const made = makeTestAuthority(name, now);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeNewFile(join(folder, AUTHORITY_KEY_FILE), made.privateKeyPem, true);
  const path = join(folder, AUTHORITY_FILE);
  await writeNewFile(path, made.certificatePem, false);
  return path;
}

/** The authority in a folder. Throws `certificate-broken`. */
export async function loadTestAuthority(folder: string): Promise<TestAuthority> {
  try {
    const [certificate = "", key = ""] = await Promise.all(
      [AUTHORITY_FILE, AUTHORITY_KEY_FILE].map((file) => readFile(join(folder, file), "latin1")),
    );
    const pkcs8 = Buffer.from(key.replace(/-----[^-]+-----|\s/g, ""), "base64");
    const signer = createSigner(new Uint8Array(pkcs8.subarray(-SEED_BYTES)));
    return { certificate: read(certificate), signer };
  } catch (cause) {
    const message = `There is no test authority in ${folder}; "parley cert authority ${folder}" makes one.`;
    throw new ParleyError({ code: "certificate-broken", message, at: folder }, { cause });
  }
}

function read(pem: string): X509 {
  const [der = new Uint8Array()] = certificatesOfPem(pem);
  return unwrap(readX509(der));
}

/** Positive, 16 bytes long (RFC 5280, section 4.1.2.2). */
export function freshSerial(): Uint8Array {
  const bytes = random(16);
  bytes[0] = ((bytes[0] as number) & 0x3f) | 0x40;
  return bytes;
}

/** For clocks that are behind, milliseconds. */
export const BACKDATED = 3_600_000;
/** How long an authority holds, milliseconds. */
export const AUTHORITY_LIFETIME = 3_650 * 86_400_000;
/** Bit 5 of keyUsage. */
const KEY_CERT_SIGN = Uint8Array.of(0x04);
const SEED_BYTES = 32;
