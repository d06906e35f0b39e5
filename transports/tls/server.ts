import { constants } from "node:crypto";
import type { TLSSocket } from "node:tls";
import { CLOSE_CODES, type Connection } from "../../sfu/carrier.ts";
import { type Accept, rethrowLater } from "../connection-end.ts";
import { keepAlive } from "../tls-dial.ts";
import { withoutQuery } from "../url.ts";
import { channelBindingOf, peerCertificatesOf, peerKeyOf } from "./binding.ts";
import { type TlsFacts, TlsServerConnection, type TlsServerOptions } from "./server-connection.ts";

/**
 * What a TLS server is made with to serve this carrier, beside its certificate. Without `allowHalfOpen`: a client that leaves inside
 * the handshake would hold its socket.
 */
export const TLS_SERVER_OPTIONS = { minVersion: "TLSv1.3", handshakeTimeout: 10_000, noDelay: true } as const;
/**
 * The same for one that asks its clients for certificates. None of them fails a handshake: what a certificate is worth is told in answers.
 * Without tickets: a session that is taken up again shows the first certificate alone.
 */
export const ASKING_SERVER_OPTIONS = {
  ...TLS_SERVER_OPTIONS,
  requestCert: true,
  rejectUnauthorized: false,
  secureOptions: constants.SSL_OP_NO_TICKET,
} as const;
/** What ALPN calls this carrier; clients may leave it out. */
export const AGTP_PROTOCOL = "agtp";

/**
 * Makes a connection of a TLS socket whose handshake is through. Nobody else may read from the socket any more. Limits on how many
 * there are, and whose, are the business of whoever accepted it.
 */
export function acceptTls(
  socket: TLSSocket,
  facts: TlsFacts,
  options: TlsServerOptions,
  accept: Accept,
): Connection {
  keepAlive(socket);
  const binding = {
    channelBinding: channelBindingOf(socket),
    peerKey: peerKeyOf(socket),
    peerCertificates: peerCertificatesOf(socket),
  };
  const connection = new TlsServerConnection(
    socket,
    { ...facts, url: withoutQuery(facts.url) },
    binding,
    options,
  );
  try {
    connection.start(accept, facts.head);
  } catch (error) {
    connection.close(CLOSE_CODES.overloaded, "the server could not take the connection");
    (options.fault ?? rethrowLater)(error);
  }
  return connection;
}
