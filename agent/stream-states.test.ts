import { expect, it } from "vitest";
import { ParleyError } from "../codecs/parley-error.ts";
import { StreamStates } from "./stream-states.ts";

/** What is told of streams to a server that may refuse it with a code, and how long was waited each time. */
function telling() {
  const told: string[] = [];
  const pauses: number[] = [];
  const reported: unknown[] = [];
  const refusals: string[] = [];
  const states = new StreamStates({
    tell: async (notice) => {
      const code = refusals.shift();
      if (code !== undefined) throw new ParleyError({ code: code as "offline", message: "Not now." });
      if (notice.event === "stream-held") told.push(`${notice.stream} held ${notice.held}`);
      if (notice.event === "stream-muted") told.push(`${notice.stream} muted ${notice.muted}`);
    },
    pause: async (ms) => {
      pauses.push(ms);
    },
    isOver: () => false,
    report: (error) => reported.push(error),
  });
  return { states, told, pauses, reported, refusals };
}

const soon = () => new Promise((resolve) => setImmediate(resolve));

it("another process of the server is told again what is muted and held, and nothing of what is not any more", async () => {
  const { states, told } = telling();
  states.hold(1, true);
  states.mute(2, true);
  states.hold(3, true);
  states.mute(4, true);
  await soon();
  states.hold(3, false);
  states.forget(4);
  await soon();
  told.length = 0;
  states.again();
  await soon();
  expect(told).toEqual(["1 held true", "2 muted true"]);
  states.again();
  states.hold(1, false);
  await soon();
  expect(told.at(-1)).toBe("1 held false");
});

it("of several changes in a row the last is told, and nothing where it is known", async () => {
  const { states, told } = telling();
  states.hold(1, true);
  states.hold(1, false);
  states.hold(1, true);
  await soon();
  expect(told).toEqual(["1 held true"]);
  states.hold(1, true);
  await soon();
  expect(told).toHaveLength(1);
});

it("a server that does not listen for now is told once it does, and one that never will is not", async () => {
  const { states, told, pauses, reported, refusals } = telling();
  refusals.push("rate-limited", "connection-lost");
  states.mute(1, true);
  await soon();
  expect([told, pauses.length]).toEqual([["1 muted true"], 2]);
  refusals.push("field-invalid");
  states.mute(2, true);
  await soon();
  expect([told.length, pauses.length, reported]).toEqual([1, 2, []]);
});
