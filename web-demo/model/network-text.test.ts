import { expect, test } from "vitest";
import { networkText } from "./network-text.ts";

test.each([
  [{ delay: 7 }, "7 ms each way."],
  [
    { delay: 50, jitter: 15, loss: 0.02, rate: 30e6 },
    "50 ms each way, 15 more or less; 2 % lost; 30 Mbit/s.",
  ],
  [{ delay: 20, rate: 300_000 }, "20 ms each way; 0.3 Mbit/s."],
])("%j is said so", (conditions, text) => {
  expect(networkText(conditions)).toBe(text);
});
