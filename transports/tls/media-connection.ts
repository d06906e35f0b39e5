import { ParleyError } from "../../codecs/parley-error.ts";
import {
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
import type { ByteOwner, ByteSocket } from "./byte-socket.ts";
import { MediaChannel } from "./media-channel.ts";
import type { ServerFacts } from "./pool.ts";

/** A client's connection for media: a TLS connection on which the request that opens it was granted. */
export class TlsMediaConnection implements Connection, ByteOwner {
  readonly carrier = "tls";
  readonly url: string;
  readonly pinned: Uint8Array | undefined;
  readonly choice: string | undefined;
  readonly peerAddress = undefined;
  readonly maxDatagram = MAX_DATAGRAM_BYTES;
  readonly #end: ConnectionEnd;
  readonly #channel: MediaChannel;
  readonly #gone: () => void;

  /** `gone` is called once, when nothing is left of it. */
  constructor(socket: ByteSocket, facts: ServerFacts, options: EndOptions, gone: () => void) {
    this.url = facts.url;
    this.pinned = facts.pinned;
    this.choice = facts.choice;
    this.#gone = gone;
    this.#end = new ConnectionEnd(
      {
        send: (bytes) => this.#channel.muxed.sendDatagram(bytes),
        close: (code, reason) => this.#channel.muxed.close(code, reason),
      },
      options,
    );
    this.#channel = new MediaChannel("client", socket, this.#end, options.clock);
  }

  get roundTrip(): number | undefined {
    return this.#end.liveness?.roundTrip;
  }

  get path(): Path | undefined {
    return this.#end.path;
  }

  get drops(): Readonly<DatagramDrops> {
    return this.#channel.muxed.drops;
  }

  /** @internal */
  start(accept: Accept): void {
    this.#end.start(this, accept);
  }

  openExchange(): Promise<DuplexStream> {
    return Promise.reject(
      new ParleyError({ code: "usage", message: "A connection for media carries no exchanges." }),
    );
  }

  openStream(): Promise<SendStream> {
    return this.#channel.muxed.openStream();
  }

  sendDatagram(bytes: Uint8Array): DatagramFate {
    return this.#channel.muxed.sendDatagram(bytes);
  }

  probe(ms: number): Promise<Unreached | undefined> {
    return this.#end.probe(ms);
  }

  close(code: number, reason: string): void {
    this.#end.close(code, reason);
  }

  /** @internal */
  data(bytes: Uint8Array): void {
    this.#channel.data(bytes);
  }

  /** @internal */
  ended(): void {
    this.#channel.lost("the peer left without a word");
  }

  /** @internal What goes out here never waits for the socket. */
  stalled(): void {}

  /** @internal */
  gone(why: string): void {
    this.#channel.lost(why);
    this.#gone();
  }
}
