import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type TimerKind, Timers } from "./timers.ts";

describe("timers", () => {
  test("give every deadline once, the earliest first, whatever was set, moved and cleared", () => {
    const kinds: readonly TimerKind[] = ["ttl", "idle", "ring"];
    const action = fc.record({
      kind: fc.constantFrom(...kinds),
      id: fc.constantFrom("a", "b", "c", "d"),
      at: fc.option(fc.integer({ min: 0, max: 1000 }), { nil: undefined }),
    });
    fc.assert(
      fc.property(fc.array(action, { maxLength: 300 }), fc.integer({ min: 0, max: 1000 }), (actions, now) => {
        const timers = new Timers();
        const model = new Map<string, number>();
        for (const { kind, id, at } of actions) {
          if (at === undefined) {
            timers.clear(kind, id);
            model.delete(`${kind} ${id}`);
          } else {
            timers.set(kind, id, at);
            model.set(`${kind} ${id}`, at);
          }
        }
        expect(timers.next()).toBe(model.size === 0 ? undefined : Math.min(...model.values()));
        const fired: number[] = [];
        for (let due = timers.due(now); due !== undefined; due = timers.due(now)) {
          const key = `${due.kind} ${due.id}`;
          fired.push(model.get(key) ?? Number.NaN);
          model.delete(key);
        }
        expect(fired).toEqual([...fired].sort((left, right) => left - right));
        expect([...model.values()].filter((at) => at <= now)).toEqual([]);
      }),
    );
  });
});
