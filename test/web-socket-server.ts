/** The barest server that takes WebSockets: no origins, no limits, nothing else to be had. */
import { createServer as createPlainServer } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { WebSocketServer } from "ws";
import { CLOSE_CODES, type Connection, type Listener } from "../sfu/carrier.ts";
import type { Accept, EndOptions } from "../transports/connection-end.ts";
import { acceptWebSocket, WEBSOCKET_SERVER_OPTIONS } from "../transports/websocket/server.ts";
import type { ServerCertificate } from "../transports/webtransport/certificate.ts";

export interface WebSocketListener extends Listener {
  readonly url: string;
  /** What was accepted and may still be open. */
  readonly connections: ReadonlySet<Connection>;
}

/** Listens on a free port of 127.0.0.1, with a certificate for `wss:`, without one for `ws:`. */
export async function listenWebSocket(
  options: EndOptions & { readonly certificate?: ServerCertificate },
  accept: Accept,
): Promise<WebSocketListener> {
  const { certificate } = options;
  const server =
    certificate === undefined
      ? createPlainServer()
      : createServer({
          cert: certificate.certificatePem,
          key: certificate.privateKeyPem,
          minVersion: "TLSv1.3",
          ALPNProtocols: ["http/1.1"],
        });
  const sockets = new WebSocketServer({ ...WEBSOCKET_SERVER_OPTIONS, noServer: true });
  const connections = new Set<Connection>();
  server.on("upgrade", (request, socket, head) => {
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      const scheme = certificate === undefined ? "ws" : "wss";
      const facts = {
        url: `${scheme}://${request.headers.host}${request.url}`,
        peerAddress: `${request.socket.remoteAddress}:${request.socket.remotePort}`,
      };
      connections.add(acceptWebSocket(webSocket, facts, options, accept));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    address,
    url: `${certificate === undefined ? "ws" : "wss"}://${address}/agtp`,
    connections,
    async close() {
      for (const connection of connections) connection.close(CLOSE_CODES.shutdown, "the server stops");
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
