/** A way to a TCP server of this machine whose connections can be cut, and made thin. */

import type { AddressInfo } from "node:net";
import { connect, createServer, type Socket } from "node:net";
import { Transform, type TransformCallback } from "node:stream";

export interface TcpProxy {
  readonly port: number;
  /** Where it leads from now on. */
  leadTo(port: number): void;
  /** Each direction takes so many bits a second from now on, all connections together, and keeps whatever comes meanwhile. */
  throttle(bitsPerSecond: number): void;
  /** The most octets that waited at once since this was asked last. */
  mostWaiting(): { readonly toServer: number; readonly toClient: number };
  /** Breaks every connection at once, on both sides, without a word. */
  cut(): void;
  stop(): Promise<void>;
}

export async function tcpProxy(): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  const ways = { toServer: new Way(), toClient: new Way() };
  let target = 0;
  const join = (from: Socket, to: Socket, way: Way): void => {
    sockets.add(from);
    from.on("error", () => undefined);
    from.on("close", () => {
      sockets.delete(from);
      to.destroy();
    });
    from.pipe(new Stretch(way)).pipe(to);
  };
  const server = createServer({ noDelay: true }, (socket) => {
    const onward = connect({ port: target, host: "127.0.0.1", noDelay: true });
    join(socket, onward, ways.toServer);
    join(onward, socket, ways.toClient);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const cut = (): void => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    leadTo: (port) => {
      target = port;
    },
    throttle: (bitsPerSecond) => {
      for (const way of Object.values(ways)) way.rate = bitsPerSecond;
    },
    mostWaiting: () => ({ toServer: ways.toServer.takeMost(), toClient: ways.toClient.takeMost() }),
    cut,
    stop: async () => {
      cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Octets that go on at once: a thin way has small packets. */
const PIECE_BYTES = 500;

/** One direction, as all connections share it. */
class Way {
  /** Bits a second; absent: no limit. */
  rate: number | undefined;
  #free = 0;
  #waiting = 0;
  #most = 0;

  takeMost(): number {
    const most = this.#most;
    this.#most = this.#waiting;
    return most;
  }

  /** Milliseconds until all that waits has gone. */
  get backlog(): number {
    return Math.max(0, this.#free - performance.now());
  }

  /** Runs `deliver` when so many octets have gone. */
  carry(octets: number, rate: number, deliver: () => void): void {
    this.#waiting += octets;
    this.#most = Math.max(this.#most, this.#waiting);
    this.#free = performance.now() + this.backlog + (octets * 8_000) / rate;
    setTimeout(() => {
      this.#waiting -= octets;
      deliver();
    }, this.backlog);
  }
}

/** What one connection sends one way. */
class Stretch extends Transform {
  readonly #way: Way;
  #pieces = 0;
  #drained: () => void = () => {};

  constructor(way: Way) {
    super();
    this.#way = way;
  }

  override _transform(octets: Buffer, _encoding: string, taken: TransformCallback): void {
    const { rate } = this.#way;
    if (rate === undefined) {
      taken(null, octets);
      return;
    }
    for (let at = 0; at < octets.length; at += PIECE_BYTES) {
      const piece = octets.subarray(at, at + PIECE_BYTES);
      this.#pieces += 1;
      this.#way.carry(piece.length, rate, () => this.#arrive(piece));
    }
    taken();
  }

  override _flush(done: TransformCallback): void {
    this.#drained = done;
    if (this.#pieces === 0) done();
  }

  #arrive(piece: Buffer): void {
    this.#pieces -= 1;
    if (this.destroyed) return;
    this.push(piece);
    if (this.#pieces === 0) this.#drained();
  }
}
