import type { Server } from "node:https";
import type { Socket } from "node:net";
import { performance } from "node:perf_hooks";
import type { TLSSocket } from "node:tls";
import type { Clock } from "../../codecs/clock.ts";
import type { Rate } from "../../signaling/shared-state.ts";
import { AGTP_PROTOCOL } from "../../transports/tls/server.ts";
import type { AddressBook, Admitted } from "../http/address-limits.ts";
import { Arrivals } from "./arrivals.ts";
import { hearFirstLine } from "./first-line.ts";
import { HandshakePace } from "./handshake-pace.ts";

/** What the TLS port takes; per address see `AddressLimits`. */
export interface TlsLimits {
  /** Connections whose handshake or first line is not there yet; one more: the oldest of the address that has most goes, counted `handshakes-full`. */
  readonly handshakes: number;
  /**
   * Handshakes begun a second, and at once: each takes about 1 ms of what frames wait for. Beyond: they wait, each address has its turn. A
   * fifth of the rate is left where the event loop is busy.
   */
  readonly handshakeRate: Rate;
  /** AGTP connections open at once; beyond: dropped after the handshake, counted `agtp-full`. */
  readonly connections: number;
  /** How long an AGTP connection may stay without a request, seconds; then it is closed. */
  readonly idleSeconds: number;
  /** The same while three quarters of `connections` are taken. */
  readonly pressedIdleSeconds: number;
}

export const DEFAULT_TLS_LIMITS: TlsLimits = {
  handshakes: 512,
  handshakeRate: { perSecond: 250, burst: 16 },
  connections: 20_000,
  idleSeconds: 60,
  pressedIdleSeconds: 10,
};

/** How long a TLS handshake may take, ms. */
export const HANDSHAKE_MS = 10_000;
/** ALPN names of what is spoken behind a door, best first. */
export const PROTOCOLS = [AGTP_PROTOCOL, "http/1.1"] as const;

/** An AGTP connection as it comes through the door. */
export interface AgtpArrival {
  /** What was read already to know that it is AGTP; belongs before everything that the socket still gives. */
  readonly head: Uint8Array | undefined;
  /** How long it may be idle now, ms; asked each time. */
  readonly idleMs: () => number;
}

export interface TlsDoorOptions {
  readonly limits: TlsLimits;
  readonly addresses: AddressBook;
  readonly clock: Clock;
  /** Why nobody is taken now, if so. */
  readonly unready: () => string | undefined;
  /** Takes an AGTP connection. */
  readonly agtp: (socket: TLSSocket, arrival: AgtpArrival) => void;
}

/** Why somebody did not come through the door. */
type TlsRefusal =
  | Exclude<ReturnType<AddressBook["open"]>, Admitted>
  | "handshakes-full"
  | "handshake-timeout"
  | "handshake-failed"
  | "plain-text"
  | "tls-version"
  | "alpn"
  | "first-line"
  | "agtp-full"
  | "agtp-stopping";

/** A connection that is not led anywhere yet. */
interface Arrival {
  readonly socket: Socket;
  readonly admitted: Admitted;
  cancel: () => void;
}

/**
 * Stands before the HTTP side of a TLS port and leads each connection to what it speaks: by ALPN, and without it by its first line.
 * Whoever stalls is dropped after its time and bounded in number, and waits for nobody but itself.
 */
export class TlsDoor {
  /** Who was turned away, counted by reason. */
  readonly refused: Record<TlsRefusal, number> = {
    "address-sockets": 0,
    "address-socket-rate": 0,
    "address-handshakes": 0,
    "handshakes-full": 0,
    "handshake-timeout": 0,
    "handshake-failed": 0,
    "plain-text": 0,
    "tls-version": 0,
    alpn: 0,
    "first-line": 0,
    "agtp-full": 0,
    "agtp-stopping": 0,
  };
  readonly #options: TlsDoorOptions;
  readonly #secure: (socket: Socket) => void;
  readonly #http: (socket: TLSSocket) => void;
  readonly #pace: HandshakePace;
  #cancelPace: (() => void) | undefined;
  /** By the peer's address and port. */
  readonly #arrivals = new Arrivals<Arrival>();
  readonly #agtp = new Set<TLSSocket>();

  /** `server` offers {@link PROTOCOLS}, pauses its connections, and knows of HTTP alone so far. */
  constructor(server: Server, options: TlsDoorOptions) {
    this.#options = options;
    this.#pace = new HandshakePace(options.limits.handshakeRate, options.clock.now(), worked);
    // What makes TLS of a connection costs several times what it takes to look at who is there.
    const [secure] = server.listeners("connection") as ((socket: Socket) => void)[];
    this.#secure = (socket) => secure?.call(server, socket);
    server.removeAllListeners("connection");
    const [http] = server.listeners("secureConnection") as ((socket: TLSSocket) => void)[];
    this.#http = (socket) => http?.call(server, socket);
    server.removeAllListeners("secureConnection");
    server.on("connection", (socket: Socket) => this.#arrive(socket));
    server.on("tlsClientError", (error: NodeJS.ErrnoException, socket) => this.#failed(error, socket));
    server.on("secureConnection", (socket) => this.#lead(socket));
  }

  /** Connections whose handshake or first line is not there yet. */
  get handshakes(): number {
    return this.#arrivals.size;
  }

  /** Drops everybody but HTTP's. */
  close(): void {
    this.#cancelPace?.();
    for (const { socket } of this.#arrivals.all()) socket.destroy();
    for (const socket of this.#agtp) socket.destroy();
  }

  #arrive(socket: Socket): void {
    const { addresses, limits } = this.#options;
    const name = nameOf(socket);
    const { remoteAddress } = socket;
    if (name === undefined || remoteAddress === undefined) {
      socket.destroy();
      return;
    }
    const admitted = addresses.open(remoteAddress);
    if (typeof admitted === "string") {
      this.refused[admitted]++;
      socket.destroy();
      return;
    }
    if (this.#arrivals.size >= limits.handshakes) {
      this.#drop(this.#arrivals.excess as string, "handshakes-full");
    }
    // Another had this port until a moment ago, and its end is not told yet.
    this.#settle(name);
    const arrival: Arrival = {
      socket,
      admitted,
      cancel: this.#later(() => this.#drop(name, "handshake-timeout")),
    };
    this.#arrivals.add(name, remoteAddress, arrival);
    socket.once("close", () => {
      admitted.close();
      // Another may have come from the same port since.
      if (this.#arrivals.get(name) === arrival) this.#drop(name, "handshake-failed");
    });
    socket.on("error", () => {});
    this.#begin();
  }

  /** Begins the handshakes whose turn it is, as many as the pace allows. */
  #begin(): void {
    const { clock } = this.#options;
    if (this.#cancelPace !== undefined) return;
    while (this.#pace.has(clock.now())) if (!this.#beginNext()) return;
    if (this.#arrivals.isWaiting) this.#beginLater();
  }

  /** Begins one handshake at its time; what several at once cost, frames would wait for in one piece. */
  #beginLater(): void {
    this.#cancelPace = this.#options.clock.at(this.#pace.nextAt, () => {
      this.#cancelPace = undefined;
      this.#beginNext();
      if (this.#arrivals.isWaiting) this.#beginLater();
    });
  }

  /** Begins the handshake whose turn it is, unless nobody waits. */
  #beginNext(): boolean {
    const arrival = this.#arrivals.next();
    if (arrival === undefined) return false;
    this.#pace.take(this.#options.clock.now());
    this.#secure(arrival.socket);
    return true;
  }

  #later(act: () => void): () => void {
    const { clock } = this.#options;
    return clock.at(clock.now() + HANDSHAKE_MS, act);
  }

  #drop(name: string, reason: TlsRefusal): void {
    this.refused[reason]++;
    this.#settle(name)?.socket.destroy();
  }

  /** It is no arrival any more. */
  #settle(name: string | undefined): Arrival | undefined {
    if (name === undefined) return undefined;
    const arrival = this.#arrivals.take(name);
    arrival?.cancel();
    arrival?.admitted.arrived();
    return arrival;
  }

  #failed({ code }: NodeJS.ErrnoException, socket: TLSSocket): void {
    const reason = FAILURES[code ?? ""];
    const name = nameOf(socket);
    // Who only went away is counted when its socket closes.
    if (reason !== undefined && name !== undefined && this.#arrivals.get(name) !== undefined)
      this.#drop(name, reason);
    socket.destroy();
  }

  #lead(socket: TLSSocket): void {
    // Whoever takes it hears of its end by `close`.
    socket.on("error", () => {});
    // What paused the connection under it paused this one too; nothing flows before this turn is over.
    socket.resume();
    const name = nameOf(socket);
    const arrival = name === undefined ? undefined : this.#arrivals.get(name);
    if (name === undefined || arrival === undefined) {
      socket.destroy();
      return;
    }
    arrival.cancel();
    const { alpnProtocol } = socket;
    if (alpnProtocol) {
      this.#settle(name);
      if (alpnProtocol === AGTP_PROTOCOL) this.#toAgtp(socket, undefined);
      else this.#http(socket);
      return;
    }
    // A request may be whole, and its sender's end of the connection closed, before it is known to be one.
    socket.allowHalfOpen = true;
    hearFirstLine(socket, this.#options.clock, (spoken) => {
      if (this.#arrivals.get(name) !== arrival) return;
      if (spoken === undefined) {
        this.#drop(name, "first-line");
        return;
      }
      this.#settle(name);
      if (spoken.protocol === "agtp") {
        this.#toAgtp(socket, spoken.head);
        return;
      }
      socket.allowHalfOpen = false;
      socket.unshift(spoken.head);
      this.#http(socket);
    });
  }

  #toAgtp(socket: TLSSocket, head: Uint8Array | undefined): void {
    const { limits, unready, agtp } = this.#options;
    const reason =
      unready() !== undefined
        ? "agtp-stopping"
        : this.#agtp.size >= limits.connections
          ? "agtp-full"
          : undefined;
    if (reason !== undefined) {
      this.refused[reason]++;
      socket.destroy();
      return;
    }
    socket.allowHalfOpen = true;
    this.#agtp.add(socket);
    socket.once("close", () => this.#agtp.delete(socket));
    agtp(socket, { head, idleMs: () => this.#idleMs() });
  }

  #idleMs(): number {
    const { connections, idleSeconds, pressedIdleSeconds } = this.#options.limits;
    const isPressed = this.#agtp.size >= connections * PRESSED_SHARE;
    return 1_000 * (isPressed ? Math.min(pressedIdleSeconds, idleSeconds) : idleSeconds);
  }
}

/** For how long this process's event loop has been at work, ms. */
function worked(): number {
  return performance.eventLoopUtilization().active;
}

/** The peer's address and port: no other open connection of this port has the same. */
function nameOf({ remoteAddress, remotePort }: Socket): string | undefined {
  return remoteAddress === undefined ? undefined : `${remoteAddress} ${remotePort}`;
}

/** Why a handshake failed, by OpenSSL's code. */
const FAILURES: Readonly<Record<string, TlsRefusal>> = {
  ERR_SSL_HTTP_REQUEST: "plain-text",
  ERR_SSL_WRONG_VERSION_NUMBER: "plain-text",
  ERR_SSL_PACKET_LENGTH_TOO_LONG: "plain-text",
  ERR_SSL_UNSUPPORTED_PROTOCOL: "tls-version",
  ERR_SSL_NO_APPLICATION_PROTOCOL: "alpn",
};

/** Share of the AGTP connections that, once taken, shortens their idle time. */
const PRESSED_SHARE = 0.75;
