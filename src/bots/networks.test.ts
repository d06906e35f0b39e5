import { describe, expect, it } from "vitest";
import { PRESETS } from "../emulation/link.ts";
import { SeededRandom } from "../emulation/seeded-random.ts";
import { drawNetwork, parseNetworks } from "./networks.ts";

function networksOf(text: string) {
  const parsed = parseNetworks(text);
  if (!parsed.ok) throw new Error(parsed.fault.message);
  return parsed.value;
}

describe("the networks of bots", () => {
  it("are presets by name, as scenarios have them", () => {
    for (const [name, conditions] of Object.entries(PRESETS)) {
      expect(drawNetwork(networksOf(name), new SeededRandom(1))).toEqual(conditions);
    }
  });

  it("are drawn from a list for each bot, the same for the same seed", () => {
    const drawn = (seed: number) => {
      const random = new SeededRandom(seed);
      const networks = networksOf("wifi,satellite,none");
      return Array.from({ length: 60 }, () => drawNetwork(networks, random)?.delay);
    };
    expect(drawn(1)).toEqual(drawn(1));
    expect(new Set(drawn(1))).toEqual(new Set([5, 600, undefined]));
  });

  it("have figures of their own, or drawn from ranges, on top of a preset or of nothing", () => {
    const random = new SeededRandom(1);
    const drawn = (text: string) => drawNetwork(networksOf(text), random);
    expect(drawn("cellular+rate=1m")).toEqual({ ...PRESETS.cellular, rate: 1e6 });
    expect(drawn("delay=20ms")).toEqual({ delay: 20, jitter: 0, loss: 0, burst: 2 });
    const many = Array.from({ length: 100 }, () => drawn("loss=1..3%+rate=500k..2m+jitter=5ms"));
    for (const { loss = 0, rate = 0, jitter } of many.map((one) => one ?? { delay: 0 })) {
      expect(loss).toBeGreaterThanOrEqual(0.01);
      expect(loss).toBeLessThanOrEqual(0.03);
      expect(rate).toBeGreaterThanOrEqual(5e5);
      expect(rate).toBeLessThanOrEqual(2e6);
      expect(jitter).toBe(5);
    }
    expect(new Set(many.map((one) => one?.rate)).size).toBe(100);
  });

  it("are none when there is nothing to draw from", () => {
    expect(drawNetwork([], new SeededRandom(1))).toBeUndefined();
  });

  it.each([
    "",
    "lte",
    "wifi,",
    "none+delay=5ms",
    "delay",
    "delay=5",
    "loss=2",
    "loss=200%",
    "wifi+queue=5ms",
    "rate=0",
  ])("are not %j", (text) => {
    const parsed = parseNetworks(text);
    expect(!parsed.ok && parsed.fault.code).toBe("usage");
  });
});
