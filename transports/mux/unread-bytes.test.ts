import { describe, expect, test } from "vitest";
import { SeededRandom } from "../../src/emulation/seeded-random.ts";
import { UnreadBytes } from "./unread-bytes.ts";

describe("unread bytes", () => {
  test("come out as they came in, however they were cut and read", () => {
    const random = new SeededRandom(7);
    for (let run = 0; run < 50; run++) {
      const unread = new UnreadBytes();
      const [given, got]: [Uint8Array[], Uint8Array[]] = [[], []];
      for (let step = 0; step < 200; step++) {
        const piece = random.bytes(1 + random.integer(random.integer(4) === 0 ? 6_000 : 40));
        unread.add(piece);
        given.push(piece.slice());
        piece.fill(0);
        if (random.integer(3) === 0) got.push(unread.take()?.slice() ?? new Uint8Array());
      }
      for (let piece = unread.take(); piece !== undefined; piece = unread.take()) got.push(piece.slice());
      expect(Buffer.concat(got).equals(Buffer.concat(given))).toBe(true);
    }
  });

  test("of a peer that sends single bytes take little more memory than they are", () => {
    const unread = new UnreadBytes();
    for (let index = 0; index < 65_536; index++) unread.add(Uint8Array.of(index));
    const buffers: number[] = [];
    for (let piece = unread.take(); piece !== undefined; piece = unread.take())
      buffers.push(piece.buffer.byteLength);
    expect(buffers).toEqual(Array.from({ length: 16 }, () => 4_096));
  });

  test("of large chunks stay as they came", () => {
    const unread = new UnreadBytes();
    for (const length of [4_096, 16_384, 16_384]) unread.add(new Uint8Array(length));
    expect(
      [unread.take(), unread.take(), unread.take(), unread.take()].map((piece) => piece?.length),
    ).toEqual([4_096, 16_384, 16_384, undefined]);
  });

  test("that are cleared are gone", () => {
    const unread = new UnreadBytes();
    unread.add(Uint8Array.of(1, 2));
    unread.clear();
    expect(unread.take()).toBeUndefined();
    unread.add(Uint8Array.of(3));
    expect(unread.take()).toEqual(Uint8Array.of(3));
  });
});
