import { expect, it } from "vitest";
import { ItemPieces } from "./item-pieces.ts";
import { encodeStreamItems, encodeStreamStart } from "./stream-items.ts";
import { piecesOf } from "./unit-stream.ts";

const LENGTHS = [1, 63, 64, 1_097, 1_098, 1_099, 2_198, 2_199, 16_384, 5];
const items = LENGTHS.map((length) => new Uint8Array(length).fill(255));
const stream = new Uint8Array([...encodeStreamStart(300), ...encodeStreamItems(items)]);

it.each([1, 7, 1_100, 40_000])("counts the pieces of items, whatever is read at once: %d bytes", (size) => {
  const counter = new ItemPieces();
  const pieces = [];
  for (let at = 0; at < stream.length; at += size)
    pieces.push(...counter.push(stream.subarray(at, at + size)));
  expect(pieces.map(({ number }) => number)).toEqual(pieces.map((_, index) => index));
  expect(pieces.length).toBe(LENGTHS.reduce((sum, length) => sum + piecesOf(length), 0));
  expect(pieces.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(encodeStreamItems(items).length);
  expect(Math.max(...pieces.map(({ bytes }) => bytes))).toBe(1_100);
});

it("tells a piece of an item that is still on its way", () => {
  const counter = new ItemPieces();
  expect(counter.push(stream.subarray(0, 2))).toEqual([]);
  const item = encodeStreamItems([new Uint8Array(3_000)]);
  expect(counter.push(item.subarray(0, 1_099))).toEqual([]);
  expect(counter.push(item.subarray(1_099, 1_101))).toEqual([{ number: 0, bytes: 1_100 }]);
});
