import { ParleyError } from "../../codecs/parley-error.ts";
import {
  CLOSE_CODES,
  type Connection,
  type DatagramDrops,
  type DatagramFate,
  type DuplexStream,
  MAX_DATAGRAM_BYTES,
  type Path,
  type SendStream,
  type Unreached,
} from "../../sfu/carrier.ts";
import { type Accept, ConnectionEnd, type EndOptions } from "../connection-end.ts";
import { type MessageSocket, Muxed } from "../mux/muxed.ts";

/** What is known of a WebSocket besides itself. */
export interface SocketFacts {
  /** The URL the client dialled, as this side knows it: `wss:`, or `ws:` on loopback. */
  readonly url: string;
  /** `host:port` of the peer. */
  readonly peerAddress?: string | undefined;
  /** SHA-256 of the certificate that was pinned. */
  readonly pinned?: Uint8Array | undefined;
  /** Why it is this carrier. */
  readonly choice?: string | undefined;
}

/** A WebSocket as a `Connection`: everything multiplexed into its binary messages. */
export class WebSocketConnection implements Connection {
  readonly carrier = "websocket";
  readonly url: string;
  readonly pinned: Uint8Array | undefined;
  readonly choice: string | undefined;
  readonly peerAddress: string | undefined;
  readonly maxDatagram = MAX_DATAGRAM_BYTES;
  readonly #role: "client" | "server";
  readonly #end: ConnectionEnd;
  readonly #muxed: Muxed;

  constructor(role: "client" | "server", socket: MessageSocket, facts: SocketFacts, options: EndOptions) {
    this.#role = role;
    this.url = facts.url;
    this.pinned = facts.pinned;
    this.choice = facts.choice;
    this.peerAddress = facts.peerAddress;
    this.#end = new ConnectionEnd(
      {
        send: (bytes) => this.#muxed.sendDatagram(bytes),
        openStream: role === "server" ? () => this.openStream() : undefined,
        close: (code, reason) => this.#muxed.close(code, reason),
      },
      options,
    );
    this.#muxed = new Muxed(role, "everything", socket, this.#end, options.clock);
  }

  get roundTrip(): number | undefined {
    return this.#end.liveness?.roundTrip;
  }

  get path(): Path | undefined {
    return this.#end.path;
  }

  get drops(): Readonly<DatagramDrops> {
    return this.#muxed.drops;
  }

  /** @internal */
  start(accept: Accept): void {
    this.#end.start(this, accept);
  }

  openExchange(): Promise<DuplexStream> {
    if (this.#role === "server")
      return Promise.reject(new ParleyError({ code: "usage", message: "Only clients open exchanges." }));
    return this.#muxed.openExchange();
  }

  openStream(): Promise<SendStream> {
    return this.#muxed.openStream();
  }

  sendDatagram(bytes: Uint8Array): DatagramFate {
    return this.#muxed.sendDatagram(bytes);
  }

  probe(ms: number): Promise<Unreached | undefined> {
    return this.#end.probe(ms);
  }

  close(code: number, reason: string): void {
    this.#end.close(code, reason);
  }

  /** @internal A message came; `undefined` for one that is not binary. */
  message(bytes: Uint8Array | undefined): void {
    if (bytes === undefined) this.#end.close(CLOSE_CODES.protocolViolation, "a message that is not binary");
    else this.#muxed.message(bytes);
  }

  /** @internal The socket is gone, and why; after an orderly close this is no news. */
  gone(why: string): void {
    this.#end.lost({ code: CLOSE_CODES.normal, reason: why, isLost: true });
    this.#muxed.over();
  }

  /** @internal The socket refused a message that was too large for any of ours. */
  oversized(): void {
    this.#end.close(CLOSE_CODES.protocolViolation, "a message is too large");
  }
}
