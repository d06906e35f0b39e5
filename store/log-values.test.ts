import { expect, test } from "vitest";
import { decodeChange, encodeChange } from "./log-values.ts";

test("a change of an agent's status comes back as it was; where it does not say whose it is, it counts as the operator's", () => {
  const change = { status: "suspended", at: 1_767_225_600_000, atLeast: "deprecated" } as const;
  expect(decodeChange(encodeChange(change))).toEqual(change);
  expect(decodeChange("suspended 1767225600000")).toEqual({ ...change, atLeast: "suspended" });
});
