import type { Clock } from "../../codecs/clock.ts";
import type { ParleyError } from "../../codecs/parley-error.ts";
import type { CloseInfo, DatagramDrops, DuplexStream, ReceiveStream, SendStream } from "../../sfu/carrier.ts";
import { DatagramQueue } from "./datagram-queue.ts";
import { Flight } from "./flight.ts";
import { decodeFrame, encodeFrame, MAX_CHUNK_BYTES, type MuxFrame, type StreamKind } from "./frames.ts";
import { ReceiveHalf, SendHalf, type SendPort } from "./mux-stream.ts";

/** Unfinished streams of one kind that a peer may have open. */
export const MAX_UNFINISHED_STREAMS = 100;
/** Messages taken after which the peer is told at once: the least window holds as many, and timers may be slow. */
export const FEEDBACK_MESSAGES = 2;
/** Milliseconds after which the peer is told in any case. */
export const FEEDBACK_MS = 50;

/** What a multiplexer does to the world. */
export interface MuxPort {
  /** Hands one message to the socket. The bytes are the socket's from then on. */
  send(message: Uint8Array): void;
  /** A datagram came; `bytes` is valid during the call only. */
  datagram(bytes: Uint8Array): void;
  stream(stream: ReceiveStream): void;
  exchange(stream: DuplexStream): void;
  /** The peer said that it closes the connection. */
  closed(info: CloseInfo): void;
  /** The peer broke the rules: close the connection. */
  violated(why: string): void;
  /** Why the connection is over; `undefined` while it is not. */
  over(): ParleyError | undefined;
}

/**
 * Exchanges, streams and datagrams over one ordered channel of messages. Both ends run the same code; clients open exchanges.
 * Stream identifiers are QUIC's (RFC 9000, section 2.1): the lowest bit names the opener, the next one the kind.
 * @internal
 */
export class Mux {
  readonly #role: "client" | "server";
  readonly #clock: Clock;
  readonly #port: MuxPort;
  readonly #flight = new Flight();
  readonly #datagrams = new DatagramQueue();
  readonly #sending = new Map<number, SendHalf>();
  readonly #receiving = new Map<number, ReceiveHalf>();
  readonly #opened = { exchange: 0, stream: 0 };
  readonly #allowed = { exchange: MAX_UNFINISHED_STREAMS, stream: MAX_UNFINISHED_STREAMS };
  readonly #openers: Record<StreamKind, (() => void)[]> = { exchange: [], stream: [] };
  readonly #theirs = {
    exchange: { opened: 0, done: 0, allowed: MAX_UNFINISHED_STREAMS },
    stream: { opened: 0, done: 0, allowed: MAX_UNFINISHED_STREAMS },
  };
  /** Bytes of datagram and data messages that came. */
  #taken = 0;
  /** Messages that came since the peer was told. */
  #untold = 0;
  #cancelFeedback: (() => void) | undefined;
  #isPumping = false;

  constructor(role: "client" | "server", clock: Clock, port: MuxPort) {
    this.#role = role;
    this.#clock = clock;
    this.#port = port;
  }

  /** Datagrams dropped before they reached the socket. */
  get drops(): DatagramDrops {
    return this.#datagrams.drops;
  }

  /** One message from the peer. */
  receive(message: Uint8Array): void {
    const decoded = decodeFrame(message);
    if (!decoded.ok) {
      this.#port.violated(decoded.fault.message);
      return;
    }
    const frame = decoded.value;
    if (frame.type === "datagram" || frame.type === "data") this.#count(message.length);
    const wrong = this.#take(frame);
    if (wrong !== undefined) this.#port.violated(wrong);
  }

  /** Sends a datagram, or lets it wait for as long as it is of use. Copies. */
  sendDatagram(bytes: Uint8Array): void {
    this.#datagrams.add(encodeFrame({ type: "datagram", bytes }), this.#clock.now());
    this.#pump();
  }

  /** Opens a unidirectional stream as soon as the peer allows one more. */
  async openStream(): Promise<SendStream> {
    const id = await this.#open("stream");
    const half = this.#sendHalf(id, () => {});
    this.#send({ type: "open", stream: id });
    return half;
  }

  /** Opens an exchange as soon as the peer allows one more. Clients only. */
  async openExchange(): Promise<DuplexStream> {
    const id = await this.#open("exchange");
    const exchange = { receive: this.#receiveHalf(id, () => {}), send: this.#sendHalf(id, () => {}) };
    this.#send({ type: "open", stream: id });
    return exchange;
  }

  /** Tells the peer that this side closes. Nothing may be sent after it. */
  close(code: number, reason: string): void {
    this.#send({ type: "close", code, reason });
  }

  /** The connection is over: everybody who waits looks again. */
  end(): void {
    this.#cancelFeedback?.();
    for (const half of this.#sending.values()) half.wake();
    for (const half of this.#receiving.values()) half.wake();
    for (const kind of ["exchange", "stream"] as const)
      for (const opener of this.#openers[kind].splice(0)) opener();
  }

  /** Returns what is wrong with the frame. */
  #take(frame: MuxFrame): string | undefined {
    switch (frame.type) {
      case "datagram":
        this.#port.datagram(frame.bytes);
        return undefined;
      case "open":
        return this.#openedByPeer(frame.stream);
      case "data": {
        const half = this.#receiving.get(frame.stream);
        if (half === undefined) return "data for a stream that is not open";
        return half.chunk(frame.bytes) ? undefined : "a stream carries more than its credit";
      }
      case "finish":
      case "reset": {
        const half = this.#receiving.get(frame.stream);
        if (half === undefined) return "the end of a stream that is not open";
        return half.end(frame.type === "finish" ? "finished" : { code: frame.code })
          ? undefined
          : "a stream ends twice";
      }
      case "stop":
        if (!this.#mayAnswer(frame.stream)) return "a stop for a stream that never was";
        this.#sending.get(frame.stream)?.stopped(frame.code);
        return undefined;
      case "credit":
        if (!this.#mayAnswer(frame.stream)) return "credit for a stream that never was";
        return this.#sending.get(frame.stream)?.credit(frame.limit) === false
          ? "credit taken back"
          : undefined;
      case "streams":
        return this.#allow(frame.kind, frame.limit);
      case "taken":
        if (!this.#flight.taken(frame.total, this.#clock.now()))
          return "feedback on bytes that were never sent";
        this.#pump();
        return undefined;
      case "close":
        this.#port.closed({ code: frame.code, reason: frame.reason });
        return undefined;
    }
  }

  #openedByPeer(id: number): string | undefined {
    const kind = kindOf(id);
    if (openerOf(id) === this.#role) return "a stream opened in the other side's name";
    if (kind === "exchange" && this.#role === "client") return "only clients open exchanges";
    const theirs = this.#theirs[kind];
    if (indexOf(id) !== theirs.opened) return "streams are opened in their order";
    if (theirs.opened >= theirs.allowed) return "more streams than are allowed";
    theirs.opened++;
    if (kind === "stream") {
      this.#port.stream(this.#receiveHalf(id, () => this.#done(kind)));
      return undefined;
    }
    let open = 2;
    const halfDone = (): void => {
      if (--open === 0) this.#done(kind);
    };
    const send = this.#sendHalf(id, halfDone);
    this.#port.exchange({ receive: this.#receiveHalf(id, halfDone), send });
    return undefined;
  }

  /** One stream of the peer's is done with: it may open another. */
  #done(kind: StreamKind): void {
    const theirs = this.#theirs[kind];
    theirs.done++;
    if (theirs.allowed - theirs.opened > MAX_UNFINISHED_STREAMS / 2) return;
    theirs.allowed = theirs.done + MAX_UNFINISHED_STREAMS;
    this.#send({ type: "streams", kind, limit: theirs.allowed });
  }

  #allow(kind: StreamKind, limit: number): string | undefined {
    if (limit < this.#allowed[kind]) return "allowed streams taken back";
    if (limit > this.#opened[kind] + MAX_UNFINISHED_STREAMS)
      return "more streams allowed than may be unfinished";
    this.#allowed[kind] = limit;
    for (const opener of this.#openers[kind].splice(0, limit - this.#opened[kind])) opener();
    return undefined;
  }

  async #open(kind: StreamKind): Promise<number> {
    while (this.#opened[kind] >= this.#allowed[kind]) {
      const over = this.#port.over();
      if (over) throw over;
      await new Promise<void>((resolve) => this.#openers[kind].push(resolve));
    }
    const over = this.#port.over();
    if (over) throw over;
    return idOf(this.#role, kind, this.#opened[kind]++);
  }

  #sendHalf(id: number, done: () => void): SendHalf {
    const end = (frame: MuxFrame): void => {
      this.#sending.delete(id);
      this.#send(frame);
      done();
    };
    const port: SendPort = {
      pump: () => this.#pump(),
      finish: () => end({ type: "finish", stream: id }),
      reset: (code) => end({ type: "reset", stream: id, code }),
      over: () => this.#port.over(),
    };
    const half = new SendHalf(port);
    this.#sending.set(id, half);
    return half;
  }

  #receiveHalf(id: number, done: () => void): ReceiveHalf {
    const half = new ReceiveHalf({
      credit: (limit) => this.#send({ type: "credit", stream: id, limit }),
      stop: (code) => this.#send({ type: "stop", stream: id, code }),
      done: () => {
        this.#receiving.delete(id);
        done();
      },
      over: () => this.#port.over(),
    });
    this.#receiving.set(id, half);
    return half;
  }

  /** Whether the peer may say something about what this side sends on the stream, be that over by now. */
  #mayAnswer(id: number): boolean {
    const kind = kindOf(id);
    if (openerOf(id) === this.#role) return indexOf(id) < this.#opened[kind];
    return kind === "exchange" && indexOf(id) < this.#theirs[kind].opened;
  }

  /** Counts what came and tells the peer, soon enough for it to go on. */
  #count(bytes: number): void {
    this.#taken += bytes;
    if (++this.#untold >= FEEDBACK_MESSAGES) this.#tell();
    else
      this.#cancelFeedback ??= this.#clock.at(this.#clock.now() + FEEDBACK_MS, () => {
        this.#cancelFeedback = undefined;
        this.#tell();
      });
  }

  #tell(): void {
    this.#cancelFeedback?.();
    this.#cancelFeedback = undefined;
    this.#untold = 0;
    this.#send({ type: "taken", total: this.#taken });
  }

  /** Sends what may go now: datagrams first, then a chunk of each stream in turn. */
  #pump(): void {
    if (this.#isPumping || this.#port.over()) return;
    this.#isPumping = true;
    let fate: "sent" | "full" | "idle";
    do fate = this.#sendOne();
    while (fate === "sent");
    if (fate === "idle") this.#flight.idle();
    this.#isPumping = false;
  }

  #sendOne(): "sent" | "full" | "idle" {
    const now = this.#clock.now();
    if (!this.#datagrams.isEmpty) {
      if (!this.#flight.takesDatagram) return "full";
      const datagram = this.#datagrams.next(now);
      if (datagram !== undefined) this.#sendCounted(datagram, now);
      return "sent";
    }
    for (const [id, half] of this.#sending) {
      const length = Math.min(half.ready, this.#flight.chunk, MAX_CHUNK_BYTES);
      if (length === 0) continue;
      if (!this.#flight.takesChunk) return "full";
      this.#sendCounted(encodeFrame({ type: "data", stream: id, bytes: half.take(length) }), now);
      // To the end of the line: the others' turn.
      this.#sending.delete(id);
      this.#sending.set(id, half);
      return "sent";
    }
    return "idle";
  }

  #sendCounted(message: Uint8Array, now: number): void {
    this.#flight.sent(message.length, now);
    this.#port.send(message);
  }

  #send(frame: MuxFrame): void {
    this.#port.send(encodeFrame(frame));
  }
}

function idOf(role: "client" | "server", kind: StreamKind, index: number): number {
  return index * 4 + (kind === "stream" ? 2 : 0) + (role === "server" ? 1 : 0);
}

function kindOf(id: number): StreamKind {
  return id % 4 >= 2 ? "stream" : "exchange";
}

function openerOf(id: number): "client" | "server" {
  return id % 2 === 0 ? "client" : "server";
}

function indexOf(id: number): number {
  return Math.floor(id / 4);
}
