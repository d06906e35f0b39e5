import type { WebSocket } from "ws";
import { CLOSE_CODES, type Connection } from "../../sfu/carrier.ts";
import { type Accept, type EndOptions, rethrowLater } from "../connection-end.ts";
import { MAX_MESSAGE_BYTES } from "../mux/frames.ts";
import { isServed, WRONG_PATH, withoutQuery } from "../url.ts";
import { type SocketFacts, WebSocketConnection } from "./connection.ts";
import { listenTo, socketPort } from "./node-socket.ts";

/** What a `WebSocketServer` of the package `ws` is made with to serve this carrier. */
export const WEBSOCKET_SERVER_OPTIONS = {
  maxPayload: MAX_MESSAGE_BYTES,
  perMessageDeflate: false,
  clientTracking: false,
} as const;

/**
 * Makes a connection of a WebSocket whose upgrade was accepted, in the same turn. A URL with another path than `/agtp` is closed as
 * `forbidden`, and `accept` never hears of it. Origin and limits are the business of whoever accepted the upgrade.
 */
export function acceptWebSocket(
  socket: WebSocket,
  facts: Omit<SocketFacts, "pinned">,
  options: EndOptions,
  accept: Accept,
): Connection {
  const known = { ...facts, url: withoutQuery(facts.url) };
  const connection = new WebSocketConnection("server", socketPort(socket, options.clock), known, options);
  listenTo(socket, connection);
  if (!isServed(facts.url)) {
    connection.close(CLOSE_CODES.forbidden, WRONG_PATH);
    return connection;
  }
  try {
    connection.start(accept);
  } catch (error) {
    connection.close(CLOSE_CODES.overloaded, "the server could not take the connection");
    (options.fault ?? rethrowLater)(error);
  }
  return connection;
}
