import { encodeStreamItems } from "../codecs/stream-items.ts";
import { PIECE_BYTES } from "../codecs/unit-stream.ts";
import type { HopPacket } from "./congestion/hop-packet.ts";
import type { PieceSource, WaitingPiece } from "./congestion/piece-turns.ts";
import { TokenBucket } from "./token-bucket.ts";

/** Items that may wait for their turn; beyond it a further one is refused: its writer does not await those before it. */
const WAITING_ITEMS = 64;
/** Bytes that the carrier may be given and not have taken before it is given more. */
const WRITE_AHEAD_BYTES = 16_384;
/** A piece that waited so long goes whatever else does, ms: a voice that takes the whole way does not stop what is reliable for good. */
const LONGEST_WAIT_MS = 1_000;
/** Bytes a second, and at once, of items of one piece that need no turn while nothing waits: now and then a message, not a load. */
const TRICKLE = { bytesPerSecond: 4_000, burst: 4_000 } as const;
/** How long pieces keep to turns while the peer reports on none of them, ms: it may not count them. */
const REPORTS_EXPECTED_MS = 2_000;

export interface ItemPacerOptions {
  readonly ssrc: number;
  /** Appends to the flow's stream; resolves true once the carrier took the bytes, false when it cannot. */
  readonly write: (bytes: Uint8Array) => Promise<boolean>;
  /** The peer has reported on a piece of this source. */
  readonly isReported: () => boolean;
  /** As many of its pieces are on their way as may be. */
  readonly isFull: (now: number) => boolean;
  /** Pieces were counted as sent that nobody reports on: as in `MediaHop.abandon`. */
  readonly abandon: (first: number, count: number) => void;
  /** Something may go that could not before. */
  readonly wake: () => void;
}

/**
 * The egress of one flow's long stream of reliable items: each leaves in pieces, whole and in order, as turns come. The numbers of pieces are not on
 * the wire: both ends count. Where the peer reports on none of them, items leave at once from then on.
 */
export class ItemPacer implements PieceSource {
  readonly #options: ItemPacerOptions;
  readonly #items: PacedItem[] = [];
  #next = 0;
  #unresolved = 0;
  #firstAt: number | undefined;
  /** Since when the next piece waits. */
  #since: number | undefined;
  #isUnpaced = false;
  readonly #trickle = new TokenBucket(TRICKLE.bytesPerSecond, TRICKLE.burst, 0);
  #isBroken = false;

  constructor(options: ItemPacerOptions) {
    this.#options = options;
  }

  /** Appends an item, which is copied; resolves true once the carrier took all of it, false when it cannot. `isPaced` false: nothing paces it, nor what waits. */
  add(content: Uint8Array, now: number, isPaced: boolean): Promise<boolean> {
    if (this.#isBroken || this.#items.length >= WAITING_ITEMS) return Promise.resolve(false);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const bytes = encodeStreamItems([content]);
    const isTrickle =
      this.#items.length === 0 && bytes.length <= PIECE_BYTES && this.#trickle.has(bytes.length, now);
    if (isTrickle) this.#trickle.take(bytes.length);
    this.#items.push({ bytes, offset: 0, resolve });
    this.#since ??= now;
    if (!isPaced || this.#isUnpaced || isTrickle) this.flush();
    return promise;
  }

  next(now: number): WaitingPiece | undefined {
    const piece = this.#first(now);
    return piece === undefined || this.#options.isFull(now) ? undefined : piece;
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
    this.#since = this.#items.length === 0 ? undefined : now;
  }

  /** What waits leaves at once. */
  flush(): void {
    while (this.#items.length > 0) this.#sendPiece();
    this.#since = undefined;
  }

  /** Nothing of it leaves any more. */
  drop(): void {
    this.#isBroken = true;
    this.#since = undefined;
    for (const { resolve } of this.#items.splice(0)) resolve(false);
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
    if (this.#firstAt === undefined || this.#isUnpaced) return;
    if (now - this.#firstAt <= REPORTS_EXPECTED_MS || this.#options.isReported()) return;
    this.#isUnpaced = true;
    this.#options.abandon(0, this.#next);
    this.flush();
  }

  #sendPiece(): void {
    const item = this.#items[0];
    if (item === undefined) return;
    const bytes = item.bytes.subarray(item.offset, item.offset + PIECE_BYTES);
    item.offset += bytes.length;
    this.#next += 1;
    this.#unresolved += bytes.length;
    const isLast = item.offset === item.bytes.length;
    if (isLast) this.#items.shift();
    void this.#options.write(bytes).then((isTaken) => {
      const wasFull = this.#unresolved >= WRITE_AHEAD_BYTES;
      this.#unresolved -= bytes.length;
      if (!isTaken) this.drop();
      if (!isTaken || isLast) item.resolve(isTaken);
      if (wasFull) this.#options.wake();
    });
  }
}

interface PacedItem {
  /** Length and content. */
  readonly bytes: Uint8Array;
  offset: number;
  readonly resolve: (isTaken: boolean) => void;
}
