/** The certificates (DER) in PEM text, in their order. */
export function certificatesOfPem(text: string): Uint8Array[] {
  return [...text.matchAll(CERTIFICATE)].map(
    ([, base64 = ""]) => new Uint8Array(Buffer.from(base64, "base64")),
  );
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----([^-]+)-----END CERTIFICATE-----/g;
