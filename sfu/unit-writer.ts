import { encodeUnitItem, encodeUnitStart, PIECE_BYTES, piecesOf } from "../codecs/unit-stream.ts";
import { CLOSE_CODES, type SendStream } from "./carrier.ts";
import type { PieceSource, WaitingPiece } from "./congestion/piece-turns.ts";
import { LostUnits, type UnitPlace } from "./lost-units.ts";
import {
  DELTA_STALL_MS,
  KEY_STALL_MS,
  MAX_UNIT_AGE_MS,
  OPEN_UNITS_PER_FLOW,
  UNIT_BYTES_PER_FLOW,
  type UnitCaps,
  type UnitHolder,
} from "./unit-caps.ts";

/**
 * Why a unit did not leave whole: too many were open or waited (`unit-cap`), nothing moved for too long (`unit-stalled`), something that it
 * needs did not leave (`dependency`), or it is of a layer that can be spared while others wait (`layer`).
 */
export type UnitDrop = "unit-cap" | "unit-stalled" | "dependency" | "layer";

/** What became of a unit: handed to the carrier whole, dropped here, taken back for one of the owner's reasons, or its stream was refused. */
export type UnitFate<Reason extends string = never> = "sent" | "closed" | UnitDrop | Reason;

export interface OutgoingUnit<Reason extends string = never> extends UnitPlace {
  /** Stays as it is until `settled`. */
  readonly packet: Uint8Array;
  readonly layer: number;
  /** Told once. */
  readonly settled: (fate: UnitFate<Reason>) => void;
}

export interface UnitWriterOptions {
  readonly flow: number;
  readonly ssrc: number;
  /** Of which call: those of one connection have their parts of what may be open there. */
  readonly call: unknown;
  readonly open: () => Promise<SendStream>;
  /** Of the connection. */
  readonly caps: UnitCaps;
  /** Bits a second that this flow may hope for; `undefined` while nothing is known. */
  readonly rate: () => number | undefined;
  /** Pieces have numbers, and were sent or not: they will not arrive. */
  readonly abandon: (first: number, count: number) => void;
  /** The carrier took what it had been given: a piece may be ready now. */
  readonly wake: () => void;
}

/** Bytes of one unit that a carrier was given and has not taken yet, at most: what it holds cannot be taken back. */
const WRITE_AHEAD_BYTES = 16 * 1024;
/** Milliseconds of its rate that a flow may have waiting before units of higher layers are left out. */
const UPPER_LAYER_BACKLOG_MS = 400;

/**
 * Sends the units of one flow, each on a stream of its own and in pieces as its turn comes. It keeps few: where too many are under way, or
 * nothing moves, the oldest delta goes with everything that needs it, and whatever is on the way of it is reset. `Reason`: why the owner takes units back.
 */
export class UnitWriter<Reason extends string = never> implements PieceSource, UnitHolder {
  readonly #options: UnitWriterOptions;
  readonly #lost = new LostUnits();
  /** In the order in which they came. */
  readonly #pending: PendingUnit<Reason>[] = [];
  #bytes = 0;
  #nextPiece = 0;
  #progressAt = Number.NEGATIVE_INFINITY;
  /** The carrier took something since it was last asked for the time. */
  #hasMoved = false;
  #isBroken = false;
  /** Number of the key frame that was taken last: deltas before it are missed no more. */
  #newestKey = Number.NEGATIVE_INFINITY;
  #keyLeft: { readonly at: number; readonly lastPiece: number } | undefined;

  constructor(options: UnitWriterOptions) {
    this.#options = options;
  }

  get call(): unknown {
    return this.#options.call;
  }

  /** Units that wait or are on open streams. */
  get pending(): number {
    return this.#pending.length;
  }

  /** Their bytes that have not been handed to the carrier. */
  get waitingBytes(): number {
    return this.#pending.reduce((sum, { item, offset }) => sum + item.length - offset, 0);
  }

  /** When the last piece of the newest key frame left, and its number; at `Infinity` while it has not; `undefined` where none was taken, or it was lost. */
  get keyLeft(): { readonly at: number; readonly lastPiece: number } | undefined {
    return this.#keyLeft;
  }

  /** Nothing that follows can be decoded without another key frame, and there is room for one. */
  get needsKeyFrame(): boolean {
    return this.#isBroken && this.#pending.length === 0;
  }

  /** Takes a unit, to send it or drop it. */
  add(unit: OutgoingUnit<Reason>, now: number): void {
    this.#expire(now);
    const item = encodeUnitItem(unit.packet);
    const reason = this.#makeRoom(unit, item.length);
    if (reason !== undefined) {
      this.#lose(unit);
      unit.settled(reason);
      return;
    }
    if (unit.key) {
      this.#newestKey = unit.sequence;
      this.#keyLeft = { at: Number.POSITIVE_INFINITY, lastPiece: Number.POSITIVE_INFINITY };
      this.#isBroken = false;
    }
    this.#pending.push(new PendingUnit(unit, item, now));
    this.#options.caps.take(this);
    this.#bytes += item.length;
  }

  /** A unit that will not come here: what needs it need not, either. */
  passOver(unit: UnitPlace & { readonly layer: number }): void {
    this.#lose(unit);
  }

  /** Takes back everything that has not left. */
  drop(fate: UnitFate<Reason>): void {
    for (const pending of [...this.#pending]) this.#reset(pending, fate);
  }

  next(now: number): WaitingPiece | undefined {
    this.#expire(now);
    const pending = this.#first();
    if (pending === undefined || pending.unresolved >= WRITE_AHEAD_BYTES) return undefined;
    const { item, offset, firstPiece, unit } = pending;
    const number = (firstPiece ?? this.#nextPiece) + offset / PIECE_BYTES;
    return {
      rank: isUpper(unit) ? "upper" : "base",
      packet: {
        ssrc: this.#options.ssrc,
        sequence: number,
        bytes: item.subarray(offset, offset + PIECE_BYTES),
        kind: "video",
        deadline: Number.POSITIVE_INFINITY,
      },
    };
  }

  send(now: number): void {
    const pending = this.#first();
    if (pending === undefined) return;
    const { flow, open } = this.#options;
    const piece = pending.item.subarray(pending.offset, pending.offset + PIECE_BYTES);
    let bytes = piece;
    if (pending.stream === undefined) {
      const start = encodeUnitStart(flow, this.#nextPiece);
      bytes = new Uint8Array(start.length + piece.length);
      bytes.set(start);
      bytes.set(piece, start.length);
      pending.firstPiece = this.#nextPiece;
      this.#nextPiece += piecesOf(pending.unit.packet.length);
      pending.stream = open();
    }
    pending.offset += piece.length;
    this.#progressAt = now;
    const { stream, unit, firstPiece = 0 } = pending;
    if (unit.sequence === this.#newestKey && pending.offset === pending.item.length)
      this.#keyLeft = { at: now, lastPiece: firstPiece + piecesOf(unit.packet.length) - 1 };
    pending.unresolved += bytes.length;
    pending.written = pending.written.then(() => this.#write(pending, stream, bytes));
  }

  /** Resets what stands still. */
  tick(now: number): void {
    this.#expire(now);
  }

  /** When something may have stood still for too long. */
  nextTimeout(): number | undefined {
    let earliest: number | undefined;
    for (const pending of this.#pending) {
      const due = this.#deadlineOf(pending);
      if (earliest === undefined || due < earliest) earliest = due;
    }
    return earliest;
  }

  /** The unit of which a piece goes next: the oldest of the lowest layer, then of others. */
  #first(): PendingUnit<Reason> | undefined {
    let upper: PendingUnit<Reason> | undefined;
    for (const pending of this.#pending) {
      if (pending.offset === pending.item.length) continue;
      if (!isUpper(pending.unit)) return pending;
      upper ??= pending;
    }
    return upper;
  }

  #isBehind(): boolean {
    const rate = this.#options.rate();
    return rate !== undefined && this.waitingBytes * 8_000 > UPPER_LAYER_BACKLOG_MS * rate;
  }

  /** Of the flow itself. */
  #isFull(bytes: number): boolean {
    const { length } = this.#pending;
    const isTooMuch = length > 0 && this.#bytes + bytes > UNIT_BYTES_PER_FLOW;
    return length >= OPEN_UNITS_PER_FLOW || isTooMuch;
  }

  /** Why there is no room for a unit, whatever gives way. */
  #makeRoom(unit: OutgoingUnit<Reason>, bytes: number): UnitDrop | undefined {
    if (this.#lost.isNeededBy(unit)) return "dependency";
    if (isUpper(unit) && this.#isBehind()) return "layer";
    const { caps } = this.#options;
    while (this.#isFull(bytes)) if (!this.giveWay(unit.key)) return "unit-cap";
    while (caps.isFull) if (!caps.makeRoom(this, unit.key) && !this.giveWay(unit.key)) return "unit-cap";
    return this.#lost.isNeededBy(unit) ? "dependency" : undefined;
  }

  giveWay(isToKey: boolean): boolean {
    let oldest: PendingUnit<Reason> | undefined;
    for (const pending of this.#pending)
      if (!pending.unit.key && (oldest === undefined || pending.unit.layer > oldest.unit.layer))
        oldest = pending;
    oldest ??= isToKey ? this.#pending[0] : undefined;
    if (oldest === undefined) return false;
    this.#dropWithDependents(oldest, "unit-cap");
    return true;
  }

  #expire(now: number): void {
    if (this.#hasMoved) this.#progressAt = now;
    this.#hasMoved = false;
    for (const pending of [...this.#pending])
      if (!pending.isOver && this.#deadlineOf(pending) <= now)
        this.#dropWithDependents(pending, "unit-stalled");
  }

  #deadlineOf({ addedAt, unit }: PendingUnit<Reason>): number {
    const stall = unit.key ? KEY_STALL_MS : DELTA_STALL_MS;
    return Math.min(Math.max(addedAt, this.#progressAt) + stall, addedAt + MAX_UNIT_AGE_MS);
  }

  #dropWithDependents(first: PendingUnit<Reason>, reason: UnitDrop): void {
    this.#reset(first, reason);
    for (const pending of [...this.#pending])
      if (this.#lost.isNeededBy(pending.unit)) this.#reset(pending, "dependency");
  }

  #lose(unit: UnitPlace & { readonly layer: number }): void {
    this.#lost.add(unit);
    if (unit.sequence === this.#newestKey) this.#keyLeft = undefined;
    if (unit.key || (unit.layer === 0 && unit.sequence > this.#newestKey)) this.#isBroken = true;
  }

  #reset(pending: PendingUnit<Reason>, fate: UnitFate<Reason>): void {
    const { firstPiece, stream, unit } = pending;
    if (firstPiece !== undefined) this.#options.abandon(firstPiece, piecesOf(unit.packet.length));
    stream?.then(
      (open) => open.reset(CLOSE_CODES.overloaded),
      // It never opened: there is nothing to reset.
      () => undefined,
    );
    this.#lose(unit);
    this.#settle(pending, fate);
  }

  #settle(pending: PendingUnit<Reason>, fate: UnitFate<Reason>): void {
    pending.isOver = true;
    this.#pending.splice(this.#pending.indexOf(pending), 1);
    this.#bytes -= pending.item.length;
    this.#options.caps.release(this);
    pending.unit.settled(fate);
  }

  async #write(pending: PendingUnit<Reason>, opening: Promise<SendStream>, bytes: Uint8Array): Promise<void> {
    if (pending.isOver) return;
    try {
      const stream = await opening;
      if (pending.isOver) return;
      await stream.write(bytes);
      pending.unresolved -= bytes.length;
      this.#hasMoved = true;
      if (pending.offset === pending.item.length && pending.unresolved === 0) {
        await stream.finish();
        if (!pending.isOver) this.#settle(pending, "sent");
      }
    } catch {
      if (!pending.isOver) this.#fail(pending);
    }
    this.#options.wake();
  }

  /** Its peer wants no more of it, or the connection is over. */
  #fail(pending: PendingUnit<Reason>): void {
    this.#reset(pending, "closed");
    for (const other of [...this.#pending])
      if (this.#lost.isNeededBy(other.unit)) this.#reset(other, "dependency");
  }
}

class PendingUnit<Reason extends string> {
  readonly unit: OutgoingUnit<Reason>;
  /** Length and packet. */
  readonly item: Uint8Array;
  readonly addedAt: number;
  /** Bytes of the item that were handed to the carrier. */
  offset = 0;
  firstPiece: number | undefined;
  stream: Promise<SendStream> | undefined;
  /** Bytes that the carrier was given and has not taken. */
  unresolved = 0;
  written: Promise<void> = Promise.resolve();
  isOver = false;

  constructor(unit: OutgoingUnit<Reason>, item: Uint8Array, addedAt: number) {
    this.unit = unit;
    this.item = item;
    this.addedAt = addedAt;
  }
}

function isUpper({ key, layer }: { readonly key: boolean; readonly layer: number }): boolean {
  return !key && layer > 0;
}
