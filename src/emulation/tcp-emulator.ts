import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { Link, type LinkConditions } from "./link.ts";
import { SeededRandom } from "./seeded-random.ts";

/** A path to emulate between real TCP sockets. */
export interface TcpEmulatorOptions {
  /** `host:port` of the server behind the emulator. */
  readonly target: string;
  /** Client to server. */
  readonly toServer: LinkConditions;
  /** Server to client. */
  readonly toClient: LinkConditions;
  readonly seed: number;
  /** Port to listen on, loopback; 0 or absent picks a free one. */
  readonly port?: number;
}

/** A running emulator. */
export interface TcpEmulator {
  /** `host:port` that clients dial instead of the target. */
  readonly address: string;
  /** Nothing gets through from now on, for so many milliseconds; `Infinity`: ever again. What was sent meanwhile comes after. */
  darken(ms: number): void;
  /** Breaks every connection at once. */
  cut(): void;
  close(): Promise<void>;
}

/**
 * Stands between real TCP clients and a server: octets arrive when reliable pieces do on a `Link`, in order, so that a lost one holds up
 * those behind it by a round trip. One bottleneck each way, shared by all connections. A model of TCP over such a path, not TCP
 * itself: nobody slows down for losses.
 */
export async function startTcpEmulator(options: TcpEmulatorOptions): Promise<TcpEmulator> {
  const emulator = new Emulator(options);
  await emulator.listen(options.port ?? 0);
  return emulator;
}

class Emulator implements TcpEmulator {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #toServer: Link;
  readonly #toClient: Link;

  constructor(options: TcpEmulatorOptions) {
    const [host = "", port] = options.target.split(":");
    const random = new SeededRandom(options.seed);
    this.#toServer = new Link(options.toServer, random.fork());
    this.#toClient = new Link(options.toClient, random.fork());
    this.#server = createServer({ noDelay: true, allowHalfOpen: true }, (front) => {
      const back = connect({ host, port: Number(port), noDelay: true, allowHalfOpen: true });
      this.#carry(front, back, this.#toServer);
      this.#carry(back, front, this.#toClient);
    });
  }

  get address(): string {
    const { address, port } = this.#server.address() as AddressInfo;
    return `${address}:${port}`;
  }

  async listen(port: number): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(port, "127.0.0.1", resolve));
  }

  darken(ms: number): void {
    const now = performance.now();
    for (const link of [this.#toServer, this.#toClient]) link.darken(now, now + ms);
  }

  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #carry(from: Socket, to: Socket, link: Link): void {
    this.#sockets.add(from);
    let last = 0;
    let underWay = 0;
    const waiting: { readonly at: number; readonly deliver: () => void }[] = [];
    // One timer for the first of them: those of different lengths do not fire in order.
    const wait = (): void => {
      const [first] = waiting;
      if (first === undefined || first.at === Number.POSITIVE_INFINITY) return;
      const timer = setTimeout(
        () => {
          this.#timers.delete(timer);
          while ((waiting[0]?.at ?? Number.POSITIVE_INFINITY) <= performance.now())
            waiting.shift()?.deliver();
          wait();
        },
        Math.ceil(first.at - performance.now()),
      );
      this.#timers.add(timer);
    };
    const later = (bytes: number, deliver: () => void): void => {
      last = Math.max(last, link.reliable(bytes, performance.now()));
      waiting.push({ at: last, deliver });
      if (waiting.length === 1) wait();
    };
    from.on("data", (data: Buffer) => {
      for (let at = 0; at < data.length; at += SEGMENT_BYTES) {
        const piece = data.subarray(at, at + SEGMENT_BYTES);
        underWay += piece.length;
        later(piece.length, () => {
          underWay -= piece.length;
          if (to.writable) to.write(piece);
          if (from.isPaused() && underWay < WINDOW_BYTES) from.resume();
        });
      }
      if (underWay >= WINDOW_BYTES) from.pause();
    });
    from.on("end", () => later(0, () => to.end()));
    from.on("error", () => to.destroy());
    from.on("close", () => this.#sockets.delete(from));
  }
}

/** Octets of one segment: each is lost on its own. */
const SEGMENT_BYTES = 1_400;
/** Octets of one connection and direction under way at once; beyond it nothing more is read. */
const WINDOW_BYTES = 1_048_576;
