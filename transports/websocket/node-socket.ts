import { WebSocket } from "ws";
import type { Clock } from "../../codecs/clock.ts";
import type { MessageSocket } from "../mux/muxed.ts";
import type { WebSocketConnection } from "./connection.ts";

/** What the carrier needs of a socket of `ws`. @internal */
export function socketPort(socket: WebSocket, clock: Clock): MessageSocket {
  return {
    send(message) {
      if (socket.readyState === WebSocket.OPEN) socket.send(message, { binary: true });
    },
    get buffered() {
      return socket.bufferedAmount;
    },
    close() {
      socket.close(NORMAL_CLOSURE);
      const cancel = clock.at(clock.now() + CLOSE_TIMEOUT_MS, () => socket.terminate());
      if (socket.readyState === WebSocket.CLOSED) cancel();
      else socket.once("close", cancel);
    },
  };
}

/** Hands the connection everything that comes from its socket. @internal */
export function listenTo(socket: WebSocket, connection: WebSocketConnection): void {
  socket.binaryType = "nodebuffer";
  socket.on("message", (data: Buffer, isBinary) => {
    // Without Buffer's own ways: its `slice` does not copy.
    const plain = new Uint8Array(data.buffer, data.byteOffset, data.length);
    connection.message(isBinary ? plain : undefined);
  });
  socket.on("error", (error: Error & { readonly code?: string }) => {
    if (error.code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH") connection.oversized();
    else connection.gone(`the connection broke: ${error.message}`);
  });
  socket.on("close", () => connection.gone("the peer left without a word"));
}

/** RFC 6455, section 7.4.1. The code that matters went in a message before. */
const NORMAL_CLOSURE = 1000;
/** Milliseconds a peer has for its half of the WebSocket's closing. */
const CLOSE_TIMEOUT_MS = 2_000;
