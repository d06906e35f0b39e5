import { describe, expect, test } from "vitest";
import {
  AGENT_ID,
  anyObject,
  boolean,
  hexBytes,
  integer,
  list,
  number,
  object,
  oneOf,
  optional,
  readShape,
  type Shape,
  text,
  UUID_V7,
} from "./shape.ts";

type Inner = { readonly id: number; readonly note?: string };
const INNER = object<Inner>({ id: integer(0, 9), note: optional(text({ max: 3 })) });
const OUTER = object<{ readonly items: readonly Inner[] }>({ items: list(INNER, { min: 1, max: 2 }) });

describe("objects and lists", () => {
  test("what fits is handed on as it is", () => {
    const value = { items: [{ id: 1, note: "abc" }, { id: 2 }] };
    const read = readShape(OUTER, value, "o");
    expect(read.ok && read.value === value).toBe(true);
  });

  test.each<[value: unknown, at: string]>([
    [null, "o"],
    [[], "o"],
    ["items", "o"],
    [{}, "o.items"],
    [{ items: {} }, "o.items"],
    [{ items: [] }, "o.items"],
    [{ items: [{ id: 1 }, { id: 1 }, { id: 1 }] }, "o.items"],
    [{ items: [{ id: 1 }, { id: 10 }] }, "o.items[1].id"],
    [{ items: [{ id: 1 }, null] }, "o.items[1]"],
    [{ items: [{ id: 1, note: "abcd" }] }, "o.items[0].note"],
    [{ items: [{ id: 1, note: null }] }, "o.items[0].note"],
    [{ items: [{ id: 1, more: 1 }] }, "o.items[0].more"],
    [{ items: [{ id: 1 }], extra: 1 }, "o.extra"],
    [JSON.parse('{"items":[{"id":1}],"__proto__":{}}'), "o.__proto__"],
  ])("%j is at fault at %s", (value, at) => {
    expect(readShape(OUTER, value, "o")).toMatchObject({ ok: false, fault: { code: "field-invalid", at } });
  });

  test("an inherited member is no member", () => {
    const value = Object.create({ items: [{ id: 1 }] });
    expect(readShape(OUTER, value, "o")).toMatchObject({ fault: { at: "o.items" } });
  });

  test("an open object lets members it does not know be", () => {
    const open = object<Inner>({ id: integer(0, 9), note: optional(text({ max: 3 })) }, { open: true });
    expect(readShape(open, { id: 1, other: [] }, "o").ok).toBe(true);
    expect(readShape(open, { id: 10, other: [] }, "o").ok).toBe(false);
  });
});

describe("scalars", () => {
  const refused: readonly [shape: Shape<unknown>, values: readonly unknown[]][] = [
    [integer(0, 9), [-1, 10, 1.5, "1", null, Number.NaN, 2 ** 53]],
    [number(-1, 1), [-1.5, 1.5, "0", Number.NaN, Number.POSITIVE_INFINITY, null]],
    [text({ max: 3, min: 1, pattern: /^[a-z]*$/ }), ["", "abcd", "A", 1, null]],
    [oneOf("a", "b"), ["c", "A", 1, null]],
    [oneOf(0, 1), ["0", 2, false]],
    [hexBytes(2), ["abcde", "abc", "ABCD", "ghij", 1234]],
    [AGENT_ID, ["0".repeat(63), "0".repeat(65), `${"0".repeat(63)}A`]],
    [
      UUID_V7,
      [
        "0198c1f2-7c1e-4a55-9d11-0242ac120002",
        "0198c1f2-7c1e-7a55-cd11-0242ac120002",
        "0198C1F2-7C1E-7A55-9D11-0242AC120002",
      ],
    ],
  ];
  test.each(refused)("%o", (shape, values) => {
    for (const value of values) expect(shape.check(value, "x"), String(value)).toMatchObject({ at: "x" });
  });

  test("what fits", () => {
    const accepted: readonly [shape: Shape<unknown>, value: unknown][] = [
      [integer(0, 9), 9],
      [number(-1, 1), -0.25],
      [text({ max: 3 }), ""],
      [oneOf("a", "b"), "b"],
      [hexBytes(2), "00ff"],
      [UUID_V7, "0198c1f2-7c1e-7a55-9d11-0242ac120002"],
    ];
    for (const [shape, value] of accepted) expect(shape.check(value, "x")).toBeUndefined();
  });
});

test("a shape tells its form as JSON Schema", () => {
  const shape = object<{ readonly a: number; readonly b?: readonly string[] }>({
    a: integer(0, 9),
    b: optional(list(oneOf("x", "y"), { max: 2 })),
  });
  expect(shape.schema).toEqual({
    type: "object",
    properties: {
      a: { type: "integer", minimum: 0, maximum: 9 },
      b: { type: "array", items: { enum: ["x", "y"] }, minItems: 0, maxItems: 2 },
    },
    required: ["a"],
    additionalProperties: false,
  });
  expect(object<object>({}, { open: true }).schema).toMatchObject({ additionalProperties: true });
  expect(hexBytes(2).schema).toEqual({ type: "string", pattern: "^[0-9a-f]{4}$" });
  expect(boolean().schema).toEqual({ type: "boolean" });
  expect(anyObject().schema).toEqual({ type: "object" });
});
