import type { Clock } from "../codecs/clock.ts";
import { encodeStreamItems, encodeStreamStart, StreamItemReader } from "../codecs/stream-items.ts";
import { readVarint, varintLength } from "../codecs/varint.ts";
import type { Connection, DatagramFate, ReceiveStream, SendStream } from "../sfu/carrier.ts";

/** Packets of flows nobody has claimed yet that are held for it; the oldest goes when full. */
const HELD_PACKETS = 64;
/** How long a packet of an unclaimed flow is held, ms. */
const HOLD_MS = 500;
/** Items waiting to be written to one outgoing stream; beyond it the stream is given up and its items counted. */
const OUTGOING_ITEMS = 1024;

/** Takes what arrives on one flow. */
export interface FlowSink {
  /** One datagram with its flow identifier; valid only during the call. */
  datagram(bytes: Uint8Array): void;
  /** One item of a reliable stream; valid only during the call. */
  item(bytes: Uint8Array): void;
}

export interface MediaPortCounters {
  /** Packets of flows that were never claimed, or claimed too late. */
  readonly unclaimed: number;
  /** Datagrams too short to carry a flow identifier, and streams with broken framing. */
  readonly malformed: number;
  /** Items that outgoing streams could not take. */
  readonly undelivered: number;
}

interface Held {
  readonly flow: number;
  readonly bytes: Uint8Array;
  readonly item: boolean;
  readonly until: number;
}

/**
 * The media side of one connection: hands what arrives to whoever claimed its flow, and writes what leaves. A flow's
 * packets may overtake the answer that names it, so unclaimed ones are held a moment.
 */
export class MediaPort {
  readonly #clock: Clock;
  #connection: Connection | undefined;
  readonly #sinks = new Map<number, FlowSink>();
  readonly #streams = new Map<number, OutgoingStream>();
  #held: Held[] = [];
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

  get counters(): MediaPortCounters {
    return { unclaimed: this.#unclaimed, malformed: this.#malformed, undelivered: this.#undelivered };
  }

  /** Claims a flow and delivers what was held for it. The returned function gives it up. */
  claim(flow: number, sink: FlowSink): () => void {
    this.#sinks.set(flow, sink);
    this.#dropStale();
    const mine = this.#held.filter((held) => held.flow === flow);
    this.#held = this.#held.filter((held) => held.flow !== flow);
    for (const { bytes, item } of mine) item ? sink.item(bytes) : sink.datagram(bytes);
    return () => {
      if (this.#sinks.get(flow) === sink) this.#sinks.delete(flow);
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
    if (sink === undefined) this.#hold(flow, bytes, false);
    else sink.datagram(bytes);
  }

  /** Reads one incoming stream of items to its end. */
  async stream(stream: ReceiveStream): Promise<void> {
    const reader = new StreamItemReader();
    try {
      for (let chunk = await stream.read(); chunk !== undefined; chunk = await stream.read()) {
        const { items, fault } = reader.push(chunk);
        for (const item of items) {
          const flow = reader.flow as number;
          const sink = this.#sinks.get(flow);
          if (sink === undefined) this.#hold(flow, item, true);
          else sink.item(item);
        }
        if (fault !== undefined) {
          this.#malformed += 1;
          stream.stop(1);
          return;
        }
      }
    } catch {
      // A reset stream delivers what came before it; the connection's own end is told separately.
    }
  }

  sendDatagram(bytes: Uint8Array): DatagramFate {
    return this.#connection?.sendDatagram(bytes) ?? "closed";
  }

  /** Appends one item to the flow's outgoing stream, opening it if need be. Items of one flow arrive in order. */
  sendItem(flow: number, item: Uint8Array): void {
    let stream = this.#streams.get(flow);
    if (stream === undefined) {
      const connection = this.#connection;
      if (connection === undefined) {
        this.#undelivered += 1;
        return;
      }
      stream = new OutgoingStream(connection, flow, () => {
        this.#undelivered += 1;
      });
      this.#streams.set(flow, stream);
    }
    stream.send(item);
  }

  /** Resolves when everything handed to the flow's stream was taken by the carrier; the stream is finished. */
  async finishStream(flow: number): Promise<void> {
    const stream = this.#streams.get(flow);
    this.#streams.delete(flow);
    await stream?.finish();
  }

  #hold(flow: number, bytes: Uint8Array, item: boolean): void {
    this.#dropStale();
    if (this.#held.length >= HELD_PACKETS) {
      this.#held.shift();
      this.#unclaimed += 1;
    }
    this.#held.push({ flow, bytes: bytes.slice(), item, until: this.#clock.now() + HOLD_MS });
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
  #last: Promise<void>;

  constructor(connection: Connection, flow: number, undelivered: () => void) {
    this.#flow = flow;
    this.#undelivered = undelivered;
    this.#opened = connection.openStream();
    this.#last = this.#write(encodeStreamStart(this.#flow));
  }

  send(item: Uint8Array): void {
    if (this.#waiting >= OUTGOING_ITEMS) {
      this.#undelivered();
      return;
    }
    const bytes = encodeStreamItems([item]);
    this.#waiting += 1;
    this.#last = this.#last
      .then(() => this.#write(bytes))
      .then(() => {
        this.#waiting -= 1;
      });
  }

  async finish(): Promise<void> {
    await this.#last;
    try {
      await (await this.#opened).finish();
    } catch {
      // The connection ended first: there is nothing left to finish.
    }
  }

  async #write(bytes: Uint8Array): Promise<void> {
    try {
      await (await this.#opened).write(bytes);
    } catch {
      this.#undelivered();
    }
  }
}
