import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { Link, type LinkConditions, type LinkCounters } from "./link.ts";
import { SeededRandom } from "./seeded-random.ts";

/** A path to emulate between real UDP sockets. */
export interface UdpEmulatorOptions {
  /** `host:port` of the server behind the emulator; an IPv4 address. */
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
export interface UdpEmulator {
  /** `host:port` that clients dial instead of the target. */
  readonly address: string;
  readonly toServer: Readonly<LinkCounters>;
  readonly toClient: Readonly<LinkCounters>;
  /** Packets of clients beyond `MAX_CLIENTS`, dropped. */
  readonly strangers: number;
  /** New conditions from now on, for one direction or both. */
  change(conditions: { readonly toServer?: LinkConditions; readonly toClient?: LinkConditions }): void;
  /** Nothing gets through from now on, for so many milliseconds; `Infinity`: ever again. */
  darken(ms: number): void;
  /**
   * The NAT before the server forgets its clients: each has another port there from now on, and, where one is given, another address of
   * this machine. What the server sends to those before is lost.
   */
  rebind(address?: string): void;
  /** Stops at once; packets under way are lost. */
  close(): Promise<void>;
}

/**
 * Stands between real UDP clients and a server with the same seeded model as `Link`: one bottleneck each way, shared by all clients.
 * Fates repeat with the seed; times are those of a real machine, late by up to about a millisecond.
 */
export async function startUdpEmulator(options: UdpEmulatorOptions): Promise<UdpEmulator> {
  const emulator = new Emulator(options);
  await emulator.listen(options.port ?? 0);
  return emulator;
}

class Emulator implements UdpEmulator {
  strangers = 0;
  readonly #front: Socket = createSocket("udp4");
  readonly #clients = new Map<string, Socket>();
  readonly #host: string;
  readonly #port: number;
  readonly #toServer: Link;
  readonly #toClient: Link;
  readonly #timers = new Set<NodeJS.Timeout>();
  /** Address that new sockets towards the server are bound to. Default: the system's choice. */
  #outside: string | undefined;
  #closed = false;

  constructor(options: UdpEmulatorOptions) {
    const [host, port] = options.target.split(":");
    this.#host = host ?? "";
    this.#port = Number(port);
    const random = new SeededRandom(options.seed);
    this.#toServer = new Link(options.toServer, random.fork());
    this.#toClient = new Link(options.toClient, random.fork());
    this.#front.on("message", (packet, from) => {
      this.#carry(this.#toServer, packet, () => {
        this.#backOf(from.address, from.port)?.send(packet, this.#port, this.#host);
      });
    });
  }

  get address(): string {
    const { address, port } = this.#front.address();
    return `${address}:${port}`;
  }

  get toServer(): Readonly<LinkCounters> {
    return this.#toServer.counters;
  }

  get toClient(): Readonly<LinkCounters> {
    return this.#toClient.counters;
  }

  async listen(port: number): Promise<void> {
    this.#front.bind(port, "127.0.0.1");
    await once(this.#front, "listening");
  }

  change(conditions: { readonly toServer?: LinkConditions; readonly toClient?: LinkConditions }): void {
    const now = performance.now();
    if (conditions.toServer) this.#toServer.change(conditions.toServer, now);
    if (conditions.toClient) this.#toClient.change(conditions.toClient, now);
  }

  darken(ms: number): void {
    const now = performance.now();
    for (const link of [this.#toServer, this.#toClient]) link.darken(now, now + ms);
  }

  rebind(address?: string): void {
    this.#outside = address;
    for (const back of this.#clients.values()) back.close();
    this.#clients.clear();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    const sockets = [this.#front, ...this.#clients.values()];
    await Promise.all(sockets.map((socket) => new Promise<void>((resolve) => socket.close(resolve))));
  }

  /** The socket that speaks to the server for one client. */
  #backOf(address: string, port: number): Socket | undefined {
    const key = `${address}:${port}`;
    const known = this.#clients.get(key);
    if (known) return known;
    if (this.#clients.size >= MAX_CLIENTS) {
      this.strangers++;
      return undefined;
    }
    const back = createSocket("udp4");
    if (this.#outside !== undefined) back.bind(0, this.#outside);
    back.on("message", (packet) => {
      this.#carry(this.#toClient, packet, () => this.#front.send(packet, port, address));
    });
    // A server that is gone answers with ICMP: to the clients that is silence.
    back.on("error", () => {});
    this.#clients.set(key, back);
    return back;
  }

  #carry(link: Link, packet: Uint8Array, send: () => void): void {
    const now = performance.now();
    const at = link.datagram(Math.max(0, packet.length - UDP_OVERHEAD), now);
    if (at === undefined) return;
    if (at <= now) send();
    else this.#later(link, at, now, send);
  }

  #later(link: Link, at: number, now: number, send: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      const revised = link.revised(at);
      if (revised > at) this.#later(link, revised, performance.now(), send);
      else if (!this.#closed) send();
    }, at - now);
    this.#timers.add(timer);
  }
}

/** Clients that are told apart; packets of further ones are dropped and counted. */
const MAX_CLIENTS = 1_024;
/** The link adds 60 bytes for IPv4, UDP and QUIC; of these, real packets already hold QUIC's share. */
const UDP_OVERHEAD = 32;
