import type { Duplex } from "node:stream";
import type { Clock } from "../../codecs/clock.ts";
import { MessageReader } from "../../codecs/message-reader.ts";
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
import { UnreadBytes } from "../mux/unread-bytes.ts";
import { type ByteOwner, ByteSocket } from "./byte-socket.ts";
import type { TlsCounters } from "./counters.ts";
import { MediaChannel } from "./media-channel.ts";
import { ServerExchange } from "./server-exchange.ts";

/** Bytes of requests that wait for the answer of the one before, past which the socket is not read. */
export const MAX_PIPELINED_BYTES = 64 * 1024;
/** Milliseconds without a request after which a connection is closed, unless told otherwise. */
export const IDLE_TIMEOUT = 60_000;
/** Its answers go on until the client leaves: one that has ended its direction can ask elsewhere only, and so has left. */
const ENDLESS = "SUBSCRIBE";
/** Milliseconds after which an idle connection looks again how long it may be idle: under pressure that is less. */
const IDLE_LOOK_MS = 5_000;

/** What is known of a TLS connection besides its bytes. */
export interface TlsFacts {
  /** What its client dialled, as this side knows it, e.g. `https://127.0.0.1:4480/agtp`. */
  readonly url: string;
  /** `host:port` of the peer. */
  readonly peerAddress?: string | undefined;
  /** Bytes of the client's that were read already. */
  readonly head?: Uint8Array | undefined;
}

export interface TlsServerOptions extends EndOptions {
  /** How long a connection may be without a request now, ms. Default: `IDLE_TIMEOUT`. */
  readonly idleTimeout?: () => number;
  /** Counts here how connections ended. */
  readonly counters?: TlsCounters;
}

/** What the handshake proved. */
export interface TlsBinding {
  readonly channelBinding: Uint8Array | undefined;
  readonly peerKey: Uint8Array | undefined;
  readonly peerCertificates: readonly Uint8Array[];
}

/**
 * The server's end of one TLS connection: requests in the order in which they come, each answered before the next is looked at,
 * until the owner makes it one for media.
 */
export class TlsServerConnection implements Connection, ByteOwner {
  readonly carrier = "tls";
  readonly url: string;
  readonly pinned = undefined;
  readonly choice = undefined;
  readonly peerAddress: string | undefined;
  readonly channelBinding: Uint8Array | undefined;
  readonly peerKey: Uint8Array | undefined;
  readonly peerCertificates: readonly Uint8Array[];
  readonly maxDatagram = MAX_DATAGRAM_BYTES;
  readonly #clock: Clock;
  readonly #end: ConnectionEnd;
  readonly #socket: ByteSocket;
  readonly #idleTimeout: () => number;
  readonly #counters: TlsCounters | undefined;
  readonly #reader = new MessageReader("request");
  /** What came behind the request that is being answered. */
  readonly #waiting = new UnreadBytes();
  #waitingBytes = 0;
  #exchange: ServerExchange | undefined;
  /** An answer went out in this turn: whether requests or media follow is the owner's word. */
  #isTurning = false;
  /** The peer will send no more. */
  #isEnded = false;
  /** The answer that is going out makes this a connection for media. */
  #becomesMedia = false;
  #channel: MediaChannel | undefined;
  #cancelIdle: (() => void) | undefined;

  constructor(duplex: Duplex, facts: TlsFacts, binding: TlsBinding, options: TlsServerOptions) {
    this.url = facts.url;
    this.peerAddress = facts.peerAddress;
    this.channelBinding = binding.channelBinding;
    this.peerKey = binding.peerKey;
    this.peerCertificates = binding.peerCertificates;
    this.#clock = options.clock;
    this.#idleTimeout = options.idleTimeout ?? (() => IDLE_TIMEOUT);
    this.#counters = options.counters;
    this.#socket = new ByteSocket(duplex, options.clock);
    this.#end = new ConnectionEnd(
      {
        send: (bytes) => this.#channel?.muxed.sendDatagram(bytes),
        openStream: () => this.openStream(),
        close: (code, reason) => {
          if (code === CLOSE_CODES.overloaded) this.#count("overloaded");
          this.#channel?.muxed.close(code, reason);
          this.#over();
        },
      },
      options,
    );
  }

  get media(): undefined {
    return undefined;
  }

  get roundTrip(): number | undefined {
    return this.#end.liveness?.roundTrip;
  }

  get drops(): Readonly<DatagramDrops> | undefined {
    return this.#channel?.muxed.drops;
  }

  /** @internal */
  start(accept: Accept, head?: Uint8Array): void {
    this.#socket.start(this);
    this.#end.startWithoutPings(this, accept);
    if (this.#end.closed) return;
    this.#idle();
    if (head !== undefined) this.data(head);
  }

  openExchange(): Promise<DuplexStream> {
    return Promise.reject(new ParleyError({ code: "usage", message: "Only clients open exchanges." }));
  }

  openStream(): Promise<SendStream> {
    if (this.#channel !== undefined) return this.#channel.muxed.openStream();
    return Promise.reject(this.#end.closed ? this.#end.refusal() : noMedia());
  }

  sendDatagram(bytes: Uint8Array): DatagramFate {
    return this.#channel?.muxed.sendDatagram(bytes) ?? "closed";
  }

  probe(ms: number): Promise<Unreached | undefined> {
    return this.#end.probe(ms);
  }

  /** Nothing where it came to that already, or the connection is over. An answer that is still going out is waited for. */
  beginMedia(): void {
    if (this.#end.closed || this.#channel !== undefined) return;
    if (this.#exchange !== undefined) {
      this.#becomesMedia = true;
      return;
    }
    this.#cancelIdle?.();
    this.#cancelIdle = undefined;
    const channel = new MediaChannel("server", this.#socket, this.#end, this.#clock);
    this.#channel = channel;
    this.#socket.resume();
    this.#end.startPings();
    // What came behind the answer's request was for this.
    for (let bytes = this.#waiting.take(); bytes !== undefined; bytes = this.#waiting.take())
      if (!this.#end.closed) channel.data(bytes);
    this.#waitingBytes = 0;
    if (this.#isEnded) this.ended();
  }

  close(code: number, reason: string): void {
    this.#end.close(code, reason);
  }

  /** @internal */
  data(bytes: Uint8Array): void {
    if (this.#end.closed) return;
    if (this.#channel !== undefined) {
      this.#channel.data(bytes);
      return;
    }
    const rest = this.#isTurning || this.#waitingBytes > 0 ? bytes : this.#take(bytes);
    if (rest.length > 0 && !this.#end.closed) {
      this.#waiting.add(rest);
      this.#waitingBytes += rest.length;
    }
    this.#flow();
  }

  /** @internal */
  ended(): void {
    this.#isEnded = true;
    if (this.#channel === undefined) this.#lookAtEnd();
    else this.#broke("the peer left without a word");
  }

  /** @internal */
  stalled(): void {
    this.#end.close(CLOSE_CODES.overloaded, "the peer does not read");
  }

  /** @internal */
  gone(why: string): void {
    this.#broke(why);
  }

  /** Hands bytes to the request that is arriving, or to the next; returns those that belong to neither. */
  #take(bytes: Uint8Array): Uint8Array {
    let rest = bytes;
    while (rest.length > 0 && !this.#end.closed) {
      if (this.#exchange === undefined) this.#open();
      const exchange = this.#exchange as ServerExchange | undefined;
      if (exchange === undefined) break;
      if (!exchange.isArriving) return exchange.isWhole ? rest : NOTHING;
      const length = this.#reader.pushOne(rest);
      exchange.add(rest.subarray(0, length));
      rest = rest.subarray(length);
      const request = this.#reader.next();
      if (request !== undefined) exchange.whole(request.method === ENDLESS);
      else if (this.#reader.fault !== undefined) {
        this.#count("malformed");
        exchange.malformed();
      }
    }
    return NOTHING;
  }

  #open(): void {
    this.#cancelIdle?.();
    this.#cancelIdle = undefined;
    const exchange = new ServerExchange(
      {
        write: (bytes) => this.#socket.write(bytes),
        taken: () => this.#flow(),
        // Later: the last answer may have been the first.
        began: () => setImmediate(() => this.#lookAtEnd()),
        answered: () => this.#answered(exchange),
        reset: () => {
          this.#count("brokenOff");
          this.#broke("an exchange was broken off", true);
        },
        refusal: () => this.#end.refusal(),
      },
      this.channelBinding,
    );
    this.#exchange = exchange;
    this.#end.exchange(exchange);
  }

  /** The last answer to a request went out. */
  #answered(exchange: ServerExchange): void {
    this.#exchange = undefined;
    if (this.#end.closed) return;
    if (!exchange.isWhole) {
      // Where the next request would begin is not known.
      this.#end.close(CLOSE_CODES.protocolViolation, "a request was malformed, or not there in time");
      return;
    }
    if (this.#becomesMedia) {
      this.beginMedia();
      return;
    }
    this.#isTurning = true;
    setImmediate(() => {
      this.#isTurning = false;
      this.#next();
    });
  }

  #next(): void {
    if (this.#end.closed || this.#channel !== undefined) return;
    while (this.#waitingBytes > 0 && (this.#exchange === undefined || this.#exchange.isArriving)) {
      const bytes = this.#waiting.take();
      if (bytes === undefined) break;
      const rest = this.#take(bytes);
      if (this.#end.closed) return;
      this.#waitingBytes -= bytes.length - rest.length;
      if (rest.length > 0) {
        this.#waiting.putBack(rest);
        break;
      }
    }
    this.#flow();
    if (this.#exchange === undefined) this.#idle();
    this.#lookAtEnd();
  }

  /** Once the peer has said everything: what it asked is answered, what it left unfinished is dropped. */
  #lookAtEnd(): void {
    if (!this.#isEnded || this.#end.closed || this.#isTurning) return;
    if (this.#exchange === undefined) {
      if (this.#waitingBytes > 0) return;
      // All it asked was answered: this is how a client says that it has no more to ask.
      this.#end.lost({ code: CLOSE_CODES.normal, reason: "the peer is done" });
      this.#over();
    } else if (this.#exchange.isArriving) {
      this.#count("cutShort");
      this.#broke("the peer left inside a request", true);
    } else if (this.#exchange.isEndless) {
      // Its kernel says no more than this when a process is killed.
      this.#broke("the peer left while it was being told");
    }
  }

  /** Reads on while there is room for what comes, and what comes is anybody's. */
  #flow(): void {
    if (this.#end.closed) return;
    const exchange = this.#exchange;
    const isFull =
      this.#waitingBytes >= MAX_PIPELINED_BYTES ||
      (exchange?.isArriving === true && exchange.isFull) ||
      exchange?.isGivenUp === true;
    if (isFull) this.#socket.pause();
    else this.#socket.resume();
  }

  #idle(): void {
    const since = this.#clock.now();
    const look = (): void => {
      const left = since + this.#idleTimeout() - this.#clock.now();
      if (left > 0) {
        this.#cancelIdle = this.#clock.at(this.#clock.now() + Math.min(left, IDLE_LOOK_MS), look);
        return;
      }
      this.#count("idle");
      this.#end.close(CLOSE_CODES.normal, "no request for too long");
    };
    look();
  }

  #count(what: keyof TlsCounters): void {
    if (this.#counters !== undefined) this.#counters[what]++;
  }

  /** Over, and by nobody's word. */
  #broke(reason: string, atOnce = false): void {
    this.#end.lost({ code: CLOSE_CODES.normal, reason, isLost: true });
    this.#over(atOnce);
  }

  #over(atOnce = false): void {
    this.#cancelIdle?.();
    this.#cancelIdle = undefined;
    this.#waiting.clear();
    this.#waitingBytes = 0;
    this.#exchange?.lost();
    this.#exchange = undefined;
    this.#channel?.muxed.over();
    if (atOnce) this.#socket.destroy();
    else this.#socket.end();
  }
}

function noMedia(): ParleyError {
  return new ParleyError({ code: "usage", message: "A connection for requests has no streams." });
}

const NOTHING = new Uint8Array();
