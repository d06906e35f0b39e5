/** Whether AGTP over TLS passes: to the server that runs, or to a listener made for the look. */
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer } from "node:tls";
import { systemClock } from "../../platform/node/clock.ts";
import { tlsCarrier } from "../../transports/tls/client.ts";
import { AGTP_PROTOCOL, TLS_SERVER_OPTIONS } from "../../transports/tls/server.ts";
import { storedCertificate } from "../../transports/webtransport/certificate.ts";
import { isAnyAddress } from "../server/origins.ts";

/** Milliseconds from dialling to a connection that agreed on AGTP. */
export async function dialTls(host: string, port: number, certificateHash: Uint8Array): Promise<number> {
  const named = isAnyAddress(host) ? (host === "::" ? "[::1]" : "127.0.0.1") : host;
  const url = `https://${named.includes(":") && !named.startsWith("[") ? `[${named}]` : named}:${port}/agtp`;
  const began = performance.now();
  const connection = await tlsCarrier({ clock: systemClock }).connect(
    url,
    { certificateHashes: [certificateHash], connectTimeout: 3_000 },
    () => ({ datagram() {}, stream() {}, exchange() {}, closed() {} }),
  );
  connection.close(0, "");
  return Math.round(performance.now() - began);
}

/** The same over a listener of its own on a port that is free. Throws what listening throws. */
export async function dialOwnTls(host: string, port: number): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), "parley-doctor-"));
  try {
    const { certificatePem, privateKeyPem, hash } = await storedCertificate({ folder, now: Date.now() });
    const server = createServer({
      ...TLS_SERVER_OPTIONS,
      cert: certificatePem,
      key: privateKeyPem,
      ALPNProtocols: [AGTP_PROTOCOL],
    });
    server.on("secureConnection", (socket) => socket.on("error", () => {}).resume());
    server.listen({ host, port, exclusive: true });
    await once(server, "listening");
    try {
      return await dialTls(host, (server.address() as AddressInfo).port, hash);
    } finally {
      server.close();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
