import { readFileSync } from "node:fs";
import foreign from "canonicalize";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  canonicalBytes,
  canonicalize,
  isJsonObject,
  MAX_JSON_DEPTH,
  parseCanonical,
  parseJson,
} from "./canonical-json.ts";
import { ParleyError } from "./parley-error.ts";

const vectors = new URL("../test/vectors/rfc8785/", import.meta.url);
const vector = (name: string) => new Uint8Array(readFileSync(new URL(name, vectors)));
const utf8 = (text: string) => new TextEncoder().encode(text);
const NAMES = [
  "section-3.2.2",
  "section-3.2.3",
  "arrays",
  "french",
  "structures",
  "unicode",
  "values",
  "weird",
];

describe("canonical JSON", () => {
  it.each(NAMES)("writes the known answer %s", (name) => {
    const value = JSON.parse(new TextDecoder().decode(vector(`${name}.in`)));
    expect(canonicalBytes(value)).toEqual(vector(`${name}.out`));
  });

  it.each(NAMES)("reads the known answer %s back and refuses its free form", (name) => {
    const read = parseCanonical(vector(`${name}.out`));
    expect(read.ok && canonicalBytes(read.value)).toEqual(vector(`${name}.out`));
    expect(parseCanonical(vector(`${name}.in`))).toMatchObject({
      ok: false,
      fault: { code: "json-not-canonical" },
    });
  });

  const rows = new TextDecoder().decode(vector("appendix-b.txt")).trim().split("\n");
  it.each(rows.map((row) => row.split(" ") as [string, string]))(
    "writes the double %s as %s",
    (bits, text) => {
      const view = new DataView(new ArrayBuffer(8));
      view.setBigUint64(0, BigInt(`0x${bits}`));
      if (text === "-") {
        expect(() => canonicalize(view.getFloat64(0))).toThrow(ParleyError);
      } else {
        expect(canonicalize(view.getFloat64(0))).toBe(text);
      }
    },
  );

  it("has every row of Appendix B", () => {
    expect(rows).toHaveLength(26);
  });

  it.each([
    ["undefined", undefined, "$"],
    ["an undefined member", { a: { b: undefined } }, "$.a.b"],
    ["a hole", new Array(1), "$[0]"],
    ["NaN", { n: [Number.NaN] }, "$.n[0]"],
    ["infinity", Number.POSITIVE_INFINITY, "$"],
    ["a bigint", { n: 1n }, "$.n"],
    ["a function", { f: () => 1 }, "$.f"],
    ["a symbol", [Symbol("s")], "$[0]"],
    ["a date", { d: new Date(0) }, "$.d"],
    ["bytes", { b: new Uint8Array(2) }, "$.b"],
    ["a map", new Map(), "$"],
    ["an object with an inherited member", Object.create({ a: 1 }), "$"],
    ["a lone surrogate", ["\ud800"], "$[0]"],
    ["a lone surrogate in a name", { "\udc00": 1 }, "$.\udc00"],
  ])("refuses %s and names the place", (_, value, at) => {
    expect(() => canonicalize(value)).toThrow(expect.objectContaining({ code: "json-unrepresentable", at }));
  });

  it("takes objects without a prototype", () => {
    expect(canonicalize(Object.assign(Object.create(null), { b: 1, a: 2 }))).toBe('{"a":2,"b":1}');
  });

  it("nests to the cap and no deeper, cycles included", () => {
    const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
    expect(parseCanonical(utf8(nested(MAX_JSON_DEPTH))).ok).toBe(true);
    expect(parseCanonical(utf8(nested(MAX_JSON_DEPTH + 1))).ok).toBe(false);
    expect(parseJson(utf8(nested(200_000))).ok).toBe(false);
    const cycle: unknown[] = [];
    cycle.push(cycle);
    expect(() => canonicalize(cycle)).toThrow(ParleyError);
  });

  it.each([
    ["a byte order mark", "\ufeff{}", "byte 0"],
    ["white space", '{"a": 1}', "byte 5"],
    ["unsorted members", '{"b":1,"a":2}', "byte 2"],
    ["a duplicate member", '{"a":1,"a":1}', "byte 6"],
    ["a duplicate by escape", '{"a":1,"\\u0061":1}', "byte 6"],
    ["a needless escape", '"\\u0041"', "byte 1"],
    ["an escaped slash", '"\\/"', "byte 1"],
    ["upper-case hex", '"\\u000F"', "byte 6"],
    ["minus zero", "-0", "byte 0"],
    ["a fraction of zero", "1.0", "byte 1"],
    ["an exponent", "1e2", "byte 1"],
    ["too many digits", "0.10000000000000000555", "byte 3"],
    ["a number beyond binary64", "1e400", "$"],
    ["a lone surrogate", '"\\ud800"', "$"],
    ["two values", "1 2", "byte 0"],
    ["nothing", "", "byte 0"],
    ["a difference after a wide character", '{"é😀":1, "ü":2}', "byte 12"],
  ])("decodes strictly: refuses %s", (_, text, at) => {
    expect(parseCanonical(utf8(text))).toMatchObject({
      ok: false,
      fault: { code: "json-not-canonical", at },
    });
  });

  it("decodes strictly: refuses what is not UTF-8", () => {
    expect(parseCanonical(new Uint8Array([0x22, 0xc3, 0x28, 0x22])).ok).toBe(false);
    expect(parseCanonical(new Uint8Array([0x22, 0xed, 0xa0, 0x80, 0x22])).ok).toBe(false);
  });

  it("keeps a member named __proto__ a member", () => {
    const text = '{"__proto__":{"a":1},"b":2}';
    const read = parseCanonical(utf8(text));
    expect(read.ok && canonicalize(read.value)).toBe(text);
  });

  it("agrees with a foreign implementation, and reads back what it wrote", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        const bytes = canonicalBytes(value);
        expect(new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes)).toBe(foreign(value));
        const read = parseCanonical(bytes);
        expect(read.ok && canonicalBytes(read.value)).toEqual(bytes);
      }),
      { numRuns: 500 },
    );
  });

  it("takes what another writer wrote exactly where that is the canonical form", () => {
    let taken = 0;
    const name = fc.oneof(fc.constantFrom("a", "b", "10", "9", "__proto__", "\ue000", "😀"), fc.string());
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { depthSize: "small" },
        fc.jsonValue({ maxDepth: 0 }),
        fc.array(tie("value"), { maxLength: 3 }),
        fc
          .array(fc.tuple(name, tie("value")), { maxLength: 4 })
          .map((entries) => Object.fromEntries(entries)),
      ),
    }));
    fc.assert(
      fc.property(value, (written) => {
        const text = JSON.stringify(written);
        const isCanonical = foreign(JSON.parse(text)) === text;
        taken += Number(isCanonical);
        expect(parseCanonical(utf8(text)).ok).toBe(isCanonical);
      }),
      { numRuns: 500 },
    );
    expect(taken).toBeGreaterThan(100);
  });

  it.each([64, 65])("reads nesting of depth 64 and no deeper: %d", (depth) => {
    const text = "[".repeat(depth) + "]".repeat(depth);
    const isRead = depth <= MAX_JSON_DEPTH;
    expect([parseCanonical(utf8(text)).ok, parseJson(utf8(text)).ok]).toEqual([isRead, isRead]);
  });

  it("agrees with a foreign implementation on any text and any double", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "binary" }),
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        (text, double) => {
          const value = { [text]: double, t: text };
          expect(canonicalize(value)).toBe(foreign(value));
        },
      ),
      { numRuns: 400 },
    );
  });

  it("answers junk bytes with a fault or with a value that has a canonical form", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const strict = parseCanonical(bytes);
        const loose = parseJson(bytes);
        expect(strict.ok && canonicalBytes(strict.value)).toEqual(strict.ok && bytes);
        expect(!loose.ok || typeof canonicalize(loose.value) === "string").toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  it("reads any JSON loosely, the last duplicate counting", () => {
    expect(parseJson(utf8(' {"a":1, "a":2} '))).toEqual({ ok: true, value: { a: 2 } });
    expect(parseJson(utf8("{"))).toMatchObject({ ok: false, fault: { code: "body-malformed" } });
    expect(parseJson(utf8('["\\ud800"]'))).toMatchObject({ ok: false, fault: { at: "$[0]" } });
  });

  it("tells objects from everything else", () => {
    expect([{}, [], null, 1, "x", undefined].map((value) => isJsonObject(value))).toEqual([
      true,
      false,
      false,
      false,
      false,
      false,
    ]);
  });
});
