import { expect, test } from "vitest";
import { typedParameters } from "./query-values.ts";
import { boolean, integer, list, number, object, optional, text } from "./shape.ts";

const { schema } = object<{ n: number; x: number; yes: boolean; names: readonly string[]; name: string }>({
  n: integer(0, 9),
  x: optional(number(0, 9)),
  yes: boolean(),
  names: list(text({ max: 9 }), { max: 9 }),
  name: text({ max: 9 }),
});
const typed = (parameters: Record<string, string>, queried = Object.keys(parameters)) =>
  typedParameters(parameters, queried, schema);

test("text of a query becomes what the schema wants", () => {
  expect(typed({ n: "5", x: "17.5", yes: "true", names: "a, b,c", name: "7", other: "8" })).toEqual({
    n: 5,
    x: 17.5,
    yes: true,
    names: ["a", "b", "c"],
    name: "7",
    other: "8",
  });
  expect(typed({ n: "-5", yes: "false" })).toEqual({ n: -5, yes: false });
});

test("what does not read so stays text, and so does all that came in the body", () => {
  const odd = { n: "", x: "0x10", yes: "yes" };
  expect(typed(odd)).toEqual(odd);
  for (const n of ["1e3", " 1", "1 ", "Infinity", "NaN", "1.", "+1", "9".repeat(400)]) {
    expect(typed({ n })).toEqual({ n });
  }
  expect(typed({ n: "5", x: "6" }, ["x"])).toEqual({ n: "5", x: 6 });
  expect(typed({ constructor: "5", toString: "6" })).toEqual({ constructor: "5", toString: "6" });
});
