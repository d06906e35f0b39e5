import type { Clock } from "../../codecs/clock.ts";
import { CLOSE_CODES } from "../../sfu/carrier.ts";
import type { ConnectionEnd } from "../connection-end.ts";
import { Muxed } from "../mux/muxed.ts";
import type { ByteSocket } from "./byte-socket.ts";
import { MessageSplitter, withLength } from "./message-splitter.ts";

/** Datagrams and streams over the bytes of one TLS connection, both ways. */
export class MediaChannel {
  readonly muxed: Muxed;
  readonly #socket: ByteSocket;
  readonly #end: ConnectionEnd;
  readonly #splitter: MessageSplitter;

  constructor(role: "client" | "server", socket: ByteSocket, end: ConnectionEnd, clock: Clock) {
    this.#socket = socket;
    this.#end = end;
    const messages = {
      send: (message: Uint8Array) => socket.push(withLength(message)),
      get buffered() {
        return socket.buffered;
      },
      close: () => socket.end(),
    };
    this.muxed = new Muxed(role, "media", messages, end, clock);
    this.#splitter = new MessageSplitter((message) => this.muxed.message(message));
  }

  /** Bytes from the peer. */
  data(bytes: Uint8Array): void {
    const fault = this.#splitter.push(bytes);
    if (fault !== undefined) this.#end.close(CLOSE_CODES.protocolViolation, fault.message);
  }

  /** The peer left; after an orderly close this is no news. */
  lost(why: string): void {
    this.#end.lost({ code: CLOSE_CODES.normal, reason: why, isLost: true });
    this.muxed.over();
    this.#socket.end();
  }
}
