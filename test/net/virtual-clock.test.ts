import { setTimeout as reallyWait } from "node:timers/promises";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { VirtualClock } from "./virtual-clock.ts";

describe("virtual clock", () => {
  test("fires timers in order of time, then of being set, and shows each its own time", async () => {
    const clock = new VirtualClock();
    const seen: string[] = [];
    const note = (name: string) => () => void seen.push(`${name}@${clock.now()}`);
    clock.at(30, note("late"));
    clock.at(10, note("first"));
    clock.at(10, note("second"));
    clock.at(10.5, note("between"));
    await clock.advance(20);
    expect(seen).toEqual(["first@10", "second@10", "between@10.5"]);
    expect(clock.now()).toBe(20);
    await clock.run(30);
    expect(seen.at(-1)).toBe("late@30");
  });

  test("runs promise jobs, however long their chain, before the next timer", async () => {
    const clock = new VirtualClock();
    const seen: string[] = [];
    clock.at(1, () => {
      void (async () => {
        for (let i = 0; i < 100; i++) await undefined;
        seen.push("jobs of 1");
      })();
    });
    clock.at(2, () => void seen.push("timer 2"));
    await clock.run(2);
    expect(seen).toEqual(["jobs of 1", "timer 2"]);
  });

  test("fires what a timer or its jobs set within the same run", async () => {
    const clock = new VirtualClock();
    let beats = 0;
    const beat = (): void => {
      beats++;
      void Promise.resolve().then(() => clock.at(clock.now() + 20, beat));
    };
    clock.at(0, beat);
    await clock.run(1000);
    expect(beats).toBe(51);
    expect(clock.pending).toBe(1);
  });

  test("a timer in the past fires at once and time does not go back", async () => {
    const clock = new VirtualClock({ now: 100 });
    let at = 0;
    clock.at(50, () => {
      at = clock.now();
    });
    await clock.advance(0);
    expect(at).toBe(100);
  });

  test("stands still while real work is done, which is handed out in the order in which it was begun", async () => {
    const clock = new VirtualClock();
    const seen: string[] = [];
    const work = async (name: string, ms: number): Promise<void> => {
      await clock.real(reallyWait(ms));
      await Promise.resolve();
      seen.push(`${name}@${clock.now()}`);
    };
    const broken = reallyWait(1).then(() => Promise.reject(new Error("broken")));
    const failed = expect(clock.real(broken)).rejects.toThrow("broken");
    clock.at(5, () => {
      void work("slow", 20);
      void work("quick", 1);
    });
    clock.at(5, () => void seen.push("timer@5"));
    await Promise.all([clock.run(10), clock.run(10)]);
    expect(seen).toEqual(["slow@5", "quick@5", "timer@5"]);
    await failed;
    expect(clock.now()).toBe(10);
  });

  test("cancelling works before, during and after, any number of times", async () => {
    const clock = new VirtualClock();
    let fired = 0;
    const cancelled = clock.at(5, () => fired++);
    cancelled();
    cancelled();
    const cancelSecond = clock.at(6, () => {
      fired++;
      cancelSecond();
    });
    await clock.run(10);
    cancelSecond();
    expect(fired).toBe(1);
    expect(clock.pending).toBe(0);
  });

  test("wall time moves with the monotonic", async () => {
    const clock = new VirtualClock({ now: 7, wall: 1_000_000 });
    await clock.advance(43);
    expect(clock.wall()).toBe(1_000_043);
  });

  test("the order is that of a sort for any set of timers", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 20 }), fc.boolean())), (timers) => {
        const clock = new VirtualClock();
        const fired: number[] = [];
        timers.forEach(([at, cancelled], index) => {
          const cancel = clock.at(at, () => void fired.push(index));
          if (cancelled) cancel();
        });
        clock.runSync(20);
        const expected = timers
          .map(([at, cancelled], index) => ({ at, cancelled, index }))
          .filter(({ cancelled }) => !cancelled)
          .sort((a, b) => a.at - b.at || a.index - b.index)
          .map(({ index }) => index);
        expect(fired).toEqual(expected);
      }),
    );
  });
});
