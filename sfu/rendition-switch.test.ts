import { describe, expect, it } from "vitest";
import { RenditionSwitch } from "./rendition-switch.ts";

const COMING = [
  { rendition: 0, bitsPerSecond: 2_000_000 },
  { rendition: 1, bitsPerSecond: 600_000 },
  { rendition: 2, bitsPerSecond: 150_000 },
];

/** One that looks every 100 ms at so much room. */
function looking(one: RenditionSwitch, bitsPerSecond: number, from: number, to: number): void {
  for (let now = from; now < to; now += 100) one.look(COMING, bitsPerSecond, now);
}

function delta(rendition: number) {
  return { rendition, key: false };
}

function key(rendition: number) {
  return { rendition, key: true };
}

describe("a rendition switch", () => {
  it("begins with the best that fits, at its first key frame", () => {
    const one = new RenditionSwitch();
    one.look(COMING, 700_000, 0);
    expect(one.wantsKeyFrameOf).toBe(1);
    expect([one.takes(key(0)), one.takes(delta(1)), one.takes(key(1)), one.takes(delta(1))]).toEqual([
      false,
      false,
      true,
      true,
    ]);
    expect([one.present, one.switches, one.wantsKeyFrameOf]).toEqual([1, 0, undefined]);
  });

  it("steps down soon, and shows the present one until the lesser one has a key frame", () => {
    const one = new RenditionSwitch();
    one.takes(key(0));
    looking(one, 300_000, 0, 200);
    expect(one.wantsKeyFrameOf).toBeUndefined();
    looking(one, 300_000, 200, 500);
    expect(one.wantsKeyFrameOf).toBe(2);
    expect([one.takes(delta(0)), one.takes(delta(2))]).toEqual([true, false]);
    expect([one.takes(key(2)), one.takes(delta(0)), one.takes(key(0))]).toEqual([true, false, false]);
    expect([one.present, one.switches]).toEqual([2, 1]);
  });

  it("steps up slowly, one at a time, with room to spare", () => {
    const one = new RenditionSwitch();
    one.look(COMING, 200_000, 0);
    one.takes(key(2));
    looking(one, 700_000, 0, 9_000);
    expect(one.wantsKeyFrameOf).toBeUndefined();
    looking(one, 10_000_000, 9_000, 11_900);
    expect(one.wantsKeyFrameOf).toBeUndefined();
    looking(one, 10_000_000, 11_900, 12_200);
    expect(one.wantsKeyFrameOf).toBe(1);
    one.takes(key(1));
    looking(one, 10_000_000, 12_200, 15_500);
    expect(one.wantsKeyFrameOf).toBe(0);
  });

  it("tries a better one where nobody knows how much there is room for, and later each time that it was too much", () => {
    const one = new RenditionSwitch();
    one.look(COMING, 200_000, 0);
    one.takes(key(2));
    const tries: number[] = [];
    for (let now = 0; now < 60_000; now += 100) {
      const isTrying = one.present === 1;
      one.look(COMING, isTrying ? 400_000 : 200_000, now, !isTrying);
      const wanted = one.wantsKeyFrameOf;
      if (wanted === undefined) continue;
      if (wanted === 1) tries.push(Math.round(now / 1_000));
      one.takes(key(wanted));
    }
    expect(tries).toEqual([3, 10, 22, 47]);
  });

  it("takes the least where nothing fits, and another one where the chosen one stops coming", () => {
    const one = new RenditionSwitch();
    one.look(COMING, 50_000, 0);
    expect(one.wantsKeyFrameOf).toBe(2);
    one.takes(key(2));
    one.look(COMING.slice(0, 2), 50_000, 10);
    expect(one.wantsKeyFrameOf).toBe(1);
  });
});
