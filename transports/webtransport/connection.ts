import { ParleyError } from "../../codecs/parley-error.ts";
import {
  CLOSE_CODES,
  type CloseInfo,
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
import { StreamOpener } from "../stream-opener.ts";
import type { NativeSession } from "./native.ts";
import { plainBytes } from "./plain-bytes.ts";
import { readsAfter } from "./reads-after.ts";
import { duplexOf, type StreamPort, WebTransportReceiveStream, WebTransportSendStream } from "./streams.ts";

/** What is known of a session besides itself. */
export interface SessionFacts {
  readonly role: "client" | "server";
  /** The URL the client dialled, as this side knows it. */
  readonly url: string;
  /** SHA-256 of the certificate that was pinned. */
  readonly pinned?: Uint8Array | undefined;
  /** Why it is this carrier. */
  readonly choice?: string | undefined;
  /** What is dropped before the stack has it. Default: nothing is; the stack drops what waits too long without a word. */
  readonly drops?: Readonly<DatagramDrops> | undefined;
  /** Calls what asks for the next datagrams when they may be asked for. Default: as soon as those that came are done with. */
  readonly beforeNext?: ((next: () => void) => void) | undefined;
  /** How many datagrams may be asked for at once now. Default: one, which keeps their order. */
  readonly mostReads?: (() => number) | undefined;
}

/** A WebTransport session as a `Connection`. The stack tells neither the peer's address nor its round trip. */
export class WebTransportConnection implements Connection {
  readonly carrier = "webtransport";
  readonly url: string;
  readonly pinned: Uint8Array | undefined;
  readonly choice: string | undefined;
  readonly peerAddress = undefined;
  readonly drops: Readonly<DatagramDrops> | undefined;
  /** Resolves when the stack has said its last word to the peer: after `close`, once code and reason went out. */
  readonly ended: Promise<void>;
  readonly #session: NativeSession;
  readonly #role: "client" | "server";
  readonly #beforeNext: (next: () => void) => void;
  readonly #mostReads: () => number;
  readonly #end: ConnectionEnd;
  readonly #streamPort: StreamPort;
  readonly #streams: StreamOpener<SendStream>;
  readonly #exchanges: StreamOpener<DuplexStream>;
  /** The peer's transport takes datagrams: one was accepted for sending. */
  #takesDatagrams = false;
  /** Datagrams asked for, those that came since the last time included. */
  #asked = 0;
  /** Of those, the ones that came. */
  #came = 0;
  /** How many are asked for at once. */
  #reads = 1;

  constructor(session: NativeSession, facts: SessionFacts, options: EndOptions) {
    this.#session = session;
    this.#role = facts.role;
    // Browsers have it called on nothing but the global object.
    this.#beforeNext = facts.beforeNext ?? ((next) => queueMicrotask(next));
    this.#mostReads = facts.mostReads ?? (() => 1);
    this.url = facts.url;
    this.pinned = facts.pinned;
    this.drops = facts.drops;
    this.choice = facts.choice;
    this.#end = new ConnectionEnd(
      {
        send: (bytes) => this.#sendOwn(bytes),
        openStream: facts.role === "server" ? () => this.openStream() : undefined,
        close: (code, reason) => session.close(code, reason),
      },
      options,
    );
    const end = this.#end;
    this.#streamPort = {
      heard: () => end.liveness?.heard(),
      over: () => (end.closed ? end.refusal() : undefined),
    };
    this.#streams = new StreamOpener(options.clock, () =>
      this.#open(async () => new WebTransportSendStream(await session.openUni(), this.#streamPort)),
    );
    this.#exchanges = new StreamOpener(options.clock, () =>
      this.#open(async () => duplexOf(await session.openBi(), this.#streamPort)),
    );
    // Asked from the start: what fails with the session is to find the stack's word on it, and not its own.
    this.ended = session.closed().then((info) => {
      end.lost(closeInfo(info.closeCode, info.reason));
      this.#streams.fail(end.refusal());
      this.#exchanges.fail(end.refusal());
    });
  }

  get roundTrip(): number | undefined {
    return this.#end.liveness?.roundTrip;
  }

  get path(): Path | undefined {
    return this.#end.path;
  }

  get maxDatagram(): number {
    if (!this.#takesDatagrams || this.#end.closed) return MAX_DATAGRAM_BYTES;
    return Math.min(MAX_DATAGRAM_BYTES, this.#session.maxDatagramSize());
  }

  /** @internal Takes the owner's handlers and begins to read. */
  start(accept: Accept): void {
    this.#end.start(this, accept);
    this.#askForDatagrams();
    void this.#pumpStreams();
    // Clients open every exchange; one that a server opened stays unread.
    if (this.#role === "server") void this.#pumpExchanges();
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
    try {
      // Checked by the stack against what the path takes at this moment: a fresh connection may take less than later.
      this.#session.sendDatagram(bytes);
      return "sent";
    } catch (error) {
      return textOf(error).includes("too large") ? "too-large" : "closed";
    }
  }

  probe(ms: number): Promise<Unreached | undefined> {
    return this.#end.probe(ms);
  }

  close(code: number, reason: string): void {
    this.#end.close(code, reason);
  }

  #sendOwn(bytes: Uint8Array): void {
    try {
      this.#session.sendDatagram(bytes);
      this.#takesDatagrams = true;
    } catch (error) {
      // When the session is over already, the stack's own word on it follows.
      if (!this.#takesDatagrams && NO_DATAGRAMS.test(textOf(error)))
        this.close(CLOSE_CODES.protocolViolation, "datagrams are required");
    }
  }

  async #open<T>(open: () => Promise<T>): Promise<T> {
    try {
      return await open();
    } catch (error) {
      throw this.#end.closed ? this.#end.refusal() : lost(error);
    }
  }

  /** These two are made once: a function of its own for each datagram would be one more thing to collect. */
  readonly #askForDatagrams = (): void => {
    if (this.#came > 0) this.#reads = readsAfter(this.#came, this.#asked, this.#mostReads());
    this.#asked -= this.#came;
    this.#came = 0;
    while (!this.#end.closed && this.#asked < this.#reads) {
      this.#asked += 1;
      this.#session.recvDatagram().then(this.#takeDatagram, sessionIsOver);
    }
  };

  readonly #takeDatagram = (data: Uint8Array): void => {
    this.#came += 1;
    if (this.#came === 1) this.#beforeNext(this.#askForDatagrams);
    this.#end.datagram(plainBytes(data));
  };

  async #pumpStreams(): Promise<void> {
    try {
      while (!this.#end.closed)
        this.#end.stream(new WebTransportReceiveStream(await this.#session.acceptUni(), this.#streamPort));
    } catch {
      // As above.
    }
  }

  async #pumpExchanges(): Promise<void> {
    try {
      while (!this.#end.closed)
        this.#end.exchange(duplexOf(await this.#session.acceptBi(), this.#streamPort));
    } catch {
      // As above.
    }
  }
}

/** `closed` says why. */
function sessionIsOver(): void {}

/** What sending says when the peer takes no datagrams, or none as large as a ping. */
const NO_DATAGRAMS = /datagrams? (not supported|support disabled|too large)/;

/** The stack gives an application's close as it was, and everything else as code 0 with its own text. */
function closeInfo(code: number, reason: string): CloseInfo {
  if (code === 0 && reason === "connection error: timed out")
    return { code: CLOSE_CODES.livenessTimeout, reason: "the connection timed out" };
  return { code, reason };
}

function lost(error: unknown): ParleyError {
  return new ParleyError(
    { code: "connection-lost", message: `The connection ended: ${textOf(error)}.` },
    { cause: error },
  );
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
