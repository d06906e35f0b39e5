/** A thousand calls made and ended over real sockets: the server's memory and handles are as after a hundred. */
import { expect, it } from "vitest";
import { churn } from "../../bench/churn.ts";

/** What memory may differ by for reasons of its own, and for what 1,800 more agents registered with. */
const SLACK_BYTES = 48 * 2 ** 20;

it("gives back what calls took", async () => {
  const [early, late] = await churn([100, 1_000]);
  expect(late?.failed).toBe(0);
  expect(late?.server.handles).toBeLessThanOrEqual((early?.server.handles ?? 0) + 2);
  expect(late?.server.memory).toBeLessThan((early?.server.memory ?? 0) + SLACK_BYTES);
});
