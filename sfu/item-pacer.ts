import { PIECE_BYTES } from "../codecs/unit-stream.ts";
import type { HopPacket } from "./congestion/hop-packet.ts";
import type { PieceSource, WaitingPiece } from "./congestion/piece-turns.ts";
import { TokenBucket } from "./token-bucket.ts";

/** Items that may wait for their turn; beyond it a further one is not taken: its writer does not await those before it. */
export const PACED_ITEMS = 64;
/** Bytes that the carrier may be given and not have taken before it is given more. */
const WRITE_AHEAD_BYTES = 16_384;
/** A piece that waited so long goes whatever else does, ms: a voice that takes the whole way does not stop what is reliable for good. */
const LONGEST_WAIT_MS = 1_000;
/** Bytes a second, and at once, of items of one piece that need no turn while nothing waits: now and then a message, not a load. */
const TRICKLE = { bytesPerSecond: 4_000, burst: 4_000 } as const;
/** How long pieces keep to turns while the peer reports on none of them, ms: it may not count them. */
const REPORTS_EXPECTED_MS = 2_000;

/** What became of an item: the carrier took all of it, it cannot or took no more, or the owner took it back before it began to leave. */
export type ItemFate<Reason extends string = never> = "sent" | "closed" | Reason;

export interface ItemPacerOptions {
  readonly ssrc: number;
  /** Appends to the flow's stream; resolves true once the carrier took the bytes, false when it cannot. */
  readonly write: (bytes: Uint8Array) => Promise<boolean>;
  /** The peer has reported on a piece of this source. Absent: it reports on none, and what went is not waited for. */
  readonly isReported?: () => boolean;
  /** As many of its pieces are on their way as may be. Default: never. */
  readonly isFull?: (now: number) => boolean;
  /** Pieces were counted as sent that nobody reports on: as in `MediaHop.abandon`. */
  readonly abandon: (first: number, count: number) => void;
  /** Something may go that could not before. */
  readonly wake: () => void;
}

/**
 * The egress of one flow's long stream of reliable items: each leaves in pieces, whole and in order, as turns come. The numbers of pieces are not on
 * the wire: both ends count. Where the peer reports on none of them, items leave at once from then on. `Reason`: why the owner takes items back.
 */
export class ItemPacer<Reason extends string = never> implements PieceSource {
  readonly #options: ItemPacerOptions;
  readonly #items: PacedItem<Reason>[] = [];
  #next = 0;
  #unresolved = 0;
  /** When the first piece went that had a turn, since anything last left without one. */
  #firstAt: number | undefined;
  /** Since when the next piece waits. */
  #since: number | undefined;
  #isUnpaced = false;
  readonly #trickle = new TokenBucket(TRICKLE.bytesPerSecond, TRICKLE.burst, 0);
  #isBroken = false;

  constructor(options: ItemPacerOptions) {
    this.#options = options;
  }

  /** Appends an item, its length first, which stays as it is until the promise resolves with its fate. `isPaced` false: nothing paces it, nor what waits. */
  add(item: Uint8Array, now: number, isPaced: boolean): Promise<ItemFate<Reason>> {
    if (this.#isBroken || this.#items.length >= PACED_ITEMS) return Promise.resolve("closed");
    const { promise, resolve } = Promise.withResolvers<ItemFate<Reason>>();
    const isTrickle =
      this.#items.length === 0 && item.length <= PIECE_BYTES && this.#trickle.has(item.length, now);
    if (isTrickle) this.#trickle.take(item.length);
    this.#items.push({ bytes: item, offset: 0, resolve });
    this.#since ??= now;
    if (!isPaced || this.#isUnpaced || isTrickle) this.#sendAll();
    return promise;
  }

  next(now: number): WaitingPiece | undefined {
    const piece = this.#first(now);
    return this.#options.isFull?.(now) === true ? undefined : piece;
  }

  /** When the next piece has waited for too long; `undefined` while none waits, or the carrier takes none. */
  get overdueAt(): number | undefined {
    if (this.#since === undefined || this.#unresolved >= WRITE_AHEAD_BYTES) return undefined;
    return this.#since + LONGEST_WAIT_MS;
  }

  /** The piece that waited for too long: it goes now, whoever's turn it is. */
  overdue(now: number): WaitingPiece | undefined {
    const piece = this.#first(now);
    const { overdueAt } = this;
    return overdueAt !== undefined && overdueAt <= now ? piece : undefined;
  }

  send(now: number): void {
    this.#firstAt ??= now;
    this.#sendPiece();
    const { isReported, abandon } = this.#options;
    if (isReported === undefined) abandon(this.#next - 1, 1);
    this.#since = this.#items.length === 0 ? undefined : now;
  }

  /** What waits leaves at once. What comes after it may be paced again: by another peer, for all that is known. */
  flush(): void {
    this.#sendAll();
    this.#firstAt = undefined;
  }

  /** Takes back what has not begun to leave: the stream goes on after it. */
  takeBack(reason: Reason): void {
    const isBegun = (this.#items[0]?.offset ?? 0) > 0;
    for (const { resolve } of this.#items.splice(isBegun ? 1 : 0)) resolve(reason);
    if (!isBegun) this.#since = undefined;
  }

  /** Nothing of it leaves any more. */
  drop(): void {
    this.#isBroken = true;
    this.#since = undefined;
    for (const { resolve } of this.#items.splice(0)) resolve("closed");
  }

  #first(now: number): WaitingPiece | undefined {
    this.#judge(now);
    const item = this.#items[0];
    if (item === undefined || this.#unresolved >= WRITE_AHEAD_BYTES) return undefined;
    const packet: HopPacket = {
      ssrc: this.#options.ssrc,
      sequence: this.#next,
      bytes: item.bytes.subarray(item.offset, item.offset + PIECE_BYTES),
      kind: "video",
      deadline: Number.POSITIVE_INFINITY,
    };
    return { rank: "reliable", packet };
  }

  #judge(now: number): void {
    const { isReported } = this.#options;
    if (this.#firstAt === undefined || this.#isUnpaced || isReported === undefined) return;
    if (now - this.#firstAt <= REPORTS_EXPECTED_MS || isReported()) return;
    this.#isUnpaced = true;
    this.#options.abandon(0, this.#next);
    this.#sendAll();
  }

  #sendAll(): void {
    for (let item = this.#items[0]; item !== undefined; item = this.#items[0]) {
      this.#next += Math.ceil((item.bytes.length - item.offset) / PIECE_BYTES);
      this.#write(item, item.bytes.subarray(item.offset));
    }
    this.#since = undefined;
  }

  #sendPiece(): void {
    const item = this.#items[0];
    if (item === undefined) return;
    this.#next += 1;
    this.#write(item, item.bytes.subarray(item.offset, item.offset + PIECE_BYTES));
  }

  /** The next bytes of the first item; whole pieces, unless they are its last. */
  #write(item: PacedItem<Reason>, bytes: Uint8Array): void {
    item.offset += bytes.length;
    this.#unresolved += bytes.length;
    const isLast = item.offset === item.bytes.length;
    if (isLast) this.#items.shift();
    void this.#options.write(bytes).then((isTaken) => {
      const wasFull = this.#unresolved >= WRITE_AHEAD_BYTES;
      this.#unresolved -= bytes.length;
      if (!isTaken) this.drop();
      if (!isTaken || isLast) item.resolve(isTaken ? "sent" : "closed");
      if (wasFull) this.#options.wake();
    });
  }
}

interface PacedItem<Reason extends string> {
  /** Length and content. */
  readonly bytes: Uint8Array;
  offset: number;
  readonly resolve: (fate: ItemFate<Reason>) => void;
}
