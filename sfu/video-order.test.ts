import { describe, expect, it } from "vitest";
import {
  LOST_AFTER_MS,
  MAX_WAITING_BYTES,
  MAX_WAITING_UNITS,
  type OrderedUnit,
  OVERTAKING_MS,
  UnitOrder,
} from "./video-order.ts";

const unit = (sequence: number, needs: number | "key" = 1, layer = 0, bytes = 100): OrderedUnit => ({
  sequence,
  key: needs === "key",
  layer,
  needs: needs === "key" ? 0 : needs,
  bytes,
});

/** Numbers of all that can be given out at `now`. */
function drain(order: UnitOrder<OrderedUnit>, now: number): number[] {
  const numbers: number[] = [];
  for (let next = order.next(now); next !== undefined; next = order.next(now)) numbers.push(next.sequence);
  return numbers;
}

function orderOf(units: readonly OrderedUnit[], now = 0): UnitOrder<OrderedUnit> {
  const order = new UnitOrder<OrderedUnit>();
  for (const one of units) order.insert(one, now);
  return order;
}

it("begins with a key frame and gives units out in their order", () => {
  const order = orderOf([unit(10, "key"), unit(11), unit(12)]);
  expect(drain(order, 0)).toEqual([10, 11, 12]);
  expect(order.nextTimeout()).toBeUndefined();
});

it("gives nothing out before a key frame, and says that it needs one", () => {
  const order = orderOf([unit(10), unit(11)]);
  expect(drain(order, LOST_AFTER_MS - 1)).toEqual([]);
  expect(order.isBroken).toBe(false);
  expect(order.nextTimeout()).toBe(LOST_AFTER_MS);
  expect(drain(order, LOST_AFTER_MS)).toEqual([]);
  expect(order.isBroken).toBe(true);
  order.insert(unit(12, "key"), 400);
  expect(drain(order, 400 + OVERTAKING_MS)).toEqual([12]);
  expect(order.isBroken).toBe(false);
  expect(order.counters).toMatchObject({ given: 1, undecodable: 2 });
});

it("waits for a unit that others overtook", () => {
  const order = orderOf([unit(1, "key")]);
  expect(drain(order, 0)).toEqual([1]);
  order.insert(unit(3), 10);
  expect(drain(order, 10)).toEqual([]);
  order.insert(unit(2), 30);
  expect(drain(order, 30)).toEqual([2, 3]);
});

it("does what is due at the time that it told, whatever fractions that has", () => {
  for (let third = 0; third < 300; third += 1) {
    const order = orderOf([unit(1, "key")], third / 3);
    expect(drain(order, third / 3)).toEqual([1]);
    order.insert(unit(3, 2), third / 3);
    expect(drain(order, order.nextTimeout() ?? 0)).toEqual([3]);
    const broken = orderOf([unit(1)], third / 3);
    expect(drain(broken, broken.nextTimeout() ?? 0)).toEqual([]);
    expect(broken.isBroken).toBe(true);
  }
});

describe("of a missing unit of a higher layer", () => {
  it("nothing of the lowest layer waits longer than units overtake each other", () => {
    const order = orderOf([unit(1, "key")]);
    expect(drain(order, 0)).toEqual([1]);
    order.insert(unit(3, 2), 66);
    expect(drain(order, 66)).toEqual([]);
    expect(order.nextTimeout()).toBe(66 + OVERTAKING_MS);
    expect(drain(order, 66 + OVERTAKING_MS)).toEqual([3]);
    expect(order.isBroken).toBe(false);
    expect(order.insert(unit(2, 1, 1), 200)).toBe("late");
  });

  it("what needs it is passed over and the rest goes on", () => {
    const order = orderOf([unit(1, "key"), unit(3, 1, 2), unit(4, 3)]);
    expect(drain(order, OVERTAKING_MS)).toEqual([1, 4]);
    expect(order.isBroken).toBe(false);
    expect(order.counters).toMatchObject({ undecodable: 1, given: 2 });
  });
});

it("gives out nothing that needs what never came, until the next key frame", () => {
  const order = orderOf([unit(1, "key")]);
  drain(order, 0);
  for (const sequence of [3, 4, 5]) order.insert(unit(sequence), 50);
  expect(drain(order, 50 + LOST_AFTER_MS)).toEqual([]);
  expect(order.isBroken).toBe(true);
  order.insert(unit(6, "key"), 500);
  order.insert(unit(7), 500);
  expect(drain(order, 500)).toEqual([]);
  expect(drain(order, 500 + OVERTAKING_MS)).toEqual([6, 7]);
  expect(order.counters).toMatchObject({ undecodable: 3 });
});

it("passes over at once what needs a unit that was passed over", () => {
  const order = orderOf([unit(1, "key"), unit(3), unit(4, "key")]);
  expect(drain(order, OVERTAKING_MS)).toEqual([1, 4]);
  order.insert(unit(6, 4), 100);
  expect(drain(order, 100)).toEqual([]);
  expect(order.size).toBe(0);
  expect(order.isBroken).toBe(true);
});

it("takes each unit once", () => {
  const order = orderOf([unit(1, "key")]);
  expect(order.insert(unit(1, "key"), 0)).toBe("duplicate");
  drain(order, 0);
  expect(order.insert(unit(1, "key"), 0)).toBe("duplicate");
  expect(order.counters).toMatchObject({ received: 1, duplicate: 2 });
});

it("takes what needs an unknown one for needing the one before it", () => {
  const order = orderOf([unit(1, "key"), unit(2, 0), unit(4, 0)]);
  expect(drain(order, LOST_AFTER_MS)).toEqual([1, 2]);
  expect(order.isBroken).toBe(true);
});

it("keeps no more than its caps", () => {
  const order = orderOf(Array.from({ length: MAX_WAITING_UNITS + 4 }, (_, index) => unit(10 + index)));
  expect(order.size).toBe(MAX_WAITING_UNITS);
  expect(order.counters.overflow).toBe(4);
  const large = orderOf([unit(1, 1, 0, MAX_WAITING_BYTES), unit(2, 1, 0, 10)]);
  expect(large.size).toBe(1);
});

it("begins anew after a pause with a key frame, and after another speaker with any number", () => {
  const order = orderOf([unit(100, "key"), unit(101)]);
  expect(drain(order, 0)).toEqual([100, 101]);
  order.restart();
  order.insert(unit(102), 10);
  order.insert(unit(103, "key"), 10);
  expect(drain(order, 10 + OVERTAKING_MS)).toEqual([103]);
  order.forget();
  order.insert(unit(5, "key"), 20);
  expect(drain(order, 20)).toEqual([5]);
});
