import { execFileSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { createClock, systemClock } from "./clock.ts";

test("now never goes back and advances with real time", async () => {
  const start = systemClock.now();
  let last = start;
  for (let i = 0; i < 1_000; i++) {
    const now = systemClock.now();
    expect(now).toBeGreaterThanOrEqual(last);
    last = now;
  }
  await sleep(20);
  expect(systemClock.now() - start).toBeGreaterThanOrEqual(19);
});

test("wall is Unix time in milliseconds", () => {
  expect(Math.abs(systemClock.wall() - Date.now())).toBeLessThan(1_000);
});

test("a timer fires once, never before its instant, never inside at()", async () => {
  const fired: number[] = [];
  const wanted: number[] = [];
  for (let i = 0; i < 60; i++) {
    const at = systemClock.now() + i * 0.7;
    wanted.push(at);
    systemClock.at(at, () => {
      fired.push(systemClock.now() - at);
    });
  }
  expect(fired).toHaveLength(0);
  await sleep(150);
  expect(fired).toHaveLength(wanted.length);
  for (const late of fired) expect(late).toBeGreaterThanOrEqual(0);
});

test("an instant that has passed fires at the next turn", async () => {
  const order: string[] = [];
  systemClock.at(systemClock.now() - 1_000, () => order.push("fired"));
  order.push("returned");
  await sleep(10);
  expect(order).toEqual(["returned", "fired"]);
});

test("deadlines that accumulate do not drift", async () => {
  const step = 3;
  const start = systemClock.now();
  const lateness = await new Promise<number[]>((resolve) => {
    const late: number[] = [];
    const next = (): void => {
      late.push(systemClock.now() - (start + late.length * step));
      if (late.length === 100) resolve(late);
      else systemClock.at(start + late.length * step, next);
    };
    systemClock.at(start, next);
  });
  // Were each wait counted from the last wake-up, a hundred of them would add up to 50 ms and more.
  const typical = (part: number[]) => part.toSorted((a, b) => a - b)[Math.floor(part.length / 2)] ?? 0;
  expect(typical(lateness.slice(50))).toBeLessThan(typical(lateness.slice(0, 50)) + step * 4);
  expect(lateness.every((late) => late >= 0)).toBe(true);
});

test("cancelled timers stay silent; cancelling late or twice is fine", async () => {
  let fired = 0;
  const cancel = systemClock.at(systemClock.now() + 5, () => fired++);
  cancel();
  cancel();
  const late = systemClock.at(systemClock.now(), () => fired++);
  await sleep(20);
  late();
  expect(fired).toBe(1);
});

test("a wait beyond 31 bits of milliseconds does not fire at once", async () => {
  let fired = false;
  const cancel = systemClock.at(systemClock.now() + 2 ** 33, () => {
    fired = true;
  });
  await sleep(20);
  cancel();
  expect(fired).toBe(false);
});

test("a pending timer keeps the process alive only where asked to", () => {
  const run = (options: string) =>
    execFileSync(
      process.execPath,
      [
        "--input-type=module",
        "--eval",
        `const { createClock } = await import(${JSON.stringify(new URL("./clock.ts", import.meta.url).href)});
         const clock = createClock(${options});
         clock.at(clock.now() + 50, () => console.log("fired"));`,
      ],
      { encoding: "utf8" },
    );
  expect(run("{}")).toBe("");
  expect(run("{ keepAlive: true }")).toBe("fired\n");
});

test("clocks of one process share one origin", () => {
  expect(Math.abs(createClock().now() - systemClock.now())).toBeLessThan(5);
});
