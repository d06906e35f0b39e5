import type { Carrier, Connection, ConnectionHandlers, ConnectOptions } from "../../sfu/carrier.ts";

/** One datagram as it went over the wire, its flow identifier first. */
export interface TappedDatagram {
  readonly direction: "to-server" | "to-client";
  readonly bytes: Uint8Array;
}

/** A carrier that keeps a copy of every media datagram its connections send and receive, and may send others instead. */
export class WireTap implements Carrier {
  readonly datagrams: TappedDatagram[] = [];
  /** What goes out in place of a datagram. Default: the datagram. */
  alter: (bytes: Uint8Array) => readonly Uint8Array[] = (bytes) => [bytes];
  /** The last connection, for what a client would not do. */
  connection: Connection | undefined;
  readonly #carrier: Carrier;

  constructor(carrier: Carrier) {
    this.#carrier = carrier;
  }

  async connect(
    url: string,
    options: ConnectOptions,
    accept: (connection: Connection) => ConnectionHandlers,
  ): Promise<Connection> {
    const connection = await this.#carrier.connect(url, options, (opened) => {
      const handlers = accept(this.#tap(opened));
      return {
        datagram: (bytes) => {
          this.datagrams.push({ direction: "to-client", bytes: bytes.slice() });
          handlers.datagram(bytes);
        },
        stream: (stream) => handlers.stream(stream),
        exchange: (stream) => handlers.exchange(stream),
        closed: (info) => handlers.closed(info),
      };
    });
    this.connection = connection;
    return this.#tap(connection);
  }

  #tap(connection: Connection): Connection {
    return new Proxy(connection, {
      get: (target, name) => {
        if (name === "sendDatagram") {
          return (bytes: Uint8Array) => {
            this.datagrams.push({ direction: "to-server", bytes: bytes.slice() });
            const [first = "sent"] = this.alter(bytes).map((sent) => target.sendDatagram(sent));
            return first;
          };
        }
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  }
}
