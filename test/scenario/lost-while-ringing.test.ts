/** Callees that leave while it rings: on purpose, or because their connection broke. */
import { describe, expect, it } from "vitest";
import type { Connection } from "../../sfu/carrier.ts";
import { RETURN_GRACE } from "../../signaling/switchboard/ringing.ts";
import { MemoryNetwork } from "../../transports/memory.ts";
import { ORIGIN, World } from "./world.ts";

/** Bob's connection ends with code 0 while Ada's call rings at him; `breaks`: nobody ended it. Returns when Ada is told what. */
async function ended(breaks: boolean) {
  const world = new World();
  const network = new MemoryNetwork({ clock: world.clock });
  network.listen("127.0.0.1:4480", (connection: Connection) => {
    const handlers = world.server.accept(connection, [ORIGIN]);
    return { ...handlers, closed: (info) => handlers.closed(breaks ? { ...info, isLost: true } : info) };
  });
  const ada = await world.agent("Ada");
  const bob = await world.agent("Bob", {}, network);
  let rang = false;
  bob.onCall(() => {
    rang = true;
  });
  let outcome = "rings";
  let toldAt = 0;
  void ada.call(bob.id).then(
    () => {
      outcome = "up";
    },
    (error) => {
      outcome = error.code;
      toldAt = world.clock.now();
    },
  );
  await world.clock.advance(100);
  expect([rang, outcome]).toEqual([true, "rings"]);
  const left = world.clock.now();
  void bob.close();
  await world.clock.advance(2 * RETURN_GRACE);
  return { outcome, after: toldAt - left };
}

describe("a callee that leaves while it rings", () => {
  it("is given up at once where it closed its connection", async () => {
    const { outcome, after } = await ended(false);
    expect(outcome).toBe("callee-unreachable");
    expect(after).toBeLessThan(100);
  });

  it("has 5 s to come back where the connection broke", async () => {
    const { outcome, after } = await ended(true);
    expect(outcome).toBe("callee-unreachable");
    expect(after).toBeGreaterThanOrEqual(RETURN_GRACE);
    expect(after).toBeLessThan(RETURN_GRACE + 100);
  });
});
