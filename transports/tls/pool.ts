import type { Clock } from "../../codecs/clock.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import {
  type Connection,
  type DatagramFate,
  type DuplexStream,
  MAX_DATAGRAM_BYTES,
  type SendStream,
  type Unreached,
} from "../../sfu/carrier.ts";
import { type Accept, ConnectionEnd, type EndOptions } from "../connection-end.ts";
import type { ByteSocket } from "./byte-socket.ts";
import { ClientLink, type LinkOwner } from "./client-link.ts";
import type { TlsMediaDoor } from "./media-door.ts";

/** Connections kept for the next request, at most. */
export const MAX_IDLE_LINKS = 4;
/**
 * Milliseconds for which one is kept: half of what Parley's servers wait under pressure unless told otherwise, so that a request
 * hardly ever meets a connection that is being closed.
 */
export const LINK_IDLE_MS = 5_000;
/** Connections that requests may have open at once; one more is refused with `capacity`. */
export const MAX_LINKS = 64;

/** What is known of a pool's server. */
export interface ServerFacts {
  readonly url: string;
  readonly pinned: Uint8Array | undefined;
  readonly choice: string | undefined;
}

/** A TLS connection whose handshake is through, and its channel binding, unless it is gone already. */
export interface ServerSocket {
  readonly socket: ByteSocket;
  readonly channelBinding: Uint8Array | undefined;
}

/** Makes one more TLS connection to the server; `signal` gives up. Throws as `Carrier.connect` does. */
export type DialServer = (signal: AbortSignal) => Promise<ServerSocket>;

/** A client's connection to one server: each exchange has a TLS connection for itself, which serves the next one after it. */
export class TlsPool implements Connection, LinkOwner {
  readonly carrier = "tls";
  readonly url: string;
  readonly pinned: Uint8Array | undefined;
  readonly choice: string | undefined;
  readonly peerAddress = undefined;
  readonly roundTrip = undefined;
  readonly drops = undefined;
  readonly maxDatagram = MAX_DATAGRAM_BYTES;
  readonly #clock: Clock;
  readonly media: TlsMediaDoor | undefined;
  readonly #dial: DialServer;
  readonly #end: ConnectionEnd;
  readonly #links = new Set<ClientLink>();
  /** The one used last comes last. */
  readonly #idle: { readonly link: ClientLink; readonly cancel: () => void }[] = [];
  readonly #giveUp = new AbortController();
  #dialling = 0;

  constructor(facts: ServerFacts, dial: DialServer, options: EndOptions, media?: TlsMediaDoor) {
    this.url = facts.url;
    this.pinned = facts.pinned;
    this.choice = facts.choice;
    this.#clock = options.clock;
    this.#dial = dial;
    this.media = media;
    this.#end = new ConnectionEnd(
      { send: () => {}, close: (code, reason) => this.#closeAll(code, reason) },
      { ...options, liveness: false },
    );
  }

  /** @internal `first`: a connection that was dialled already. */
  start(accept: Accept, first?: ServerSocket): void {
    if (first !== undefined) this.free(new ClientLink(first, this));
    this.#end.startWithoutPings(this, accept);
  }

  /** An exchange on a connection that is free, otherwise on a new one. Throws `capacity`, and as `Carrier.connect` does. */
  async openExchange(): Promise<DuplexStream> {
    this.#check();
    if (this.#idle.length > 0) {
      // A server that closes after each answer has said so by then.
      await new Promise<void>((resolve) => setImmediate(resolve));
      this.#check();
    }
    for (let kept = this.#idle.pop(); kept !== undefined; kept = this.#idle.pop()) {
      kept.cancel();
      if (kept.link.isFree) return kept.link.open();
    }
    return (await this.#dialOne()).open();
  }

  openStream(): Promise<SendStream> {
    return Promise.reject(
      this.#end.closed
        ? this.#end.refusal()
        : new ParleyError({ code: "usage", message: "Media over TLS has connections of its own." }),
    );
  }

  sendDatagram(_bytes: Uint8Array): DatagramFate {
    return "closed";
  }

  probe(ms: number): Promise<Unreached | undefined> {
    return this.#end.probe(ms);
  }

  close(code: number, reason: string): void {
    this.#end.close(code, reason);
  }

  /** @internal */
  free(link: ClientLink): void {
    this.#links.add(link);
    const cancel = this.#clock.at(this.#clock.now() + LINK_IDLE_MS, () => this.#letGo(link));
    this.#idle.push({ link, cancel });
    if (this.#idle.length > MAX_IDLE_LINKS) this.#letGo(this.#idle[0]?.link);
  }

  /** @internal */
  ended(link: ClientLink): void {
    this.#links.delete(link);
    this.#forget(link);
  }

  #letGo(link: ClientLink | undefined): void {
    link?.close(this.#end.closed ? this.#end.refusal() : kept());
  }

  #forget(link: ClientLink): void {
    const index = this.#idle.findIndex((one) => one.link === link);
    if (index >= 0) this.#idle.splice(index, 1)[0]?.cancel();
  }

  async #dialOne(): Promise<ClientLink> {
    if (this.#links.size + this.#dialling >= MAX_LINKS)
      throw new ParleyError({ code: "capacity", message: `${MAX_LINKS} requests are under way already.` });
    this.#dialling++;
    try {
      const link = new ClientLink(await this.#dial(this.#giveUp.signal), this);
      if (this.#end.closed) link.close(this.#end.refusal());
      this.#check();
      this.#links.add(link);
      return link;
    } catch (error) {
      this.#check();
      throw error;
    } finally {
      this.#dialling--;
    }
  }

  #check(): void {
    if (this.#end.closed) throw this.#end.refusal();
  }

  #closeAll(code: number, reason: string): void {
    this.#giveUp.abort();
    for (const { cancel } of this.#idle.splice(0)) cancel();
    for (const link of this.#links) link.close(this.#end.refusal());
    this.media?.close(code, reason, this.#end.refusal());
  }
}

function kept(): ParleyError {
  return new ParleyError({ code: "closed", message: "The connection was kept long enough." });
}
