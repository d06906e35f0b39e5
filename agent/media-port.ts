import type { Clock } from "../codecs/clock.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import { encodeStreamItems, encodeStreamStart, StreamItemReader } from "../codecs/stream-items.ts";
import type { ArrivedPiece } from "../codecs/unit-stream.ts";
import { readVarint, varintLength } from "../codecs/varint.ts";
import {
  CLOSE_CODES,
  type Connection,
  type DatagramFate,
  type ReceiveStream,
  type SendStream,
} from "../sfu/carrier.ts";
import { readItems } from "../sfu/item-streams.ts";
import { UnitCaps } from "../sfu/unit-caps.ts";
import { type UnitInlet, UnitReader } from "../sfu/unit-reader.ts";
import { readStreamStart, readUnit } from "../sfu/unit-streams.ts";

/** Packets of flows nobody has claimed yet that are held for it; the oldest goes when full. */
const HELD_PACKETS = 256;
/** How long a packet of an unclaimed flow is held, and a stream of one waits, unread, ms. */
const HOLD_MS = 6_000;
/** Flows given up that are remembered, so that nothing of theirs waits any more; the oldest is forgotten. */
const RELEASED_FLOWS = 256;
/** Items, or pieces of them, waiting to be written to one outgoing stream; beyond it the stream is given up and its items counted. */
const OUTGOING_ITEMS = 1024;

/** Takes what arrives on one flow. */
export interface FlowSink {
  /** One datagram with its flow identifier; valid only during the call. `held`: milliseconds that it waited for the flow to be claimed. */
  datagram(bytes: Uint8Array, held: number): void;
  /**
   * One item of a reliable stream; valid only during the call. Until a promise it returns resolves, the stream is not read on; if
   * it rejects with a `ParleyError`, the stream is given up.
   */
  item(bytes: Uint8Array): Promise<void> | void;
  /** Of a reliable stream, where its pieces are of interest: one came; not `isTimed`: it may have come long before it was read. */
  readonly piece?: (piece: ArrivedPiece, isTimed: boolean) => void;
  /** Of a flow whose streams have one video unit each: takes those that came whole, in place of `item`. */
  readonly units?: UnitSink;
}

/** Takes what comes of video units. */
export interface UnitSink {
  /** The packet, which may be kept. */
  unit(packet: Uint8Array): void;
  /** A piece of one came. */
  piece(piece: ArrivedPiece): void;
}

export interface MediaPortCounters {
  /** Datagrams and items of flows that were never claimed, claimed too late, or given up. */
  readonly unclaimed: number;
  /** Datagrams too short to carry a flow identifier, and streams with broken framing. */
  readonly malformed: number;
  /** Items that outgoing streams could not take. */
  readonly undelivered: number;
}

interface Held {
  readonly flow: number;
  readonly bytes: Uint8Array;
  readonly until: number;
}

/**
 * The media side of one connection: hands what arrives to whoever claimed its flow, and writes what leaves. A flow's
 * packets may overtake the answer that names it, so unclaimed ones are held a moment; a stream waits, unread. Of a flow
 * given up datagrams are dropped and new streams stopped at once: a server never uses a flow identifier twice.
 */
export class MediaPort {
  readonly #clock: Clock;
  #connection: Connection | undefined;
  readonly #sinks = new Map<number, FlowSink>();
  readonly #released = new Set<number>();
  readonly #streams = new Map<number, OutgoingStream>();
  #held: Held[] = [];
  readonly #units = new UnitReader();
  #cancelUnits: (() => void) | undefined;
  /** Of the units that leave here. */
  readonly unitCaps = new UnitCaps();
  /** Streams that wait for their flow to be claimed. */
  readonly #awaited = new Map<number, Set<() => void>>();
  #unclaimed = 0;
  #malformed = 0;
  #undelivered = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The connection is up. Once, before anything is sent. */
  attach(connection: Connection): void {
    this.#connection = connection;
  }

  /** Something that should have been answered was not: see `Path.doubt`. */
  doubt(): void {
    this.#connection?.path?.doubt();
  }

  get counters(): MediaPortCounters {
    return { unclaimed: this.#unclaimed, malformed: this.#malformed, undelivered: this.#undelivered };
  }

  /** Claims a flow and delivers what was held for it. The returned function gives it up. */
  claim(flow: number, sink: FlowSink): () => void {
    this.#sinks.set(flow, sink);
    this.#released.delete(flow);
    this.#dropStale();
    const mine = this.#held.filter((held) => held.flow === flow);
    this.#held = this.#held.filter((held) => held.flow !== flow);
    const now = this.#clock.now();
    for (const { bytes, until } of mine) sink.datagram(bytes, now - (until - HOLD_MS));
    const waiting = this.#awaited.get(flow);
    this.#awaited.delete(flow);
    for (const wake of waiting ?? []) wake();
    return () => {
      if (this.#sinks.get(flow) !== sink) return;
      this.#sinks.delete(flow);
      this.#released.add(flow);
      if (this.#released.size > RELEASED_FLOWS)
        this.#released.delete(this.#released.values().next().value ?? -1);
    };
  }

  /** One datagram from the carrier, valid during the call. */
  datagram(bytes: Uint8Array): void {
    const length = bytes.length === 0 ? 9 : varintLength(bytes[0] as number);
    if (length > bytes.length) {
      this.#malformed += 1;
      return;
    }
    const flow = readVarint(bytes, 0);
    const sink = this.#sinks.get(flow);
    if (sink !== undefined) sink.datagram(bytes, 0);
    else if (this.#released.has(flow)) this.#unclaimed += 1;
    else this.#hold(flow, bytes);
  }

  /** Reads one incoming stream to its end: items, or one video unit. */
  async stream(stream: ReceiveStream): Promise<void> {
    const known = this.#units.await(this.#clock.now(), () => stream.stop(CLOSE_CODES.overloaded));
    this.#watchUnits();
    const start = await readStreamStart(stream);
    if (!known() || start === undefined) return;
    const { flow, bytes } = start;
    if (flow !== undefined && this.#released.has(flow)) {
      this.#unclaimed += new StreamItemReader().push(bytes).items.length;
      stream.stop(CLOSE_CODES.normal);
      return;
    }
    // A flow's first items may overtake the answer that names it; later ones find it claimed or given up.
    if (flow !== undefined && !this.#sinks.has(flow)) await this.#claimed(flow);
    const units = flow === undefined ? undefined : this.#sinks.get(flow)?.units;
    if (flow !== undefined && units !== undefined) await this.#readUnit(stream, flow, bytes);
    else await this.#readItems(stream, bytes);
  }

  async #readItems(stream: ReceiveStream, start: Uint8Array): Promise<void> {
    const fault = await readItems(stream, start, {
      item: (flow, item) => this.#deliver(flow, item),
      piece: (flow, piece, isTimed) => this.#sinks.get(flow)?.piece?.(piece, isTimed),
      now: () => this.#clock.now(),
    });
    if (fault !== undefined) this.#malformed += 1;
  }

  async #readUnit(stream: ReceiveStream, flow: number, start: Uint8Array): Promise<void> {
    const stop = () => stream.stop(CLOSE_CODES.overloaded);
    const inlet = this.#units.begin(flow, this.#clock.now(), stop);
    this.#watchUnits();
    const told: UnitInlet = {
      get isOver() {
        return inlet.isOver;
      },
      push: (chunk) => {
        const pieces = inlet.push(chunk);
        for (const piece of pieces) this.#sinks.get(flow)?.units?.piece(piece);
        return pieces;
      },
      end: () => {
        const packet = inlet.end();
        if (packet !== undefined) this.#sinks.get(flow)?.units?.unit(packet);
        return packet;
      },
      abort: () => inlet.abort(),
    };
    await readUnit(stream, start, told);
  }

  /** Units that do not become whole in time are given up. */
  #watchUnits(): void {
    const due = this.#units.nextTimeout();
    if (due === undefined || this.#cancelUnits !== undefined) return;
    this.#cancelUnits = this.#clock.at(due, () => {
      this.#cancelUnits = undefined;
      this.#units.tick(this.#clock.now());
      this.#watchUnits();
    });
  }

  /** A unidirectional stream of one's own. Throws `connection-lost` without a connection. */
  async openStream(): Promise<SendStream> {
    if (this.#connection === undefined)
      throw new ParleyError({ code: "connection-lost", message: "There is no connection." });
    return await this.#connection.openStream();
  }

  sendDatagram(bytes: Uint8Array): DatagramFate {
    return this.#connection?.sendDatagram(bytes) ?? "closed";
  }

  /** Appends one item to the flow's outgoing stream, opening it if need be. Items of one flow arrive in order. */
  sendItem(flow: number, item: Uint8Array): void {
    void this.writeItem(flow, item);
  }

  /** The same; resolves when the carrier took the item: true, or false when it cannot. */
  async writeItem(flow: number, item: Uint8Array): Promise<boolean> {
    return (await this.#outgoing(flow)?.send(item)) ?? false;
  }

  /** The same for the next bytes of an item, its length first. Nothing else is written to the flow before the rest of it. */
  async writePart(flow: number, bytes: Uint8Array): Promise<boolean> {
    return (await this.#outgoing(flow)?.write(bytes)) ?? false;
  }

  #outgoing(flow: number): OutgoingStream | undefined {
    let stream = this.#streams.get(flow);
    if (stream === undefined) {
      const connection = this.#connection;
      if (connection === undefined) {
        this.#undelivered += 1;
        return undefined;
      }
      stream = new OutgoingStream(connection, flow, () => {
        this.#undelivered += 1;
      });
      this.#streams.set(flow, stream);
    }
    return stream;
  }

  /** Abandons the flow's stream: what the carrier has not delivered is lost. */
  abandonStream(flow: number): void {
    this.#streams.get(flow)?.abandon();
    this.#streams.delete(flow);
  }

  /** Resolves when everything handed to the flow's stream was taken by the carrier; the stream is finished. */
  async finishStream(flow: number): Promise<void> {
    const stream = this.#streams.get(flow);
    this.#streams.delete(flow);
    await stream?.finish();
  }

  #deliver(flow: number, item: Uint8Array): Promise<void> | void {
    const sink = this.#sinks.get(flow);
    if (sink !== undefined) return sink.item(item);
    this.#unclaimed += 1;
  }

  /** Resolves when the flow is claimed, or has been waited for long enough. */
  async #claimed(flow: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiting = this.#awaited.get(flow) ?? new Set();
    this.#awaited.set(flow, waiting.add(resolve));
    const cancel = this.#clock.at(this.#clock.now() + HOLD_MS, resolve);
    await promise;
    cancel();
    waiting.delete(resolve);
    if (waiting.size === 0 && this.#awaited.get(flow) === waiting) this.#awaited.delete(flow);
  }

  #hold(flow: number, bytes: Uint8Array): void {
    this.#dropStale();
    if (this.#held.length >= HELD_PACKETS) {
      this.#held.shift();
      this.#unclaimed += 1;
    }
    this.#held.push({ flow, bytes: bytes.slice(), until: this.#clock.now() + HOLD_MS });
  }

  #dropStale(): void {
    const now = this.#clock.now();
    const fresh = this.#held.filter((held) => held.until >= now);
    this.#unclaimed += this.#held.length - fresh.length;
    this.#held = fresh;
  }
}

/** One long-lived unidirectional stream of items. */
class OutgoingStream {
  readonly #flow: number;
  readonly #undelivered: () => void;
  readonly #opened: Promise<SendStream>;
  #waiting = 0;
  #last: Promise<boolean>;

  constructor(connection: Connection, flow: number, undelivered: () => void) {
    this.#flow = flow;
    this.#undelivered = undelivered;
    this.#opened = connection.openStream();
    this.#last = this.#write(encodeStreamStart(this.#flow));
  }

  send(item: Uint8Array): Promise<boolean> {
    return this.write(encodeStreamItems([item]));
  }

  write(bytes: Uint8Array): Promise<boolean> {
    if (this.#waiting >= OUTGOING_ITEMS) {
      this.#undelivered();
      return Promise.resolve(false);
    }
    this.#waiting += 1;
    this.#last = this.#last
      .then(() => this.#write(bytes))
      .then((taken) => {
        this.#waiting -= 1;
        return taken;
      });
    return this.#last;
  }

  abandon(): void {
    this.#opened.then(
      (stream) => stream.reset(CLOSE_CODES.overloaded),
      // It never opened: there is nothing to abandon.
      () => undefined,
    );
  }

  async finish(): Promise<void> {
    await this.#last;
    try {
      await (await this.#opened).finish();
    } catch {
      // The connection ended first: there is nothing left to finish.
    }
  }

  async #write(bytes: Uint8Array): Promise<boolean> {
    try {
      await (await this.#opened).write(bytes);
      return true;
    } catch {
      this.#undelivered();
      return false;
    }
  }
}
