import { expect, it } from "vitest";
import { FreezeMeter } from "./freezes.ts";

/** Units shown so many milliseconds after one another, from 1,000 on. */
function metered(...gaps: readonly number[]): { readonly meter: FreezeMeter; readonly last: number } {
  const meter = new FreezeMeter();
  let at = 1_000;
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
  expect(new FreezeMeter().at(500)).toEqual({ freezes: 0, frozenMs: 0 });
});

it("units shown at once, or out of order, are one picture", () => {
  const { meter, last } = metered(...steady(40, 33), 0, -5, 33);
  expect(meter.at(last)).toEqual({ freezes: 0, frozenMs: 0 });
});
