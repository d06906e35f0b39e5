import { ParleyError } from "../../codecs/parley-error.ts";
import { type Carrier, CLOSE_CODES, type Connection, type ConnectOptions } from "../../sfu/carrier.ts";
import type { Accept, EndOptions } from "../connection-end.ts";
import { dialWebSocketUrl } from "../url.ts";
import { type SocketFacts, WebSocketConnection } from "./connection.ts";

/** Milliseconds until `connect-timeout` unless told otherwise. */
const CONNECT_TIMEOUT = 5_000;

/**
 * WebSocket through the browser's own, client side. Browsers take no certificate hashes here: those given are passed over, the
 * browser's roots decide, and nothing is pinned. `connect` throws `usage`, `connect-timeout` and `connect-refused`; browsers do not tell why.
 */
export function webSocketCarrier(options: EndOptions): Carrier {
  return {
    connect(url: string, connect: ConnectOptions, handlers: Accept): Promise<Connection> {
      return new Promise((resolve, reject) => {
        const dialled = dialWebSocketUrl(url);
        const socket = new WebSocket(dialled);
        socket.binaryType = "arraybuffer";
        const timeout = connect.connectTimeout ?? CONNECT_TIMEOUT;
        const fail = (code: "connect-timeout" | "connect-refused", message: string): void => {
          cancel();
          socket.onopen = null;
          socket.onclose = null;
          socket.close();
          reject(new ParleyError({ code, message, details: { url: dialled.href } }));
        };
        const cancel = options.clock.at(options.clock.now() + timeout, () =>
          fail("connect-timeout", `No answer from ${dialled.host} within ${timeout} ms.`),
        );
        socket.onclose = () => fail("connect-refused", `No connection to ${dialled.host}.`);
        socket.onopen = () => {
          cancel();
          const connection = connectionOf(socket, { url: dialled.href, choice: connect.choice }, options);
          try {
            connection.start(handlers);
            resolve(connection);
          } catch (error) {
            connection.close(CLOSE_CODES.normal, "");
            reject(error);
          }
        };
      });
    },
  };
}

function connectionOf(socket: WebSocket, facts: SocketFacts, options: EndOptions): WebSocketConnection {
  const port = {
    send(message: Uint8Array): void {
      if (socket.readyState === WebSocket.OPEN) socket.send(message as Uint8Array<ArrayBuffer>);
    },
    get buffered(): number {
      return socket.bufferedAmount;
    },
    close: () => socket.close(),
  };
  const connection = new WebSocketConnection("client", port, facts, options);
  socket.onmessage = ({ data }: MessageEvent<unknown>) =>
    connection.message(data instanceof ArrayBuffer ? new Uint8Array(data) : undefined);
  socket.onclose = () => connection.gone("the peer left without a word");
  return connection;
}
