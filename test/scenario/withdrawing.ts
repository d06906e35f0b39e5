/** Calls that nobody wants any more by the time they would be up. */
import { describe, expect, it } from "vitest";
import type { Agent } from "../../agent/agent.ts";
import type { CallEnd } from "../../agent/call-ending.ts";
import type { ParleyError } from "../../codecs/parley-error.ts";
import { World } from "./world.ts";

const ONE_WAY = 20;
const link = {
  datagram: (_bytes: number, now: number) => now + ONE_WAY,
  reliable: (_bytes: number, now: number) => now + ONE_WAY,
};

/** With one connection for requests and media, or with one of its own for media. */
type Way = "separate" | "network";

/** Ada calls Bob, who takes every call; `outcome` is what either is told. */
async function scene(from: Way, to: Way, signals: { ada?: AbortSignal; bob?: AbortSignal } = {}) {
  const world = new World({ toServer: link, toClient: link });
  const ada = await world.agent("Ada", {}, world[from]);
  const bob = await world.agent("Bob", {}, world[to]);
  const outcome: { ada?: string; bob?: string } = {};
  const ends: CallEnd[] = [];
  const tell = (who: "ada" | "bob") => (error: ParleyError) => {
    outcome[who] = error.code;
  };
  bob.onCall((incoming) => {
    void incoming.accept(signals.bob === undefined ? {} : { signal: signals.bob }).then((call) => {
      outcome.bob = "up";
      void call.ended.then((end) => ends.push(end));
    }, tell("bob"));
  });
  const begun = world.clock.now();
  ada.call(bob.id, signals.ada === undefined ? {} : { signal: signals.ada }).then(() => {
    outcome.ada = "up";
  }, tell("ada"));
  return { world, ada, bob, outcome, ends, begun };
}

const up = (agents: readonly Agent[]) => agents.map(({ calls }) => calls.length);

/** Takes calls between these back at moments so many milliseconds apart, from before the first request until long after the last answer. */
export function withdrawCalls(momentsApart: number, ways: readonly (readonly [from: Way, to: Way])[]): void {
  describe.each(ways)("a call from %s to %s", (from, to) => {
    it("that is taken back at any moment before it is up is up nowhere a moment later", async () => {
      for (let moment = 0; moment <= 260; moment += momentsApart) {
        const abort = new AbortController();
        const { world, ada, bob, outcome } = await scene(from, to, { ada: abort.signal });
        await world.clock.advance(moment);
        const told = outcome.ada ?? "cancelled";
        abort.abort();
        await world.clock.advance(1_000);
        const after = `after ${moment} ms`;
        expect(outcome.ada, after).toBe(told);
        expect(up([ada, bob]), after).toEqual(told === "up" ? [1, 1] : [0, 0]);
        expect(world.reported).toEqual([]);
      }
    });

    it("whose caller closes at any moment ends at the other end at once", async () => {
      for (let moment = 0; moment <= 260; moment += momentsApart) {
        const { world, ada, bob, outcome, ends } = await scene(from, to);
        await world.clock.advance(moment);
        const told = outcome.ada ?? "closed";
        await world.during(ada.close(), 1_500);
        await world.clock.advance(500);
        const after = `after ${moment} ms`;
        expect(outcome.ada, after).toBe(told);
        expect(up([ada, bob]), after).toEqual([0, 0]);
        if (outcome.bob === "up") expect(ends, after).toEqual([{ reason: "agent-closed", by: "peer" }]);
      }
    });

    it("whose callee closes at any moment, or takes its answer back, ends at the caller at once", async () => {
      for (let moment = 0; moment <= 260; moment += momentsApart) {
        for (const how of ["closes", "takes back"]) {
          const abort = new AbortController();
          const { world, ada, bob, outcome } = await scene(from, to, { bob: abort.signal });
          await world.clock.advance(moment);
          const wasUp = outcome.bob === "up";
          abort.abort();
          if (how === "closes") await world.during(bob.close(), 1_500);
          await world.clock.advance(500);
          const expected = wasUp && how === "takes back" ? [1, 1] : [0, 0];
          expect(up([ada, bob]), `${how} after ${moment} ms`).toEqual(expected);
          expect(outcome.ada, "nothing is left ringing").toBeDefined();
        }
      }
    });
  });
}
