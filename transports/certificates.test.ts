import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { encodeHex } from "../codecs/hex.ts";
import { systemClock } from "../platform/node/clock.ts";
import type { Listener } from "../sfu/carrier.ts";
import { listenTls } from "../test/tls-server.ts";
import { listenWebSocket } from "../test/web-socket-server.ts";
import { givenCertificate, type ServerCertificate, storedCertificate } from "./webtransport/certificate.ts";
import { listenWebTransport } from "./webtransport/server.ts";

const execute = promisify(execFile);
const DAY = 86_400_000;
const ignore = { datagram() {}, stream() {}, exchange() {}, closed() {} };
const options = { clock: systemClock };

/** How each carrier listens, and the URL that its client is given. */
const CARRIERS = {
  webtransport: (certificate: ServerCertificate) =>
    listenWebTransport({ ...options, certificate, port: 0 }, () => ignore),
  websocket: (certificate: ServerCertificate) => listenWebSocket({ ...options, certificate }, () => ignore),
  tls: (certificate: ServerCertificate) => listenTls({ ...options, certificate }, () => ignore),
} as const;

/** Dials what it is told and says how that went: roots are read once, as a process starts. */
const CLIENT = `
  const load = (path) => import(new URL(path, ${JSON.stringify(import.meta.url)}).href);
  const { systemClock: clock } = await load("../platform/node/clock.ts");
  const carriers = {
    webtransport: (await load("./webtransport/client.ts")).webTransportCarrier({ clock }),
    websocket: (await load("./websocket/client.ts")).webSocketCarrier({ clock }),
    tls: (await load("./tls/client.ts")).tlsCarrier({ clock }),
  };
  const none = { datagram() {}, stream() {}, exchange() {}, closed() {} };
  const outcomes = {};
  for (const { name, carrier, url, hash } of JSON.parse(process.argv[1])) {
    const hashes = hash === undefined ? {} : { certificateHashes: [Buffer.from(hash, "hex")] };
    outcomes[name] = await carriers[carrier].connect(url, hashes, () => none).then(
      (connection) => (connection.close(0, ""), "connected"),
      (error) => error.code + (/certificate/.test(error.message) ? ": certificate" : ": " + error.message),
    );
  }
  console.log(JSON.stringify(outcomes));
  process.exit();`;

let folder = "";
let certificates: Record<"right" | "unknown" | "misnamed" | "expired", ServerCertificate>;
let roots = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "parley-certificates-"));
  const made = async (name: string, now: number) => {
    await mkdir(join(folder, name));
    return await storedCertificate({ folder: join(folder, name), now });
  };
  const now = Date.now();
  certificates = {
    right: await made("right", now),
    unknown: await made("unknown", now),
    expired: await made("expired", now - 30 * DAY),
    misnamed: await otherwiseNamed("other.example"),
  };
  roots = join(folder, "roots.pem");
  const { right, expired, misnamed } = certificates;
  await writeFile(roots, [right, expired, misnamed].map(({ certificatePem }) => certificatePem).join(""));
});
afterAll(() => rm(folder, { recursive: true }));

/** A certificate that is for another name than where its server is dialled. */
async function otherwiseNamed(name: string): Promise<ServerCertificate> {
  const [certificateFile, keyFile] = [join(folder, "misnamed.pem"), join(folder, "misnamed.key")];
  const [kind, file] = [["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"], "-keyout"];
  const named = ["-subj", `/CN=${name}`, "-addext", `subjectAltName=DNS:${name}`];
  await execute("openssl", [
    "req",
    "-x509",
    ...kind,
    file,
    keyFile,
    "-out",
    certificateFile,
    "-days",
    "9",
    ...named,
  ]);
  return await givenCertificate({ certificateFile, keyFile, now: Date.now() });
}

test.each(Object.keys(CARRIERS) as (keyof typeof CARRIERS)[])(
  "over %s a server is who it should be by its pinned certificate, or by root, name and time",
  async (carrier) => {
    const listeners: Listener[] = [];
    const cases: object[] = [];
    const dial = async (name: string, certificate: ServerCertificate, hash?: Uint8Array) => {
      const listener = await CARRIERS[carrier](certificate);
      listeners.push(listener);
      const url = `https://${listener.address}/agtp`;
      cases.push({ name, carrier, url, ...(hash === undefined ? {} : { hash: encodeHex(hash) }) });
    };
    const { right, unknown, misnamed, expired } = certificates;
    await dial("pinned", unknown, unknown.hash);
    await dial("pinned otherwise", right, unknown.hash);
    await dial("right", right);
    await dial("of an unknown root", unknown);
    await dial("of another name", misnamed);
    await dial("expired", expired);
    const env = { ...process.env, SSL_CERT_FILE: roots, NODE_EXTRA_CA_CERTS: roots };
    const arguments_ = ["--input-type=module", "-e", CLIENT, JSON.stringify(cases)];
    const { stdout } = await execute(process.execPath, arguments_, { env });
    for (const listener of listeners) await listener.close();
    const refused = "connect-refused: certificate";
    expect(JSON.parse(stdout)).toEqual({
      pinned: "connected",
      "pinned otherwise": refused,
      right: "connected",
      "of an unknown root": refused,
      "of another name": refused,
      expired: refused,
    });
  },
  30_000,
);
