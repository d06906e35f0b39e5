import { readFile } from "node:fs/promises";
import { ParleyError } from "../../codecs/parley-error.ts";
import { certificateSignatures } from "../../platform/node/certificate-signatures.ts";
import { certificatesOfPem } from "../../platform/node/pem.ts";
import { verifier } from "../../platform/node/sodium.ts";
import type { CertificateRules } from "../../signaling/certificate/agent-certificate.ts";
import { readAuthorities } from "../../signaling/certificate/authorities.ts";

/**
 * What Agent Certificates are judged by: the authorities in these PEM files, of which each may hold several. `undefined` without files.
 * Throws `certificate-broken` for a file that cannot be read or holds none, and for a certificate that is not of an authority.
 */
export async function certificateRules(files: readonly string[]): Promise<CertificateRules | undefined> {
  if (files.length === 0) return undefined;
  const certificates: Uint8Array[] = [];
  for (const path of files) {
    const text = await readFile(path, "latin1").catch((cause: unknown) => {
      throw broken(path, "the file cannot be read", cause);
    });
    const found = certificatesOfPem(text);
    if (found.length === 0) throw broken(path, "it holds no certificate");
    const read = readAuthorities(found);
    if (!read.ok) throw broken(path, `${read.fault.at}: ${read.fault.message}`);
    certificates.push(...found);
  }
  const authorities = readAuthorities(certificates);
  if (!authorities.ok) throw broken(files.join(", "), authorities.fault.message);
  return { authorities: authorities.value, signatures: certificateSignatures, verifier };
}

function broken(path: string, why: string, cause?: unknown): ParleyError {
  return new ParleyError(
    { code: "certificate-broken", message: `The certificate authority cannot be used: ${why}.`, at: path },
    { cause },
  );
}
