import { ParleyError } from "../../codecs/parley-error.ts";
import { encodeStreamItems, encodeStreamStart } from "../../codecs/stream-items.ts";
import type { Connection, SendStream } from "../../sfu/carrier.ts";
import { PACED_ITEMS, type ItemFate as PacedFate } from "../../sfu/item-pacer.ts";

/** Items that may wait for one stream; beyond it new ones are dropped and counted: a peer that does not read. */
const MAX_WAITING_ITEMS = 256;
/** Items waiting from which on `room` makes a reliable stream's source wait: never more than these and what was read at once. */
const ROOM_ITEMS = 32;
/** The same in bytes. */
const ROOM_BYTES = 64 * 1024;
/** Bytes handed to the carrier, or to what paces the flow, at once, unless one item is larger: what a carrier has taken can no longer be dropped. */
const WRITE_BYTES = 16 * 1024;

/** Why what waited is taken back. */
export type TakenBack = "session-state" | "scope" | "epoch" | "held";

/** What became of an item: handed to the carrier, dropped with its stream, or taken back for a reason. */
export type ItemFate = PacedFate<TakenBack>;

/** Who says when items of a flow leave, in what parts. */
export interface ItemPace {
  /** Lets an item, its length first, leave in its turn; resolves with what became of it. */
  add(item: Uint8Array): Promise<ItemFate>;
  /** Takes back what has not begun to leave. */
  takeBack(reason: TakenBack): void;
  /** What waits leaves without turns. */
  hurry(): void;
  /** The same, and what is still added. */
  finish(): void;
}

/** The long-lived unidirectional streams toward one connection, one a flow. Items of a flow stay in order. */
export class OutgoingItems {
  readonly #connection: Connection;
  readonly #ready: Promise<void> | undefined;
  readonly #streams = new Map<number, ItemStream>();
  /** Flows whose stream broke, until they are finished. As many as the connection has flows, at most. */
  readonly #broken = new Set<number>();
  #dropped = 0;

  /** `ready`: nothing is opened before. */
  constructor(connection: Connection, ready?: Promise<void>) {
    this.#connection = connection;
    this.#ready = ready;
  }

  /** Items that were dropped unasked: the peer did not read, or the stream broke. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Items that wait for a stream. */
  get waiting(): number {
    let waiting = 0;
    for (const stream of this.#streams.values()) waiting += stream.waiting.length;
    return waiting;
  }

  /** Streams that are not finished. */
  get open(): number {
    return this.#streams.size;
  }

  /**
   * Appends one item to the flow's stream, opening it if need be. Returns false when it was dropped at once; otherwise
   * `settled` is called once with what became of it.
   */
  send(flow: number, item: Uint8Array, settled?: (fate: ItemFate) => void): boolean {
    const stream = this.#stream(flow);
    if (stream.waiting.length >= MAX_WAITING_ITEMS) {
      this.#dropped += 1;
      return false;
    }
    this.#add(flow, stream, { bytes: encodeStreamItems([item]), settled });
    return true;
  }

  /** Appends items of which none may be dropped: few enough for whoever kept them to go on keeping them here. */
  sendAgain(flow: number, items: readonly Uint8Array[]): void {
    const stream = this.#stream(flow);
    for (const item of items)
      this.#add(flow, stream, { bytes: encodeStreamItems([item]), settled: undefined });
  }

  /** Items of the flow leave at a pace from now on, made by whoever is given how they are written; where it has one it keeps that. */
  pace(flow: number, make: (write: (bytes: Uint8Array) => Promise<boolean>) => ItemPace): void {
    const stream = this.#stream(flow);
    stream.pace ??= make((bytes) => writePart(flow, stream, bytes));
  }

  /** What waits for the flow's pace leaves at once. */
  hurry(flow: number): void {
    this.#streams.get(flow)?.pace?.hurry();
  }

  #stream(flow: number): ItemStream {
    let stream = this.#streams.get(flow);
    if (stream === undefined) {
      stream = {
        opened: this.openStream(),
        waiting: [],
        waitingBytes: 0,
        pace: undefined,
        written: Promise.resolve(),
        begun: false,
        writing: false,
        last: false,
        room: undefined,
      };
      this.#streams.set(flow, stream);
    }
    return stream;
  }

  #add(flow: number, stream: ItemStream, item: WaitingItem): void {
    stream.waiting.push(item);
    stream.waitingBytes += item.bytes.length;
    if (!stream.writing) void this.#write(flow, stream);
  }

  /** Whether the flow's stream broke: the peer stopped reading it, or it could not be opened. What was sent after that may be lost. */
  isBroken(flow: number): boolean {
    return this.#broken.has(flow);
  }

  /** `undefined` while little waits for the flow's stream; else what resolves when it has room again, or is over. */
  room(flow: number): Promise<void> | undefined {
    const stream = this.#streams.get(flow);
    if (stream === undefined || hasRoom(stream)) return undefined;
    stream.room ??= Promise.withResolvers<void>();
    return stream.room.promise;
  }

  /** Takes back what waits for the flow's stream, which stays open. */
  discard(flow: number, reason: TakenBack): void {
    const stream = this.#streams.get(flow);
    if (stream === undefined) return;
    for (const { settled } of takeAll(stream)) settled?.(reason);
    stream.pace?.takeBack(reason);
    tellRoom(stream);
  }

  /** Nothing more goes out on the flow: its stream ends after what waits. Peers allow few unfinished streams. */
  finish(flow: number): void {
    this.#broken.delete(flow);
    const stream = this.#streams.get(flow);
    if (stream === undefined) return;
    stream.last = true;
    stream.pace?.finish();
    if (!stream.writing) void this.#write(flow, stream);
  }

  /** A stream of its own, for who writes to it himself. */
  async openStream(): Promise<SendStream> {
    await this.#ready;
    return await this.#connection.openStream();
  }

  /** What waits, some of it at a time until nothing does, and the stream's end when no more will come. */
  async #write(flow: number, stream: ItemStream): Promise<void> {
    stream.writing = true;
    const taken: WaitingItem[] = [];
    try {
      const open = await stream.opened;
      while (stream.waiting.length > 0) {
        takeSome(stream, taken);
        if (hasRoom(stream)) tellRoom(stream);
        await (stream.pace === undefined ? writeAll(flow, stream, taken) : writePaced(stream.pace, taken));
      }
      if (!stream.last) return;
      this.#streams.delete(flow);
      await open.finish();
    } catch {
      this.#streams.delete(flow);
      stream.pace?.finish();
      if (!stream.last) this.#broken.add(flow);
      tellRoom(stream);
      const lost = [...taken, ...takeAll(stream)];
      this.#dropped += lost.length;
      for (const { settled } of lost) settled?.("closed");
    } finally {
      stream.writing = false;
    }
  }
}

interface WaitingItem {
  /** Encoded. */
  readonly bytes: Uint8Array;
  readonly settled: ((fate: ItemFate) => void) | undefined;
}

interface ItemStream {
  readonly opened: Promise<SendStream>;
  /** In order. */
  readonly waiting: WaitingItem[];
  waitingBytes: number;
  /** `undefined`: items leave as the carrier takes them. */
  pace: ItemPace | undefined;
  /** Of everything that the carrier was given. */
  written: Promise<void>;
  /** The flow identifier went out. */
  begun: boolean;
  writing: boolean;
  /** The stream ends after what waits. */
  last: boolean;
  /** Somebody waits for room. */
  room: PromiseWithResolvers<void> | undefined;
}

function tellRoom(stream: ItemStream): void {
  stream.room?.resolve();
  stream.room = undefined;
}

function hasRoom({ waiting, waitingBytes }: ItemStream): boolean {
  return waiting.length < ROOM_ITEMS && waitingBytes < ROOM_BYTES;
}

/** Moves the first items over, one at least, as many as are handed on at once. */
function takeSome(stream: ItemStream, to: WaitingItem[]): void {
  let bytes = 0;
  for (let next = stream.waiting[0]; next !== undefined; next = stream.waiting[0]) {
    bytes += next.bytes.length;
    if (to.length === PACED_ITEMS || (to.length > 0 && bytes > WRITE_BYTES)) return;
    to.push(next);
    stream.waiting.shift();
    stream.waitingBytes -= next.bytes.length;
  }
}

function takeAll(stream: ItemStream): WaitingItem[] {
  stream.waitingBytes = 0;
  return stream.waiting.splice(0);
}

/** Hands items to the carrier, after the flow identifier where they are the first; throws when it takes none. */
async function writeAll(flow: number, stream: ItemStream, taken: WaitingItem[]): Promise<void> {
  await write(flow, stream, joined(taken.map(({ bytes }) => bytes)));
  for (const { settled } of taken.splice(0)) settled?.("sent");
}

/** Lets items leave in their turns; throws when the carrier takes no more. */
async function writePaced(pace: ItemPace, taken: WaitingItem[]): Promise<void> {
  const fates = taken.map(({ bytes }) => pace.add(bytes));
  for (const fate of fates) {
    const outcome = await fate;
    if (outcome === "closed")
      throw new ParleyError({ code: "connection-lost", message: "The stream takes nothing more." });
    taken.shift()?.settled?.(outcome);
  }
}

/** As `ItemPacerOptions.write`. */
async function writePart(flow: number, stream: ItemStream, bytes: Uint8Array): Promise<boolean> {
  try {
    await write(flow, stream, bytes);
    return true;
  } catch {
    // Whoever waits for the item is told.
    return false;
  }
}

function write(flow: number, stream: ItemStream, bytes: Uint8Array): Promise<void> {
  const all = stream.begun ? bytes : joined([encodeStreamStart(flow), bytes]);
  stream.begun = true;
  stream.written = stream.written.then(async () => await (await stream.opened).write(all));
  return stream.written;
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const only = pieces[0];
  if (only !== undefined && pieces.length === 1) return only;
  const bytes = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}
