import type { Clock } from "../../codecs/clock.ts";
import {
  CLOSE_CODES,
  type DatagramDrops,
  type DatagramFate,
  type DuplexStream,
  MAX_DATAGRAM_BYTES,
  type SendStream,
} from "../../sfu/carrier.ts";
import type { ConnectionEnd } from "../connection-end.ts";
import { StreamOpener } from "../stream-opener.ts";
import { Mux } from "./mux.ts";

/** Bytes in the socket's own buffer past which the peer counts as one that does not read: several of the largest flights. */
export const MAX_BUFFERED_BYTES = 4 * 1024 * 1024;

/** The socket under a multiplexer: an ordered channel of messages. */
export interface MessageSocket {
  /** Sends one message. The bytes are the socket's from then on. Must not throw. */
  send(message: Uint8Array): void;
  /** Bytes handed to the socket that have not left this process. */
  readonly buffered: number;
  /** Begins the socket's own closing; ends it by force where the peer does not answer. */
  close(): void;
}

/**
 * A multiplexer between a socket and the end of a connection: what carriers of one ordered channel have in common.
 * @internal
 */
export class Muxed {
  readonly #end: ConnectionEnd;
  readonly #socket: MessageSocket;
  readonly #mux: Mux;
  readonly #streams: StreamOpener<SendStream>;
  readonly #exchanges: StreamOpener<DuplexStream>;
  #isOver = false;

  /** `carries`: with `media` an exchange is against the rules. */
  constructor(
    role: "client" | "server",
    carries: "everything" | "media",
    socket: MessageSocket,
    end: ConnectionEnd,
    clock: Clock,
  ) {
    this.#end = end;
    this.#socket = socket;
    this.#mux = new Mux(role, clock, {
      send: (message) => this.#send(message),
      datagram: (bytes) => end.datagram(bytes),
      stream: (stream) => end.stream(stream),
      exchange: (stream) => {
        if (carries === "everything") end.exchange(stream);
        else end.close(CLOSE_CODES.protocolViolation, "a connection for media carries no exchanges");
      },
      closed: (info) => {
        end.lost(info);
        this.over();
        socket.close();
      },
      violated: (why) => end.close(CLOSE_CODES.protocolViolation, why),
      over: () => (end.closed ? end.refusal() : undefined),
    });
    this.#streams = new StreamOpener(clock, () => this.#mux.openStream());
    this.#exchanges = new StreamOpener(clock, () => this.#mux.openExchange());
  }

  /** Datagrams dropped before they reached the socket. */
  get drops(): Readonly<DatagramDrops> {
    return this.#mux.drops;
  }

  openExchange(): Promise<DuplexStream> {
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

  /** One message from the peer. */
  message(bytes: Uint8Array): void {
    if (this.#end.closed) return;
    this.#end.liveness?.heard();
    this.#mux.receive(bytes);
  }

  /** This side closed: the peer is told, and the socket ends. */
  close(code: number, reason: string): void {
    this.#mux.close(code, reason);
    this.over();
    this.#socket.close();
  }

  /** The connection is over: nothing is sent any more, and nobody waits any longer. */
  over(): void {
    this.#isOver = true;
    this.#mux.end();
    this.#streams.fail(this.#end.refusal());
    this.#exchanges.fail(this.#end.refusal());
  }

  #send(message: Uint8Array): void {
    if (this.#isOver) return;
    this.#socket.send(message);
    // A peer that talks and does not read would make this side answer into the void.
    if (this.#socket.buffered > MAX_BUFFERED_BYTES)
      this.#end.close(CLOSE_CODES.overloaded, "the peer does not read");
  }
}
