/** The barest server that takes AGTP over TLS: no limits, nothing else to be had. */
import type { AddressInfo } from "node:net";
import { createServer, type TLSSocket, type TlsOptions } from "node:tls";
import { CLOSE_CODES, type Connection, type Listener } from "../sfu/carrier.ts";
import type { Accept } from "../transports/connection-end.ts";
import { AGTP_PROTOCOL, acceptTls, TLS_SERVER_OPTIONS } from "../transports/tls/server.ts";
import type { TlsServerOptions } from "../transports/tls/server-connection.ts";
import type { ServerCertificate } from "../transports/webtransport/certificate.ts";

export interface TlsListener extends Listener {
  readonly url: string;
  readonly port: number;
  /** What was accepted and may still be open. */
  readonly connections: ReadonlySet<Connection>;
  readonly sockets: ReadonlySet<TLSSocket>;
  /** From here on newcomers are shown another certificate. */
  show(certificate: ServerCertificate): void;
}

/** Listens on a free port of 127.0.0.1. */
export async function listenTls(
  options: TlsServerOptions & { readonly certificate: ServerCertificate; readonly tls?: TlsOptions },
  accept: Accept,
): Promise<TlsListener> {
  const { certificate } = options;
  const connections = new Set<Connection>();
  const sockets = new Set<TLSSocket>();
  const server = createServer(
    {
      ...TLS_SERVER_OPTIONS,
      cert: certificate.certificatePem,
      key: certificate.privateKeyPem,
      ALPNProtocols: [AGTP_PROTOCOL],
      ...options.tls,
    },
    (socket) => {
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
      const facts = { url, peerAddress: `${socket.remoteAddress}:${socket.remotePort}` };
      connections.add(acceptTls(socket, facts, options, accept));
    },
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const url = `https://127.0.0.1:${port}/agtp`;
  return {
    address: `127.0.0.1:${port}`,
    url,
    port,
    connections,
    sockets,
    show({ certificatePem: cert, privateKeyPem: key }) {
      server.setSecureContext({ cert, key });
    },
    async close() {
      for (const connection of connections) connection.close(CLOSE_CODES.shutdown, "the server stops");
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
