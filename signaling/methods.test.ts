import { expect, it } from "vitest";
import { CATALOG_METHODS, checkMethod, FLOOR_METHODS, isVerb, LEGACY_METHODS } from "./methods.ts";

it("has 18 floor methods, all in the catalog of 425, and 5 legacy verbs outside it with a preferred one inside", () => {
  expect(FLOOR_METHODS.size).toBe(18);
  expect(CATALOG_METHODS.size).toBe(425);
  expect(LEGACY_METHODS.size).toBe(5);
  expect([...FLOOR_METHODS].every((verb) => CATALOG_METHODS.has(verb))).toBe(true);
  for (const [legacy, preferred] of LEGACY_METHODS) {
    expect(CATALOG_METHODS.has(legacy)).toBe(false);
    expect(CATALOG_METHODS.has(preferred)).toBe(true);
  }
});

it("has only method names of the lexical rule", () => {
  for (const verb of CATALOG_METHODS) {
    expect(verb).toMatch(/^[A-Z]{3,32}$/);
  }
});

it.each(["ESTABLISH", "RESUME", "TERMINATE", "QUERY", "SUBSCRIBE", "ADJUST"])("accepts %s", (method) => {
  expect(checkMethod(method)).toEqual({ ok: true, value: method });
});

it.each([
  "ADAPT",
  "RENEGOTIATE",
  "REATTACH",
  "ANSWER",
  "HOLD",
  "END",
  "RECORD",
  "X-QUERY",
  "query",
  "",
  "constructor",
])("refuses %j as 459", (method) => {
  expect(checkMethod(method)).toMatchObject({
    ok: false,
    fault: { code: "method-unknown", details: { method } },
  });
});

it("names the verb to use instead of a legacy one", () => {
  expect(checkMethod("GET")).toMatchObject({
    ok: false,
    fault: { details: { method: "GET", preferred: "FETCH" } },
  });
  expect(isVerb("GET")).toBe(true);
  expect(isVerb("SESSIONS")).toBe(false);
});
