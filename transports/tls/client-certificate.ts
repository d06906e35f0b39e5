import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { ParleyError } from "../../codecs/parley-error.ts";

/** What a client shows of itself in a TLS handshake. */
export interface ClientCertificate {
  /** PEM: its certificate, then those of the authorities that lead to one the server knows. */
  readonly certificatePem: string;
  /** PEM: the private key of the first. */
  readonly privateKeyPem: string;
}

/** The same in files. */
export interface ClientCertificateFiles {
  /** PEM file of the certificate and those behind it. */
  readonly certificateFile: string;
  /** PEM file of its private key; may be the same. */
  readonly keyFile: string;
}

/** A client's certificate, its files read, its key known to be its own. Throws `certificate-broken`. */
export async function clientCertificate(
  source: ClientCertificate | ClientCertificateFiles,
): Promise<ClientCertificate> {
  if (!("certificateFile" in source)) return checked(source, "the certificate given");
  const [certificatePem, privateKeyPem] = await Promise.all([
    textOf(source.certificateFile),
    textOf(source.keyFile),
  ]);
  return checked({ certificatePem, privateKeyPem }, source.certificateFile);
}

function checked(given: ClientCertificate, at: string): ClientCertificate {
  let isItsKey: boolean;
  try {
    const certificate = new X509Certificate(given.certificatePem);
    isItsKey = certificate.checkPrivateKey(createPrivateKey(given.privateKeyPem));
  } catch (cause) {
    throw broken(at, "it, or its key, cannot be read", cause);
  }
  if (!isItsKey) throw broken(at, "the key belongs to another certificate");
  return given;
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw broken(path, "the file cannot be read", cause);
  }
}

function broken(at: string, why: string, cause?: unknown): ParleyError {
  return new ParleyError(
    { code: "certificate-broken", message: `The client's certificate cannot be used: ${why}.`, at },
    { cause },
  );
}
