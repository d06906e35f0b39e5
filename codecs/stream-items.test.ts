import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  encodeStreamItems,
  encodeStreamStart,
  MAX_STREAM_ITEM_BYTES,
  StreamItemReader,
} from "./stream-items.ts";

function join(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

interface Outcome {
  readonly flow: number | undefined;
  readonly items: readonly string[];
  readonly fault: string | undefined;
  readonly end: string | undefined;
}

/** What comes out of a stream handed over in pieces cut at `cuts`. */
function read(wire: Uint8Array, cuts: readonly number[], maxItemBytes?: number): Outcome {
  const reader = new StreamItemReader(maxItemBytes);
  const items: string[] = [];
  let fault: string | undefined;
  let from = 0;
  for (const to of [...cuts, wire.length].sort((a, b) => a - b)) {
    // A copy, wiped after the push, shows what the reader kept that it should have copied.
    const chunk = wire.slice(from, to);
    const got = reader.push(chunk);
    items.push(...got.items.map((item) => item.toHex()));
    fault ??= got.fault?.message;
    chunk.fill(0xee);
    from = to;
  }
  return { flow: reader.flow, items, fault, end: reader.end()?.message };
}

const item = fc.uint8Array({ minLength: 1, maxLength: 200 });

describe("a stream", () => {
  it("gives the same items however it is cut", () => {
    fc.assert(
      fc.property(
        fc.nat(2 ** 20),
        fc.array(item, { maxLength: 8 }),
        fc.array(fc.nat(2000), { maxLength: 30 }),
        (flow, items, cuts) => {
          const wire = join(encodeStreamStart(flow), encodeStreamItems(items));
          const outcome = read(
            wire,
            cuts.map((cut) => cut % (wire.length + 1)),
          );
          expect(outcome).toEqual({
            flow,
            items: items.map((bytes) => bytes.toHex()),
            fault: undefined,
            end: undefined,
          });
        },
      ),
    );
  });

  it("gives the same items byte by byte, long ones too", () => {
    const items = [1, 63, 64, 5000, 20_000].map((length) => new Uint8Array(length).fill(length));
    const wire = join(encodeStreamStart(77), encodeStreamItems(items));
    const outcome = read(
      wire,
      Array.from({ length: wire.length }, (_, at) => at),
    );
    expect(outcome.items).toEqual(items.map((bytes) => bytes.toHex()));
    expect(outcome).toEqual(read(wire, []));
  });

  it("of any bytes gives the same items and the same fault however it is cut", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 120 }),
        fc.array(fc.nat(120), { maxLength: 12 }),
        (junk, cuts) => {
          const whole = read(junk, [], 50);
          expect(
            read(
              junk,
              cuts.map((cut) => cut % (junk.length + 1)),
              50,
            ),
          ).toEqual(whole);
        },
      ),
      { numRuns: 500 },
    );
  });

  it("that is cut anywhere says so at its end, except between items", () => {
    const wire = join(encodeStreamStart(300), encodeStreamItems([new Uint8Array(3), new Uint8Array(100)]));
    const between = [2, 6, wire.length];
    for (let length = 0; length <= wire.length; length++) {
      const { fault, end } = read(wire.subarray(0, length), []);
      expect(fault).toBeUndefined();
      expect(end === undefined, `cut at ${length}`).toBe(between.includes(length));
    }
  });

  it("may use longer varints than needed", () => {
    const outcome = read(Uint8Array.fromHex("4002" + "80000001" + "aa"), []);
    expect(outcome).toEqual({ flow: 2, items: ["aa"], fault: undefined, end: undefined });
  });

  it("that writes items singly or together is the same stream", () => {
    const items = [Uint8Array.of(1), Uint8Array.of(2, 3)];
    expect(encodeStreamItems(items)).toEqual(join(...items.map((bytes) => encodeStreamItems([bytes]))));
  });
});

describe("a reader", () => {
  it("refuses an item over its cap before the item comes, and nothing after it", () => {
    const reader = new StreamItemReader(100);
    const wire = join(encodeStreamStart(4), encodeStreamItems([new Uint8Array(100), new Uint8Array(101)]));
    const { items, fault } = reader.push(wire.subarray(0, 1 + 2 + 100 + 2));
    expect(items.length).toBe(1);
    expect(fault).toEqual({
      code: "stream-malformed",
      message: "an item is longer than 100 bytes",
      at: "byte 105",
    });
    expect(reader.push(Uint8Array.of(1, 7))).toEqual({ items: [], fault });
    expect(reader.end()).toEqual(fault);
  });

  it("refuses an unfinished item when the cap is lowered below it", () => {
    const reader = new StreamItemReader();
    expect(reader.push(Uint8Array.fromHex("04" + "4400" + "aabb"))).toEqual({ items: [], fault: undefined });
    expect(reader.flow).toBe(4);
    reader.maxItemBytes = 1000;
    expect(reader.push(Uint8Array.of(1)).fault?.code).toBe("stream-malformed");
  });

  it.each([
    ["empty item", "0400"],
    ["item of 2^62-1 bytes", "04ffffffffffffffff"],
    ["item of 1 MiB and a byte", "0480100001"],
    ["flow identifier past 2^53-1", "ffffffffffffffff"],
  ])("refuses an %s", (_name, hex) => {
    expect(new StreamItemReader().push(Uint8Array.fromHex(hex)).fault?.code).toBe("stream-malformed");
  });
});

it.each([0, MAX_STREAM_ITEM_BYTES + 1])("an item of %i bytes is not written", (length) => {
  expect(() => encodeStreamItems([new Uint8Array(length)])).toThrow(
    expect.objectContaining({ code: "field-invalid", at: "item" }),
  );
});
