import { describe, expect, it } from "vitest";
import { encodeUnitItem, encodeUnitStart, PIECE_BYTES, piecesOf, UnitStreamReader } from "./unit-stream.ts";

function unit(bytes: number): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, at) => at % 251);
}

function wire(packet: Uint8Array, { flow = 300, first = 70 } = {}): Uint8Array {
  const [start, item] = [encodeUnitStart(flow, first), encodeUnitItem(packet)];
  const bytes = new Uint8Array(start.length + item.length);
  bytes.set(start);
  bytes.set(item, start.length);
  return bytes;
}

function pieces(reader: UnitStreamReader) {
  const all = [];
  for (let piece = reader.arrived(); piece !== undefined; piece = reader.arrived()) all.push(piece);
  return all;
}

describe("the stream of a unit", () => {
  it("names its flow and the first of its pieces, then length and packet", () => {
    expect([...wire(Uint8Array.of(1, 2, 3))]).toEqual([0x41, 0x2c, 0x40, 0x46, 3, 1, 2, 3]);
  });

  it.each([1, 7, 1_099, 5_000])("is read from chunks of %i bytes", (size) => {
    const packet = unit(3_000);
    const bytes = wire(packet);
    const reader = new UnitStreamReader();
    const came = [];
    for (let at = 0; at < bytes.length; at += size) {
      reader.push(bytes.subarray(at, at + size));
      came.push(...pieces(reader));
    }
    reader.end();
    expect(reader.fault).toBeUndefined();
    expect([reader.flow, reader.packet]).toEqual([300, packet]);
    expect(came.map(({ number }) => number)).toEqual([70, 71, 72]);
    expect(came.reduce((sum, piece) => sum + piece.bytes, 0)).toBe(3_002);
  });

  it("tells of pieces as they come, before the unit is whole", () => {
    const reader = new UnitStreamReader();
    reader.push(wire(unit(3_000)).subarray(0, 4 + PIECE_BYTES));
    expect(pieces(reader)).toEqual([{ number: 70, bytes: PIECE_BYTES }]);
    expect(reader.packet).toBeUndefined();
  });

  it.each([
    [1, 1],
    [1_098, 1],
    [1_099, 2],
    [2_198, 2],
    [2_199, 3],
  ])("of %i bytes has %i pieces", (length, count) => {
    expect(piecesOf(length)).toBe(count);
  });
});

describe("what is no stream of a unit", () => {
  it.each([
    ["an empty one", Uint8Array.of(2, 0, 0)],
    ["one with something after it", Uint8Array.of(2, 0, 1, 9, 9)],
    ["one past the longest", wire(unit(101))],
    ["one whose pieces no number can name", Uint8Array.of(2, ...new Array(8).fill(0xff), 1, 9)],
  ])("is refused: %s", (_name, bytes) => {
    const reader = new UnitStreamReader(100);
    reader.push(bytes);
    expect([reader.fault?.code, reader.packet, reader.bytes]).toEqual(["stream-malformed", undefined, 0]);
  });

  it("ends inside its unit", () => {
    const reader = new UnitStreamReader();
    reader.push(wire(unit(50)).subarray(0, 20));
    reader.end();
    expect(reader.fault?.code).toBe("stream-malformed");
  });

  it("does not make room for what it promises", () => {
    const reader = new UnitStreamReader();
    reader.push(wire(unit(1_000_000)).subarray(0, 12));
    expect(reader.bytes).toBeLessThanOrEqual(2_048);
  });
});
