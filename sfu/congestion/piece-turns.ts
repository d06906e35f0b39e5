import type { HopPacket } from "./hop-packet.ts";

/** Whose pieces go first: those of units that everything else of their stream needs, those of reliable data, those of units that can be spared. */
export type PieceRank = "base" | "reliable" | "upper";

/** A piece that waits for its turn. */
export interface WaitingPiece {
  readonly rank: PieceRank;
  readonly packet: HopPacket;
}

/** What is sent in pieces, in an order of its own. */
export interface PieceSource {
  /** The piece that would go next; `undefined` while none waits, or none can be taken by the carrier. */
  next(now: number): WaitingPiece | undefined;
  /** That piece goes now. */
  send(now: number): void;
}

/**
 * Of what others send while its pieces wait, a rank is owed this share: the first has what it needs, and none of the others stands still
 * for good.
 */
const SHARES: Readonly<Record<PieceRank, number>> = { base: 1, reliable: 0.2, upper: 0.1 };
const RANKS = ["base", "reliable", "upper"] as const;
/** Bytes that a rank can be owed: it makes up for no more of the past. */
const MOST_OWED = 10_000;

/** Decides which of several sources sends the next piece. */
export class PieceTurns {
  readonly #sources: PieceSource[] = [];
  readonly #owed: Record<PieceRank, number> = { base: 0, reliable: 0, upper: 0 };

  /** Sources that take turns. */
  get size(): number {
    return this.#sources.length;
  }

  add(source: PieceSource): void {
    this.#sources.push(source);
  }

  remove(source: PieceSource): void {
    const at = this.#sources.indexOf(source);
    if (at >= 0) this.#sources.splice(at, 1);
  }

  /** Whose turn it is, and with which piece. */
  next(now: number): { readonly source: PieceSource; readonly piece: WaitingPiece } | undefined {
    const first: Partial<Record<PieceRank, { source: PieceSource; piece: WaitingPiece }>> = {};
    for (const source of this.#sources) {
      const piece = source.next(now);
      if (piece !== undefined) first[piece.rank] ??= { source, piece };
    }
    for (const rank of RANKS) if (first[rank] === undefined) this.#owed[rank] = 0;
    const owed = RANKS.find((rank) => {
      const bytes = first[rank]?.piece.packet.bytes.length;
      return bytes !== undefined && rank !== "base" && this.#owed[rank] >= bytes;
    });
    return (owed && first[owed]) ?? first.base ?? first.reliable ?? first.upper;
  }

  /** The piece that `next` named went: of several of a rank, another one is next. */
  went(source: PieceSource, { rank, packet }: WaitingPiece): void {
    const { length } = packet.bytes;
    for (const other of RANKS) {
      const owed = this.#owed[other] + (other === rank ? -length : SHARES[other] * length);
      this.#owed[other] = Math.min(MOST_OWED, Math.max(0, owed));
    }
    this.remove(source);
    this.add(source);
  }
}
