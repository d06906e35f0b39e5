import { ParleyError } from "../codecs/parley-error.ts";
import {
  type Carrier,
  type CarrierKind,
  CLOSE_CODES,
  type Connection,
  type ConnectionHandlers,
  type ConnectOptions,
  type DatagramDrops,
  type DatagramFate,
  type DuplexStream,
  type Listener,
  MAX_DATAGRAM_BYTES,
  type Path,
  type SendStream,
  type Unreached,
} from "../sfu/carrier.ts";
import { type Accept, ConnectionEnd, type EndOptions } from "./connection-end.ts";
import { MemoryPipe, type PipePort } from "./memory-stream.ts";
import { StreamOpener } from "./stream-opener.ts";
import { dialUrl, isServed, WRONG_PATH, withoutQuery } from "./url.ts";

/** One direction of an emulated network path. Times are on the scale of the clock the connection runs on. */
export interface LinkModel {
  /** When a datagram of `bytes` offered at `now` arrives; `undefined` when it is lost. */
  datagram(bytes: number, now: number): number | undefined;
  /** When a piece of a reliable stream offered at `now` arrives, repetitions included. */
  reliable(bytes: number, now: number): number;
  /** When what was to arrive at `at` does, as the link has become since, where that is later. */
  revised?(at: number): number;
}

/** What in-memory connections are made with. Without links everything arrives in the next turn of the event loop's jobs. */
export interface MemoryOptions extends EndOptions {
  /** The way from client to server. */
  readonly toServer?: LinkModel;
  /** The way from server to client. */
  readonly toClient?: LinkModel;
  /** What connections say that they are. Default: `memory`. */
  readonly carrier?: CarrierKind;
}

/** Both ends of one in-memory connection. */
export interface MemoryPair {
  readonly client: MemoryConnection;
  readonly server: MemoryConnection;
}

/** Makes one connection without a listener. The server's handlers are asked for first. */
export function memoryPair(options: MemoryOptions, client: Accept, server: Accept): MemoryPair {
  return join("https://memory/agtp", options, client, server);
}

/** A network in memory: connections between the carrier and the listeners of one instance. */
export class MemoryNetwork implements Carrier {
  readonly #options: MemoryOptions;
  readonly #listeners = new Map<string, MemoryListener>();

  constructor(options: MemoryOptions) {
    this.#options = options;
  }

  /** Listens on `address`, the `host:port` that URLs name. Throws `port-taken`. */
  listen(address: string, accept: Accept): Listener {
    if (this.#listeners.has(address))
      throw new ParleyError({ code: "port-taken", message: `Something listens on ${address} already.` });
    const listener = new MemoryListener(address, accept, () => this.#listeners.delete(address));
    this.#listeners.set(address, listener);
    return listener;
  }

  /** Throws `connect-refused` when nothing listens on the URL's host and port. Certificate hashes do not apply. */
  async connect(url: string, _options: ConnectOptions, handlers: Accept): Promise<Connection> {
    const dialled = dialUrl(url);
    const listener = this.#listeners.get(dialled.host);
    if (listener === undefined)
      throw new ParleyError({ code: "connect-refused", message: `Nothing listens at ${url}.` });
    const accept = isServed(dialled.href) ? listener.accept : undefined;
    const pair = join(dialled.href, this.#options, handlers, accept ?? (() => INERT));
    if (accept === undefined) pair.server.close(CLOSE_CODES.forbidden, WRONG_PATH);
    else listener.add(pair.server);
    return pair.client;
  }
}

class MemoryListener implements Listener {
  readonly address: string;
  readonly accept: Accept;
  readonly #gone: () => void;
  readonly #connections = new Set<MemoryConnection>();

  constructor(address: string, accept: Accept, gone: () => void) {
    this.address = address;
    this.accept = accept;
    this.#gone = gone;
  }

  add(connection: MemoryConnection): void {
    this.#connections.add(connection);
    connection.whenOver(() => this.#connections.delete(connection));
  }

  async close(): Promise<void> {
    this.#gone();
    for (const connection of this.#connections) connection.close(CLOSE_CODES.shutdown, "the server stops");
    this.#connections.clear();
  }
}

function join(url: string, options: MemoryOptions, client: Accept, server: Accept): MemoryPair {
  const ends = {
    client: new MemoryConnection("client", url, options, options.toServer),
    server: new MemoryConnection("server", withoutQuery(url), options, options.toClient),
  };
  ends.client.peer = ends.server;
  ends.server.peer = ends.client;
  ends.server.start(server);
  ends.client.start(client);
  return ends;
}

/** One end of an in-memory connection. */
export class MemoryConnection implements Connection {
  readonly carrier: CarrierKind;
  readonly url: string;
  readonly pinned = undefined;
  readonly choice = undefined;
  readonly peerAddress = undefined;
  /** `full`: `MAX_UNDER_WAY` were under way. Those the link lost are the link's to count. */
  readonly drops: DatagramDrops = { late: 0, full: 0 };
  readonly maxDatagram = MAX_DATAGRAM_BYTES;
  /** @internal */
  peer: MemoryConnection | undefined;
  readonly #role: "client" | "server";
  readonly #options: MemoryOptions;
  readonly #end: ConnectionEnd;
  readonly #link: LinkModel | undefined;
  readonly #streams: StreamOpener<SendStream>;
  readonly #exchanges: StreamOpener<DuplexStream>;
  readonly #pipes = new Set<MemoryPipe>();
  readonly #watchers: (() => void)[] = [];
  #underWay = 0;

  constructor(role: "client" | "server", url: string, options: MemoryOptions, link: LinkModel | undefined) {
    this.carrier = options.carrier ?? "memory";
    this.#role = role;
    this.url = url;
    this.#options = options;
    this.#link = link;
    this.#end = new ConnectionEnd(
      {
        send: (bytes) => this.sendDatagram(bytes),
        openStream: role === "server" ? () => this.openStream() : undefined,
        close: (code, reason) => {
          this.#carry(0, () => this.peer?.lose({ code, reason }));
          this.#over();
        },
      },
      options,
    );
    const uni = new Credit();
    this.#streams = new StreamOpener(options.clock, () => uni.take().then(() => this.#openStream(uni)));
    const bidi = new Credit();
    this.#exchanges = new StreamOpener(options.clock, () => bidi.take().then(() => this.#openExchange(bidi)));
  }

  get roundTrip(): number | undefined {
    return this.#end.liveness?.roundTrip;
  }

  get path(): Path | undefined {
    return this.#end.path;
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
    if (this.#underWay >= MAX_UNDER_WAY) {
      this.drops.full++;
      return "sent";
    }
    const copy = new Uint8Array(bytes);
    const arrive = (): void => {
      this.#underWay--;
      this.peer?.receive(copy);
    };
    if (this.#link === undefined) {
      this.#underWay++;
      queueMicrotask(arrive);
      return "sent";
    }
    const at = this.#link.datagram(bytes.length, this.#options.clock.now());
    if (at !== undefined) {
      this.#underWay++;
      this.#arrives(at, arrive);
    }
    return "sent";
  }

  probe(ms: number): Promise<Unreached | undefined> {
    return this.#end.probe(ms);
  }

  close(code: number, reason: string): void {
    this.#end.close(code, reason);
  }

  /** @internal Calls `over` once the connection has ended on this side. */
  whenOver(over: () => void): void {
    this.#watchers.push(over);
  }

  /** @internal A datagram arrives at this end. */
  receive(bytes: Uint8Array): void {
    this.#end.datagram(bytes);
  }

  /** @internal The peer's close arrives at this end. */
  lose(info: { readonly code: number; readonly reason: string }): void {
    this.#end.lost(info);
    this.#over();
  }

  #over(): void {
    this.#streams.fail(this.#end.refusal());
    this.#exchanges.fail(this.#end.refusal());
    for (const pipe of this.#pipes) pipe.wake();
    for (const watcher of this.#watchers.splice(0)) watcher();
  }

  #openStream(credit: Credit): SendStream {
    const peer = this.#alivePeer();
    const pipe = this.#pipe(peer, () => credit.give());
    this.#carry(0, () => peer.#end.stream(pipe));
    return pipe;
  }

  #openExchange(credit: Credit): DuplexStream {
    const peer = this.#alivePeer();
    let open = 2;
    const done = (): void => {
      if (--open === 0) credit.give();
    };
    const there = this.#pipe(peer, done);
    const back = peer.#pipe(this, done);
    this.#carry(0, () => peer.#end.exchange({ receive: there, send: back }));
    return { send: there, receive: back };
  }

  #alivePeer(): MemoryConnection {
    if (this.#end.closed || this.peer === undefined) throw this.#end.refusal();
    return this.peer;
  }

  #pipe(peer: MemoryConnection, done: () => void): MemoryPipe {
    // A stream's pieces keep their order whatever the link does to each.
    let last = 0;
    const port: PipePort = {
      carry: (bytes, deliver) => {
        last = this.#carry(bytes, deliver, last);
      },
      carryBack: (deliver) => {
        peer.#carry(0, deliver);
      },
      over: (end) => {
        const connection = end === "writer" ? this : peer;
        return connection.#end.closed ? connection.#end.refusal() : undefined;
      },
      done: () => {
        this.#pipes.delete(pipe);
        peer.#pipes.delete(pipe);
        done();
      },
    };
    const pipe: MemoryPipe = new MemoryPipe(port);
    this.#pipes.add(pipe);
    peer.#pipes.add(pipe);
    return pipe;
  }

  /** Delivers at the other end, not before `earliest`; returns when. */
  #carry(bytes: number, deliver: () => void, earliest = 0): number {
    const arrive = (): void => {
      const peer = this.peer;
      if (peer !== undefined) peer.#end.liveness?.heard();
      deliver();
    };
    if (this.#link === undefined) {
      queueMicrotask(arrive);
      return 0;
    }
    const at = Math.max(earliest, this.#link.reliable(bytes, this.#options.clock.now()));
    this.#arrives(at, arrive);
    return at;
  }

  /** Has something arrive at `at`, or later, where the link has it so by then. */
  #arrives(at: number, arrive: () => void): void {
    this.#options.clock.at(at, () => {
      const revised = this.#link?.revised?.(at) ?? at;
      if (revised > at) this.#arrives(revised, arrive);
      else arrive();
    });
  }
}

/** Streams of one kind that a peer lets be unfinished, as QUIC stacks do. */
class Credit {
  #left = MAX_UNFINISHED_STREAMS;
  readonly #waiting: (() => void)[] = [];

  take(): Promise<void> {
    if (this.#left > 0) {
      this.#left--;
      return Promise.resolve();
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  give(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#left++;
  }
}

/** For a connection that is refused: nothing of it reaches anybody. */
const INERT: ConnectionHandlers = { datagram() {}, stream() {}, exchange() {}, closed() {} };
/** Datagrams of one direction under way at once; a further one is dropped and counted. */
const MAX_UNDER_WAY = 16_384;
/** Unfinished streams of one kind and direction; a further opening waits. */
const MAX_UNFINISHED_STREAMS = 100;
