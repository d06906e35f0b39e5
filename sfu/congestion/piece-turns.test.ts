import { describe, expect, it } from "vitest";
import { type PieceRank, type PieceSource, PieceTurns } from "./piece-turns.ts";

/** Has so many pieces of 1,000 bytes. */
function source(rank: PieceRank, ssrc: number, count = Number.POSITIVE_INFINITY): PieceSource {
  let left = count;
  const packet = { ssrc, sequence: 0, bytes: new Uint8Array(1_000), kind: "video", deadline: 9 } as const;
  const send = () => {
    left -= 1;
  };
  return { next: () => (left > 0 ? { rank, packet } : undefined), send };
}

/** How many pieces of each source go in so many turns. */
function turns(sources: readonly PieceSource[], count: number): Map<number, number> {
  const all = new PieceTurns();
  for (const one of sources) all.add(one);
  const went = new Map<number, number>();
  for (let turn = 0; turn < count; turn += 1) {
    const next = all.next(turn);
    if (next === undefined) break;
    next.source.send(turn);
    all.went(next.source, next.piece);
    const { ssrc } = next.piece.packet;
    went.set(ssrc, (went.get(ssrc) ?? 0) + 1);
  }
  return went;
}

describe("the turns of pieces", () => {
  it("go to what everything needs first, and starve nobody for good", () => {
    const went = turns([source("upper", 3), source("reliable", 2), source("base", 1)], 1_300);
    expect(went.get(1)).toBeGreaterThan(950);
    expect(went.get(2)).toBeGreaterThan(150);
    expect(went.get(3)).toBeGreaterThan(80);
  });

  it("go round among sources of one rank", () => {
    const went = turns([source("base", 1), source("base", 2), source("base", 3)], 300);
    expect([...went.values()]).toEqual([100, 100, 100]);
  });

  it("owe nobody for the time in which it had nothing to send", () => {
    const all = new PieceTurns();
    const ranks: PieceRank[] = [];
    const turn = () => {
      const next = all.next(0);
      if (next === undefined) throw new Error("nobody's turn");
      all.went(next.source, next.piece);
      ranks.push(next.piece.rank);
    };
    all.add(source("base", 1));
    for (let count = 0; count < 100; count += 1) turn();
    all.add(source("reliable", 2));
    all.add(source("upper", 3));
    for (let count = 0; count < 10; count += 1) turn();
    expect(ranks.slice(100).filter((rank) => rank !== "base").length).toBeLessThanOrEqual(3);
  });

  it("go to who is left", () => {
    expect(turns([source("base", 1, 5), source("upper", 3)], 50)).toEqual(
      new Map([
        [1, 5],
        [3, 45],
      ]),
    );
    expect(turns([source("base", 1, 5)], 50)).toEqual(new Map([[1, 5]]));
  });
});
