import { expect, it } from "vitest";
import { Allowance } from "./allowance.ts";

it("gives what it promised when it promised, at any instant", () => {
  for (let start = 0; start < 2_000; start += 1) {
    let now = 1_767_225_600_000 + start * 0.3701;
    const allowance = new Allowance({ perSecond: 10, burst: 10 }, now);
    for (let taken = 0; taken < 30; taken += 1) {
      now = allowance.nextAt(now);
      expect(allowance.take(now)).toBe(true);
    }
  }
});
