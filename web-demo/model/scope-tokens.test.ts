import { expect, test } from "vitest";
import { EVERYTHING, scopeWithin, spelledOut } from "./scope-tokens.ts";

test("one word for everything is spelled out, so that parts of it can be given up", () => {
  expect(spelledOut(["communication:bilateral", "communication:interrupt"])).toEqual([
    "communication:audio:capture",
    "communication:audio:transmit",
    "communication:video:capture",
    "communication:video:transmit",
    "communication:data:capture",
    "communication:data:transmit",
    "communication:interrupt",
  ]);
});

test("pictures are claimed only where the call is offered with them", () => {
  expect(scopeWithin(["communication:bilateral"])).toEqual({ scope: EVERYTHING });
  expect(scopeWithin(["communication:audio:transmit"])).toEqual({});
});
