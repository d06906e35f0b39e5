/**
 * A network in memory whose requests and media have connections of their own, as over TLS: each exchange opens a connection and
 * ends with it, media takes another. Both ends of each know one channel binding.
 */
import { ParleyError } from "../../codecs/parley-error.ts";
import type {
  Carrier,
  Connection,
  ConnectionHandlers,
  ConnectOptions,
  DatagramFate,
  DuplexStream,
  Listener,
  MediaDoor,
  ReceiveStream,
  SendStream,
} from "../../sfu/carrier.ts";
import { isSuccess } from "../../signaling/status.ts";
import type { Accept } from "../../transports/connection-end.ts";
import { openExchange } from "../../transports/exchange.ts";
import { MemoryNetwork, type MemoryOptions } from "../../transports/memory.ts";

const IGNORE: ConnectionHandlers = { datagram() {}, stream() {}, exchange() {}, closed() {} };

export class SeparateNetwork implements Carrier {
  readonly #inner: MemoryNetwork;
  #made = 0;
  #binding = new Uint8Array(32);

  constructor(options: MemoryOptions) {
    this.#inner = new MemoryNetwork(options);
  }

  /** Connections made so far. */
  get made(): number {
    return this.#made;
  }

  listen(address: string, accept: Accept): Listener {
    return this.#inner.listen(address, (connection) => {
      const end = new ServerEnd(connection, this.#binding);
      return end.handling(accept(end));
    });
  }

  async connect(url: string, options: ConnectOptions, handlers: Accept): Promise<Connection> {
    const probe = await this.dial(url, options, () => IGNORE);
    probe.connection.close(0, "");
    return new ClientEnd(this, url, options, handlers);
  }

  /** @internal One connection, and the channel binding of both its ends. */
  async dial(
    url: string,
    options: ConnectOptions,
    handlers: Accept,
  ): Promise<{ readonly connection: Connection; readonly channelBinding: Uint8Array }> {
    const channelBinding = new Uint8Array(32);
    this.#made += 1;
    new DataView(channelBinding.buffer).setUint32(0, this.#made);
    // The listener's end is made before anything is awaited.
    this.#binding = channelBinding;
    return { connection: await this.#inner.connect(url, options, handlers), channelBinding };
  }
}

/** The client's view: no connection at all until something is asked. */
class ClientEnd implements Connection {
  readonly carrier = "tls";
  readonly url: string;
  readonly pinned = undefined;
  readonly choice = undefined;
  readonly peerAddress = undefined;
  readonly roundTrip = undefined;
  readonly drops = undefined;
  readonly maxDatagram = 0;
  readonly media: MediaDoor;
  readonly #network: SeparateNetwork;
  readonly #options: ConnectOptions;
  readonly #handlers: ConnectionHandlers;
  readonly #open = new Set<Connection>();
  #isOver = false;

  constructor(network: SeparateNetwork, url: string, options: ConnectOptions, handlers: Accept) {
    this.#network = network;
    this.url = url;
    this.#options = options;
    this.media = { open: (request, mine) => this.#openMedia(request, mine) };
    this.#handlers = handlers(this);
  }

  async openExchange(): Promise<DuplexStream> {
    if (this.#isOver) throw new ParleyError({ code: "connection-lost", message: "It is closed." });
    const { connection, channelBinding } = await this.#network.dial(this.url, this.#options, () => IGNORE);
    this.#open.add(connection);
    const stream = await connection.openExchange();
    const over = (): void => {
      this.#open.delete(connection);
      connection.close(0, "");
    };
    const receive: ReceiveStream = {
      read: async () => {
        const bytes = await stream.receive.read();
        if (bytes === undefined) over();
        return bytes;
      },
      stop: over,
    };
    return { receive, send: stream.send, channelBinding };
  }

  openStream(): Promise<SendStream> {
    return Promise.reject(new ParleyError({ code: "usage", message: "Media has connections of its own." }));
  }

  sendDatagram(): DatagramFate {
    return "closed";
  }

  async probe(): Promise<undefined> {}

  close(code: number, reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const connection of this.#open) connection.close(code, reason);
    this.#handlers.closed({ code, reason });
  }

  async #openMedia(...[request, handlers]: Parameters<MediaDoor["open"]>): ReturnType<MediaDoor["open"]> {
    const { connection, channelBinding } = await this.#network.dial(this.url, this.#options, handlers);
    const stream = await connection.openExchange();
    for await (const answer of openExchange(stream, await request(channelBinding))) {
      if (isSuccess(answer.status)) return { answer, connection };
      connection.close(0, "");
      return { answer, connection: undefined };
    }
    throw new ParleyError({ code: "connection-lost", message: "No answer came." });
  }
}

/** The server's end of one of them: nothing but exchanges until media begins, nothing but media then. */
class ServerEnd implements Connection {
  readonly carrier = "tls";
  readonly pinned = undefined;
  readonly choice = undefined;
  readonly peerAddress = undefined;
  readonly channelBinding: Uint8Array;
  readonly #inner: Connection;
  /** What came for media before it began, in order: the client is through with its request first. */
  #early: (() => void)[] | undefined = [];

  constructor(inner: Connection, channelBinding: Uint8Array) {
    this.#inner = inner;
    this.channelBinding = channelBinding;
  }

  get url(): string {
    return this.#inner.url;
  }

  get roundTrip(): number | undefined {
    return this.#inner.roundTrip;
  }

  get drops() {
    return this.#inner.drops;
  }

  get maxDatagram(): number {
    return this.#inner.maxDatagram;
  }

  /** What the connection in memory tells, as far as this one carries it. */
  handling(handlers: ConnectionHandlers): ConnectionHandlers {
    return {
      datagram: (bytes) => {
        if (this.#early === undefined) return handlers.datagram(bytes);
        const kept = bytes.slice();
        this.#early.push(() => handlers.datagram(kept));
      },
      stream: (stream) => {
        if (this.#early === undefined) return handlers.stream(stream);
        this.#early.push(() => handlers.stream(stream));
      },
      exchange: (stream) => {
        if (this.#early !== undefined) return handlers.exchange(stream);
        stream.receive.stop(1);
        stream.send.reset(1);
      },
      closed: (info) => handlers.closed(info),
    };
  }

  beginMedia(): void {
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const deliver of early) deliver();
  }

  openExchange(): Promise<DuplexStream> {
    return this.#inner.openExchange();
  }

  openStream(): Promise<SendStream> {
    if (this.#early === undefined) return this.#inner.openStream();
    return Promise.reject(new ParleyError({ code: "usage", message: "It carries no media." }));
  }

  sendDatagram(bytes: Uint8Array): DatagramFate {
    return this.#early === undefined ? this.#inner.sendDatagram(bytes) : "closed";
  }

  probe(ms: number) {
    return this.#inner.probe(ms);
  }

  close(code: number, reason: string): void {
    this.#inner.close(code, reason);
  }
}
