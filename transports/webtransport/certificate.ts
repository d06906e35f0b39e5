// The certificate library resolves its own parts through decorator metadata.
import "reflect-metadata";
import { createHash, createPrivateKey, randomUUID, webcrypto, X509Certificate } from "node:crypto";
import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { isIP } from "node:net";
import { join } from "node:path";
import * as x509 from "@peculiar/x509";
import { ParleyError } from "../../codecs/parley-error.ts";

/** What a server shows its clients. */
export interface ServerCertificate {
  /** The certificate, then its chain if it has one. */
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  /** SHA-256 of the certificate's DER, 32 bytes: what clients may be given to trust. */
  readonly hash: Uint8Array;
  /** End of validity, milliseconds since the Unix epoch. */
  readonly notAfter: number;
}

/** Where the made certificate lives in the data folder: private key and certificate in one file, readable by its owner alone. */
export const CERTIFICATE_FILE = "webtransport-certificate.pem";

/**
 * The certificate kept in `folder`, made when there is none, when less than a day of it remains, or when it lacks one of
 * `hosts`: ECDSA P-256, 13 days (browsers take a hash only up to 14), for localhost, 127.0.0.1, ::1 and `hosts`. `now` is Unix time in milliseconds.
 * Throws `certificate-broken` when the stored file is unreadable or no certificate and key, `data-folder-unwritable`.
 */
export async function storedCertificate(options: {
  readonly folder: string;
  readonly hosts?: readonly string[];
  readonly now: number;
}): Promise<ServerCertificate> {
  const path = join(options.folder, CERTIFICATE_FILE);
  const hosts = [...new Set([...LOOPBACK_HOSTS, ...(options.hosts ?? [])])];
  const stored = await readOptional(path);
  if (stored !== undefined) {
    const certificate = check(stored, stored, path);
    const covers = hosts.every((host) => isFor(new X509Certificate(certificate.certificatePem), host));
    if (covers && certificate.notAfter - options.now >= RENEW_BEFORE) return certificate;
  }
  const made = await make(hosts, options.now);
  await writeAtomically(options.folder, path, `${made.privateKeyPem}${made.certificatePem}`);
  return made;
}

/** An operator's own certificate and key, PEM. Throws `certificate-broken`, also when it has expired at `now`. */
export async function givenCertificate(options: {
  readonly certificateFile: string;
  readonly keyFile: string;
  readonly now: number;
}): Promise<ServerCertificate> {
  const [certificatePem, keyPem] = await Promise.all(
    [options.certificateFile, options.keyFile].map(async (path) => {
      const text = await readOptional(path);
      if (text === undefined) throw broken(path, "the file is missing");
      return text;
    }),
  );
  const certificate = check(certificatePem ?? "", keyPem ?? "", options.certificateFile);
  if (certificate.notAfter <= options.now) throw broken(options.certificateFile, "it has expired");
  return certificate;
}

function check(certificateText: string, keyText: string, path: string): ServerCertificate {
  const certificatePem = blocks(certificateText, "CERTIFICATE");
  const privateKeyPem = blocks(keyText, "(?:EC |RSA )?PRIVATE KEY");
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(certificatePem);
  } catch (error) {
    throw broken(path, "it holds no certificate", error);
  }
  try {
    if (!certificate.checkPrivateKey(createPrivateKey(privateKeyPem)))
      throw broken(path, "the key belongs to another certificate");
  } catch (error) {
    throw error instanceof ParleyError ? error : broken(path, "its key cannot be read", error);
  }
  return {
    certificatePem,
    privateKeyPem,
    hash: createHash("sha256").update(certificate.raw).digest(),
    notAfter: Date.parse(certificate.validTo),
  };
}

/** The PEM blocks of one label, in their order. */
function blocks(text: string, label: string): string {
  const found = text.match(new RegExp(`-----BEGIN ${label}-----[^-]+-----END ${label}-----`, "g"));
  return (found ?? []).map((block) => `${block}\n`).join("");
}

function isFor(certificate: X509Certificate, host: string): boolean {
  return (isIP(host) ? certificate.checkIP(host) : certificate.checkHost(host)) !== undefined;
}

async function make(hosts: readonly string[], now: number): Promise<ServerCertificate> {
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const keys = (await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"])) as CryptoKeyPair;
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      // Positive and 16 bytes long (RFC 5280, section 4.1.2.2).
      serialNumber: `01${randomUUID().replaceAll("-", "").slice(2)}`,
      name: "CN=Parley",
      notBefore: new Date(now - BACKDATED),
      notAfter: new Date(now - BACKDATED + VALIDITY),
      signingAlgorithm: algorithm,
      keys,
      extensions: [
        new x509.SubjectAlternativeNameExtension(
          hosts.map((value) => ({ type: isIP(value) ? "ip" : "dns", value }) as const),
        ),
      ],
    },
    webcrypto as Crypto,
  );
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey));
  const base64 = pkcs8.toString("base64").replace(/.{1,64}/g, "$&\n");
  return check(
    `${certificate.toString("pem")}\n`,
    `-----BEGIN PRIVATE KEY-----\n${base64}-----END PRIVATE KEY-----\n`,
    "the certificate just made",
  );
}

async function readOptional(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR") return undefined;
    throw broken(path, "the file cannot be read", error);
  }
}

async function writeAtomically(folder: string, path: string, text: string): Promise<void> {
  const unfinished = `${path}.${randomUUID()}`;
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const file = await open(unfinished, "wx", 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(unfinished, path);
  } catch (error) {
    await rm(unfinished, { force: true }).catch(() => {});
    throw new ParleyError(
      {
        code: "data-folder-unwritable",
        message: `The certificate cannot be written to ${folder}: ${codeOf(error)}.`,
      },
      { cause: error },
    );
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "unknown";
}

function broken(path: string, why: string, cause?: unknown): ParleyError {
  return new ParleyError(
    { code: "certificate-broken", message: `The certificate cannot be used: ${why}.`, at: path },
    { cause },
  );
}

const LOOPBACK_HOSTS = ["localhost", "127.0.0.1", "::1"];
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const VALIDITY = 13 * DAY;
/** For clients whose clocks are behind. */
const BACKDATED = HOUR;
/** A stored certificate with less time left is replaced. */
const RENEW_BEFORE = DAY;
