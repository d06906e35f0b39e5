import { expect, it } from "vitest";
import { type OneAlarm, oneAlarm } from "./one-alarm.ts";

/** An alarm on a clock that goes on when told to, and how often it was set. */
function scene() {
  let now = 0;
  let due = Number.POSITIVE_INFINITY;
  const woken: string[] = [];
  const scene = {
    woken,
    sets: 0,
    alarm: undefined as unknown as OneAlarm,
    wait: (name: string, ms: number, then?: () => void) =>
      scene.alarm.sleep(ms, () => {
        woken.push(`${name} at ${now}`);
        then?.();
      }),
    pass(ms: number) {
      const until = now + ms;
      while (due <= until) {
        now = due;
        due = Number.POSITIVE_INFINITY;
        scene.alarm.rang();
      }
      now = until;
    },
  };
  scene.alarm = oneAlarm(
    (wait) => {
      due = now + wait;
      scene.sets += 1;
    },
    () => now,
  );
  return scene;
}

it("wakes each when it is due, those of one instant in the order in which they came", () => {
  const { wait, pass, woken } = scene();
  wait("last", 50);
  wait("first", 10);
  wait("second", 20);
  wait("third", 20);
  pass(30);
  expect(woken).toEqual(["first at 10", "second at 20", "third at 20"]);
  pass(100);
  expect(woken.at(-1)).toBe("last at 50");
});

it("sets the alarm only for who is due before it, and never for who gives up", () => {
  const all = scene();
  all.wait("first", 10);
  for (let later = 0; later < 100; later += 1) all.wait("later", 20 + later)();
  expect(all.sets).toBe(1);
  all.wait("earlier", 5);
  expect(all.sets).toBe(2);
  all.pass(200);
  expect(all.woken).toEqual(["earlier at 5", "first at 10"]);
});

it("leaves who begins to wait while it rings to the next time, however short the wait", () => {
  const { wait, pass, woken, alarm } = scene();
  wait("first", 10, () => wait("again", 0));
  wait("second", 10);
  alarm.rang();
  expect(woken).toEqual([]);
  pass(10);
  expect(woken).toEqual(["first at 10", "second at 10", "again at 10"]);
});

it("wakes nobody whom another one gave up in the same instant", () => {
  const { wait, pass, woken } = scene();
  const giveUp: (() => void)[] = [];
  wait("first", 10, () => giveUp[0]?.());
  giveUp.push(wait("second", 10));
  wait("third", 10);
  pass(10);
  expect(woken).toEqual(["first at 10", "third at 10"]);
});

it("goes on after one that fails", () => {
  const { wait, pass, woken } = scene();
  wait("first", 10, () => {
    throw new Error("It fails.");
  });
  wait("second", 10);
  expect(() => pass(10)).toThrow("It fails.");
  pass(0);
  expect(woken).toEqual(["first at 10", "second at 10"]);
});
