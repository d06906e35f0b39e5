import type { TLSSocket } from "node:tls";
import { WebSocket } from "ws";
import { type Carrier, CLOSE_CODES, type Connection, type ConnectOptions } from "../../sfu/carrier.ts";
import type { Accept, EndOptions } from "../connection-end.ts";
import { MAX_MESSAGE_BYTES } from "../mux/frames.ts";
import { checkHashes } from "../pinning.ts";
import { CONNECT_TIMEOUT, connectRefused, connectTimedOut, TlsDial } from "../tls-dial.ts";
import { dialWebSocketUrl } from "../url.ts";
import { WebSocketConnection } from "./connection.ts";
import { listenTo, socketPort } from "./node-socket.ts";

/**
 * WebSocket over TLS 1.3, client side in Node. With certificate hashes the server's certificate is compared before anything is said.
 * `ws:` goes to loopback only. `connect` throws `usage` for a URL or hash that is none, `connect-timeout`, and `connect-refused`
 * (nobody there, another certificate, no WebSocket there).
 */
export function webSocketCarrier(options: EndOptions): Carrier {
  return {
    async connect(url: string, connect: ConnectOptions, handlers: Accept): Promise<Connection> {
      const dialled = dialWebSocketUrl(url);
      const hashes = connect.certificateHashes;
      if (hashes !== undefined) checkHashes(hashes);
      const attempt = new Attempt(dialled, hashes);
      const timeout = connect.connectTimeout ?? CONNECT_TIMEOUT;
      const cancel = options.clock.at(options.clock.now() + timeout, () => attempt.timedOut(timeout));
      try {
        return await attempt.run((socket, pinned) => {
          const facts = { url: dialled.href, pinned, choice: connect.choice };
          const connection = new WebSocketConnection(
            "client",
            socketPort(socket, options.clock),
            facts,
            options,
          );
          listenTo(socket, connection);
          try {
            connection.start(handlers);
          } catch (error) {
            connection.close(CLOSE_CODES.normal, "");
            throw error;
          }
          return connection;
        });
      } finally {
        cancel();
      }
    },
  };
}

/** One way to a WebSocket: TLS with its look at the certificate, and the upgrade. */
class Attempt {
  readonly #url: URL;
  readonly #hashes: readonly Uint8Array[] | undefined;
  readonly #failed = Promise.withResolvers<never>();
  #undo: () => void = () => {};

  constructor(url: URL, hashes: readonly Uint8Array[] | undefined) {
    this.#url = url;
    this.#hashes = hashes;
    this.#failed.promise.catch(() => {});
  }

  /** `ready` is called in the turn in which the socket opens, so that no message is missed. */
  async run(
    ready: (socket: WebSocket, pinned: Uint8Array | undefined) => WebSocketConnection,
  ): Promise<WebSocketConnection> {
    if (this.#url.protocol === "ws:")
      return await this.#upgrade(undefined, (socket) => ready(socket, undefined));
    const dial = new TlsDial(this.#url, this.#hashes, "http/1.1");
    this.#undo = () => dial.abort();
    const { socket: tls, pinned } = await Promise.race([dial.run(), this.#failed.promise]);
    return await this.#upgrade(tls, (socket) => ready(socket, pinned));
  }

  timedOut(timeout: number): void {
    this.#failed.reject(connectTimedOut(this.#url, timeout));
    this.#undo();
  }

  #upgrade(
    tls: TLSSocket | undefined,
    ready: (socket: WebSocket) => WebSocketConnection,
  ): Promise<WebSocketConnection> {
    const socket = new WebSocket(this.#url, {
      perMessageDeflate: false,
      maxPayload: MAX_MESSAGE_BYTES,
      followRedirects: false,
      ...(tls === undefined ? {} : { createConnection: () => tls }),
    });
    this.#undo = () => socket.terminate();
    const opened = new Promise<WebSocketConnection>((resolve, reject) => {
      const broken = (error: Error): void => reject(connectRefused(this.#url, error.message, error));
      socket.on("error", broken);
      socket.once("open", () => {
        socket.off("error", broken);
        try {
          resolve(ready(socket));
        } catch (error) {
          reject(error);
        }
      });
    });
    return Promise.race([opened, this.#failed.promise]);
  }
}
