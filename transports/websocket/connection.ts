import { ParleyError } from "../../codecs/parley-error.ts";
import {
  CLOSE_CODES,
  type Connection,
  type DatagramDrops,
  type DatagramFate,
  type DuplexStream,
  MAX_DATAGRAM_BYTES,
  type SendStream,
  type Unreached,
} from "../../sfu/carrier.ts";
import { type Accept, ConnectionEnd, type EndOptions } from "../connection-end.ts";
import { Mux } from "../mux/mux.ts";
import { StreamOpener } from "../stream-opener.ts";

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

/** The WebSocket under a connection, whoever made it. */
export interface SocketPort {
  /** Sends one binary message. The bytes are the socket's from then on. Must not throw. */
  send(message: Uint8Array): void;
  /** Bytes handed to the socket that have not left this process. */
  readonly buffered: number;
  /** Begins the WebSocket's own closing; ends it by force where the peer does not answer. */
  close(): void;
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
  readonly #mux: Mux;
  readonly #streams: StreamOpener<SendStream>;
  readonly #exchanges: StreamOpener<DuplexStream>;
  readonly #socket: SocketPort;
  #isOver = false;

  constructor(role: "client" | "server", socket: SocketPort, facts: SocketFacts, options: EndOptions) {
    this.#role = role;
    this.#socket = socket;
    this.url = facts.url;
    this.pinned = facts.pinned;
    this.choice = facts.choice;
    this.peerAddress = facts.peerAddress;
    const end = new ConnectionEnd(
      {
        send: (bytes) => this.#mux.sendDatagram(bytes),
        openStream: role === "server" ? () => this.openStream() : undefined,
        close: (code, reason) => {
          this.#mux.close(code, reason);
          this.#over();
          socket.close();
        },
      },
      options,
    );
    this.#end = end;
    this.#mux = new Mux(role, options.clock, {
      send: (message) => {
        if (this.#isOver) return;
        socket.send(message);
        this.#checkBuffer();
      },
      datagram: (bytes) => end.datagram(bytes),
      stream: (stream) => end.stream(stream),
      exchange: (stream) => end.exchange(stream),
      closed: (info) => {
        end.lost(info);
        this.#over();
        socket.close();
      },
      violated: (why) => end.close(CLOSE_CODES.protocolViolation, why),
      over: () => (end.closed ? end.refusal() : undefined),
    });
    this.#streams = new StreamOpener(options.clock, () => this.#mux.openStream());
    this.#exchanges = new StreamOpener(options.clock, () => this.#mux.openExchange());
  }

  get roundTrip(): number | undefined {
    return this.#end.liveness?.roundTrip;
  }

  get drops(): Readonly<DatagramDrops> {
    return this.#mux.drops;
  }

  /** @internal */
  start(accept: Accept): void {
    this.#end.start(this, accept);
  }

  openExchange(): Promise<DuplexStream> {
    if (this.#role === "server")
      return Promise.reject(new ParleyError({ code: "usage", message: "Only clients open exchanges." }));
    return this.#end.closed ? Promise.reject(this.#end.refusal()) : this.#exchanges.next();
  }

  openStream(): Promise<SendStream> {
    return this.#end.closed ? Promise.reject(this.#end.refusal()) : this.#streams.next();
  }

  sendDatagram(bytes: Uint8Array): DatagramFate {
    if (this.#end.closed) return "closed";
    if (bytes.length > MAX_DATAGRAM_BYTES) return "too-large";
    this.#mux.sendDatagram(bytes);
    return "sent";
  }

  probe(ms: number): Promise<Unreached | undefined> {
    return this.#end.probe(ms);
  }

  close(code: number, reason: string): void {
    this.#end.close(code, reason);
  }

  /** @internal A message came; `undefined` for one that is not binary. */
  message(bytes: Uint8Array | undefined): void {
    if (this.#end.closed) return;
    this.#end.liveness?.heard();
    if (bytes === undefined) this.#end.close(CLOSE_CODES.protocolViolation, "a message that is not binary");
    else this.#mux.receive(bytes);
  }

  /** @internal The socket is gone, and why; after an orderly close this is no news. */
  gone(why: string): void {
    this.#end.lost({ code: CLOSE_CODES.normal, reason: why });
    this.#over();
  }

  /** @internal The socket refused a message that was too large for any of ours. */
  oversized(): void {
    this.#end.close(CLOSE_CODES.protocolViolation, "a message is too large");
  }

  /** A peer that talks and does not read would make this side answer into the void. */
  #checkBuffer(): void {
    if (this.#socket.buffered > MAX_BUFFERED_BYTES)
      this.#end.close(CLOSE_CODES.overloaded, "the peer does not read");
  }

  #over(): void {
    this.#isOver = true;
    this.#mux.end();
    this.#streams.fail(this.#end.refusal());
    this.#exchanges.fail(this.#end.refusal());
  }
}

/** Bytes in the socket's own buffer past which the peer counts as one that does not read: several of the largest flights. */
const MAX_BUFFERED_BYTES = 4 * 1024 * 1024;
