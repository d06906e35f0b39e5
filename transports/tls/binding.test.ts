import "reflect-metadata";
import { createHash, webcrypto, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import * as x509 from "@peculiar/x509";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../platform/node/clock.ts";
import { CLOSE_CODES, type Connection } from "../../sfu/carrier.ts";
import { listenTls } from "../../test/tls-server.ts";
import { until } from "../../test/waiting.ts";
import { type ServerCertificate, storedCertificate } from "../webtransport/certificate.ts";
import { channelBindingOf, peerCertificatesOf, peerKeyOf } from "./binding.ts";
import { tlsCarrier } from "./client.ts";
import { ASKING_SERVER_OPTIONS } from "./server.ts";

let folder = "";
let certificate: ServerCertificate;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "parley-binding-"));
  certificate = await storedCertificate({ folder, now: Date.now() });
});
afterAll(() => rm(folder, { recursive: true }));

/** A certificate that vouches for itself, with a critical extension that no library knows. */
async function selfMade(algorithm: { readonly name: string; readonly namedCurve?: string }) {
  const keys = (await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"])) as CryptoKeyPair;
  const made = await x509.X509CertificateGenerator.createSelfSigned(
    {
      name: "CN=agent",
      notBefore: new Date(Date.now() - 60_000),
      notAfter: new Date(Date.now() + 60_000),
      signingAlgorithm: { ...algorithm, hash: "SHA-256" },
      keys,
      extensions: [new x509.Extension("1.3.6.1.4.1.99999.1", true, Uint8Array.of(5, 0))],
    },
    webcrypto as Crypto,
  );
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey));
  const raw =
    algorithm.name === "Ed25519"
      ? await webcrypto.subtle.exportKey("raw", keys.publicKey)
      : new ArrayBuffer();
  const key = `-----BEGIN PRIVATE KEY-----\n${pkcs8.toString("base64")}\n-----END PRIVATE KEY-----\n`;
  return { cert: made.toString("pem"), key, raw: new Uint8Array(raw) };
}

describe("what a handshake proves", () => {
  test.each([
    ["the key of an Ed25519 certificate, whoever issued it", { name: "Ed25519" }, true],
    ["nothing by a certificate of another kind", { name: "ECDSA", namedCurve: "P-256" }, false],
    ["nothing without a certificate", undefined, false],
  ])("is %s", async (_, algorithm, isKnown) => {
    const shown = algorithm && (await selfMade(algorithm));
    const connections: Connection[] = [];
    const tls = ASKING_SERVER_OPTIONS;
    const listener = await listenTls({ clock: systemClock, certificate, tls }, (connection) => {
      connections.push(connection);
      return { datagram() {}, stream() {}, exchange() {}, closed() {} };
    });
    const socket = connect({ port: listener.port, host: "127.0.0.1", rejectUnauthorized: false, ...shown });
    await until("the server has it", () => connections.length === 1);
    expect(connections[0]?.peerKey).toEqual(isKnown ? shown?.raw : undefined);
    const own = shown === undefined ? [] : [new Uint8Array(new X509Certificate(shown.cert).raw)];
    expect(connections[0]?.peerCertificates).toEqual(own);
    expect(connections[0]?.channelBinding).toEqual(channelBindingOf(socket));
    const exported = socket.exportKeyingMaterial(32, "EXPORTER-Channel-Binding", Buffer.alloc(0));
    const hashed = createHash("sha256").update(exported).digest();
    expect(Buffer.from(connections[0]?.channelBinding ?? []).toString("hex")).toBe(hashed.toString("hex"));
    socket.destroy();
    expect(channelBindingOf(socket)).toBeUndefined();
    expect(peerKeyOf(socket)).toBeUndefined();
    expect(peerCertificatesOf(socket)).toEqual([]);
    connections[0]?.close(CLOSE_CODES.normal, "");
    await listener.close();
  });
});

const SILENT = { datagram() {}, stream() {}, exchange() {}, closed() {} };

describe("the certificates of a client", () => {
  test("are there as it sent them, its own first, on every connection of a pool, whoever issued them", async () => {
    const [own, other] = await Promise.all([selfMade({ name: "Ed25519" }), selfMade({ name: "Ed25519" })]);
    const connections: Connection[] = [];
    const options = { clock: systemClock, certificate, tls: ASKING_SERVER_OPTIONS };
    const listener = await listenTls(options, (connection) => {
      connections.push(connection);
      return SILENT;
    });
    const shown = { certificatePem: `${own.cert}\n${other.cert}`, privateKeyPem: own.key };
    const pool = await tlsCarrier({ clock: systemClock }, shown).connect(
      listener.url,
      { certificateHashes: [certificate.hash] },
      () => SILENT,
    );
    const exchanges = await Promise.all([pool.openExchange(), pool.openExchange()]);
    await until("the server has both", () => connections.length === 2);
    const sent = [own, other].map(({ cert }) => new Uint8Array(new X509Certificate(cert).raw));
    for (const connection of connections) expect(connection.peerCertificates).toEqual(sent);
    for (const { send } of exchanges) send.reset(0);
    pool.close(CLOSE_CODES.normal, "");
    await listener.close();
  });

  test("are sent anew each time: no session is taken up again", async () => {
    const own = await selfMade({ name: "Ed25519" });
    const connections: Connection[] = [];
    const options = { clock: systemClock, certificate, tls: ASKING_SERVER_OPTIONS };
    const listener = await listenTls(options, (connection) => {
      connections.push(connection);
      return SILENT;
    });
    const dial = (session?: Buffer) =>
      connect({
        port: listener.port,
        host: "127.0.0.1",
        rejectUnauthorized: false,
        ...own,
        ...(session && { session }),
      });
    const first = dial();
    const [session] = (await once(first, "session")) as [Buffer];
    const second = dial(session);
    await once(second, "secureConnect");
    await until("the server has both", () => connections.length === 2);
    expect(second.isSessionReused()).toBe(false);
    expect(connections[1]?.peerCertificates).toHaveLength(1);
    for (const socket of [first, second]) socket.destroy();
    await listener.close();
  });
});
