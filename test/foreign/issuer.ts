/** Who issues agents, and shows a TLS certificate of the key it issues them with. */
import "reflect-metadata";
import { webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";
import { createSigner, random } from "../../platform/node/sodium.ts";

/** An issuer's key as agents are made with it, and as TLS takes it. */
export async function certifiedIssuer(name: string) {
  const seed = random(32);
  const signer = createSigner(seed);
  const pkcs8 = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), seed]);
  const algorithm = { name: "Ed25519" };
  const keys = {
    privateKey: await webcrypto.subtle.importKey("pkcs8", pkcs8, algorithm, true, ["sign"]),
    publicKey: await webcrypto.subtle.importKey("raw", new Uint8Array(signer.publicKey), algorithm, true, [
      "verify",
    ]),
  };
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      name: `CN=${name}`,
      notBefore: new Date(Date.now() - 60_000),
      notAfter: new Date(Date.now() + 3_600_000),
      signingAlgorithm: algorithm,
      keys: keys as CryptoKeyPair,
    },
    webcrypto as Crypto,
  );
  const key = `-----BEGIN PRIVATE KEY-----\n${pkcs8.toString("base64")}\n-----END PRIVATE KEY-----\n`;
  return { issuer: { name, signer }, tls: { cert: certificate.toString("pem"), key } };
}
