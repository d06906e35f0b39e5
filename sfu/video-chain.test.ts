import { expect, it } from "vitest";
import { distanceTo, UnitChain } from "./video-chain.ts";

const key = { key: true, layer: 0 };
const delta = (layer = 0) => ({ key: false, layer });

/** How far back each unit of these kinds says that it needs one. */
function distances(layers: readonly number[]): number[] {
  const chain = new UnitChain();
  return layers.map((layer, index) => {
    const one = index === 0 ? key : delta(layer);
    const distance = distanceTo(chain.needOf(one), index);
    chain.sent(one, index);
    return distance;
  });
}

it("lets a unit need the newest one of its layer or a lower one", () => {
  expect(distances([0, 0, 0])).toEqual([0, 1, 1]);
  expect(distances([0, 1, 0, 1, 0])).toEqual([0, 1, 2, 1, 2]);
  expect(distances([0, 2, 1, 2, 0, 2, 1, 2])).toEqual([0, 1, 2, 1, 4, 1, 2, 1]);
});

it("knows that nothing can be decoded before a key frame", () => {
  const chain = new UnitChain();
  expect(chain.needOf(key)).toEqual({ kind: "nothing" });
  expect(chain.needOf(delta())).toEqual({ kind: "left-out" });
  expect(chain.isWhole).toBe(false);
});

it("knows what needs a unit that was left out, and what does not", () => {
  const chain = new UnitChain();
  chain.sent(key, 1);
  chain.leftOut(delta(1));
  expect(chain.needOf(delta(2))).toEqual({ kind: "left-out" });
  expect(chain.needOf(delta(0))).toEqual({ kind: "sent", sequence: 1 });
  chain.sent(delta(0), 2);
  expect(chain.needOf(delta(2))).toEqual({ kind: "sent", sequence: 2 });
  chain.leftOut(delta(0));
  expect(chain.isWhole).toBe(false);
  chain.sent(key, 3);
  expect(chain.isWhole).toBe(true);
});

it("knows what needs a unit that was lost on its way", () => {
  const chain = new UnitChain();
  chain.sent(key, 1);
  chain.sent(delta(1), 2);
  chain.lost({ layer: 1, sequence: 2 });
  expect(chain.needOf(delta(1))).toEqual({ kind: "left-out" });
  expect(chain.isWhole).toBe(true);
  chain.sent(delta(0), 3);
  chain.lost({ layer: 0, sequence: 1 });
  expect(chain.isWhole).toBe(false);
});

it("cannot say of one that is too far back", () => {
  expect(distanceTo({ kind: "sent", sequence: 1 }, 256)).toBe(255);
  expect(distanceTo({ kind: "sent", sequence: 1 }, 257)).toBe(0);
});
