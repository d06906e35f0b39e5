import { describe, expect, it } from "vitest";
import { Pacer } from "./pacer.ts";

describe("a pacer", () => {
  it("does not drift in an hour of 20 ms deadlines, however late it is served", () => {
    const pacer = new Pacer(20, 123.456);
    let now = 0;
    let last = 0;
    for (let frame = 0; frame < 180_000; frame++) {
      now = pacer.nextTimeout() + (frame % 7) * 3;
      last = pacer.take(now) ?? Number.NaN;
    }
    expect(last).toBe(123.456 + 179_999 * 20);
    expect(pacer.skipped).toBe(0);
  });

  it("stays exact for frame times that no binary fraction holds", () => {
    const pacer = new Pacer(1024 / 44.1, 0);
    for (let frame = 0; frame < 155_039; frame++) pacer.take(pacer.nextTimeout());
    expect(Math.abs(pacer.nextTimeout() - (155_039 * 1024) / 44.1)).toBeLessThan(1e-6);
  });

  it("hands out missed deadlines one by one, then waits", () => {
    const pacer = new Pacer(20, 0);
    expect([pacer.take(65), pacer.take(65), pacer.take(65), pacer.take(65)]).toEqual([0, 20, 40, 60]);
    expect(pacer.take(65)).toBeUndefined();
    expect(pacer.nextTimeout()).toBe(80);
  });

  it("starts again from the present when it is too late, keeps its phase and counts what it skipped", () => {
    const pacer = new Pacer(20, 5, 10);
    expect(pacer.take(5)).toBe(5);
    expect(pacer.take(1012)).toBe(1005);
    expect(pacer.take(1012)).toBeUndefined();
    expect(pacer.nextTimeout()).toBe(1025);
    expect([pacer.reanchored, pacer.skipped]).toEqual([1, 49]);
  });

  it("catches up when it is late by exactly the limit", () => {
    const pacer = new Pacer(20, 0, 10);
    expect(pacer.take(200)).toBe(0);
    expect(pacer.reanchored).toBe(0);
  });
});
