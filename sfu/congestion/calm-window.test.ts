import { describe, expect, it } from "vitest";
import { CalmWindow, type WindowFacts } from "./calm-window.ts";

/** 1 Mbit/s of 2 on a way of 40 ms, reports each 25 ms. */
const facts: WindowFacts = {
  ...{ rate: 2_000_000, offered: 1_000_000, time: 125, interval: 25, lostAt: Number.NEGATIVE_INFINITY },
};

describe("what pictures may have on their way", () => {
  it("is no bound where the rate is used", () => {
    expect(new CalmWindow().bytes({ ...facts, offered: 1_600_000 }, 0)).toBe(Number.POSITIVE_INFINITY);
  });

  it("is little more than what they take in a round trip and the time between reports", () => {
    expect(new CalmWindow().bytes(facts, 0)).toBe((1.1 * 1_000_000 * 59) / 8_000);
  });

  it("grows while they wait at their sender and nothing waits on the way, to a bound, and shrinks again", () => {
    const window = new CalmWindow();
    const usual = window.bytes(facts, 0);
    window.heldBack(0);
    window.reported(0, 25, true, 10);
    expect(window.bytes(facts, 10), "they waited for less than it takes to hear of it").toBe(usual);
    window.reported(0, 25, true, 20);
    const grown = window.bytes(facts, 20);
    expect(grown).toBe((1.1 * 1_000_000 * 69) / 8_000);
    window.reported(30, 25, true, 40);
    expect(window.bytes(facts, 40), "what waits on the way is reason enough").toBeLessThan(grown);
    for (let now = 60; now < 1_000; now += 20) window.reported(0, 25, true, now);
    expect(window.bytes(facts, 1_000)).toBe((1.1 * 1_000_000 * 125) / 8_000);
    window.left();
    for (let now = 1_000; now < 2_000; now += 20) window.reported(0, 25, true, now);
    expect(window.bytes(facts, 2_000)).toBe(usual);
  });

  it("grows, too, where something always waits at their sender and little on the way: no report tells how little a way takes that is never full", () => {
    const window = new CalmWindow();
    const usual = window.bytes(facts, 0);
    const piecesFor = (from: number, until: number): void => {
      for (let now = from; now < until; now += 20) {
        window.heldBack(now);
        window.left();
        window.reported(20, 25, true, now);
      }
    };
    piecesFor(0, 500);
    expect(window.bytes(facts, 500)).toBe(usual);
    window.reported(20, 25, false, 500);
    piecesFor(520, 1_020);
    expect(window.bytes(facts, 1_020), "for a moment nothing waited").toBe(usual);
    piecesFor(1_020, 2_000);
    expect(window.bytes(facts, 2_000)).toBe((1.1 * 1_000_000 * 125) / 8_000);
  });

  it("does not grow with the time between reports that comes of a jam: they come with what arrives", () => {
    const window = new CalmWindow();
    window.reported(0, 25, false, 0);
    const usual = window.bytes(facts, 0);
    window.reported(60, 90, false, 100);
    expect(window.bytes({ ...facts, time: 190, interval: 90 }, 100)).toBe(usual);
  });

  it("leaves time for what a carrier sends once more for ten seconds after a loss", () => {
    const window = new CalmWindow();
    expect(window.bytes({ ...facts, lostAt: 1_000 }, 5_000)).toBe((1.1 * 1_000_000 * 120) / 8_000);
    expect(window.bytes({ ...facts, lostAt: 1_000 }, 11_000)).toBe(window.bytes(facts, 11_000));
  });
});
