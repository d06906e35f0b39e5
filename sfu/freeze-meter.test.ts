import { expect, it } from "vitest";
import { FreezeMeter } from "./freeze-meter.ts";

/** Units shown so many milliseconds after one another, from 1,000 on. */
function metered(...gaps: readonly number[]): { readonly meter: FreezeMeter; readonly last: number } {
  const meter = new FreezeMeter();
  let at = 1_000;
  meter.awaits(1, at - 100);
  meter.shown(at);
  for (const gap of gaps) {
    at += gap;
    meter.shown(at);
  }
  return { meter, last: at };
}

const steady = (count: number, gap: number): number[] => Array.from({ length: count }, () => gap);

it("a picture that keeps its pace does not freeze, whatever the pace", () => {
  for (const gap of [16, 33, 66, 140]) {
    const { meter, last } = metered(...steady(40, gap));
    expect(meter.at(last + gap)).toEqual({ freezes: 0, frozenMs: 0 });
  }
});

it("a picture that comes at a quarter of its pace, layers left out, does not freeze", () => {
  const { meter, last } = metered(...steady(40, 33), ...steady(20, 133));
  expect(meter.at(last)).toEqual({ freezes: 0, frozenMs: 0 });
});

it("a gap of three times the usual one, and 150 ms longer, is a freeze of its length", () => {
  const { meter, last } = metered(...steady(40, 33), 182, 195, 33, 900, 33);
  expect(meter.at(last)).toEqual({ freezes: 2, frozenMs: 1_095 });
  const slow = metered(...steady(40, 100), 290, 330);
  expect(slow.meter.at(slow.last)).toEqual({ freezes: 1, frozenMs: 330 });
});

it("a picture that stands still when watching ends counts until then", () => {
  const { meter, last } = metered(...steady(40, 33));
  expect(meter.at(last + 500)).toEqual({ freezes: 1, frozenMs: 500 });
});

it("units shown at once, or out of order, are one picture", () => {
  const { meter, last } = metered(...steady(40, 33), 0, -5, 33);
  expect(meter.at(last)).toEqual({ freezes: 0, frozenMs: 0 });
});

it("a picture that does not begin within two seconds stood still from the start", () => {
  const meter = new FreezeMeter();
  meter.awaits(1, 1_000);
  expect(meter.at(3_000)).toEqual({ freezes: 0, frozenMs: 0 });
  expect(meter.at(31_000)).toEqual({ freezes: 1, frozenMs: 30_000 });
  meter.shown(32_000);
  expect(meter.at(32_033)).toEqual({ freezes: 1, frozenMs: 31_000 });
});

it("nothing counts while nothing is to come on any of its streams, and what froze before does", () => {
  const { meter, last } = metered(...steady(40, 33));
  meter.awaits(2, last);
  meter.rests(1, last + 100);
  expect(meter.at(last + 400)).toEqual({ freezes: 1, frozenMs: 400 });
  meter.rests(2, last + 500);
  expect(meter.at(last + 9_000)).toEqual({ freezes: 1, frozenMs: 500 });
  meter.awaits(1, last + 9_000);
  meter.shown(last + 9_800);
  expect(meter.at(last + 9_833)).toEqual({ freezes: 1, frozenMs: 500 });
});
