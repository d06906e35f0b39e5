import fc from "fast-check";
import { expect, it } from "vitest";
import { ntpTime } from "../test/generators/media.ts";
import { compareNtp, ntpFromBigint, ntpToBigint, ntpToUnixMs, unixMsToNtp } from "./ntp.ts";

it.each([
  // RFC 5905 figure 4.
  ["1970-01-01T00:00:00Z", 2_208_988_800],
  ["1972-01-01T00:00:00Z", 2_272_060_800],
  ["1999-12-31T00:00:00Z", 3_155_587_200],
  // Era 1 begins 2036-02-07 06:28:16 UTC.
  ["2036-02-07T06:28:15Z", 0xffffffff],
  ["2036-02-07T06:28:16Z", 0],
  ["2036-02-08T00:00:00Z", 63_104],
])("%s is second %i", (date, seconds) => {
  const ms = Date.parse(date);
  expect(unixMsToNtp(ms)).toEqual({ seconds, fraction: 0 });
  expect(ntpToUnixMs(seconds, 0)).toBe(ms);
});

it("keeps half a second as half the fraction", () => {
  expect(unixMsToNtp(500)).toEqual({ seconds: 2_208_988_800, fraction: 0x80000000 });
  expect(ntpToUnixMs(2_208_988_800, 0x40000000)).toBe(250);
});

it("carries a fraction that rounds up to a whole second", () => {
  expect(unixMsToNtp(999.999_999_99)).toEqual({ seconds: 2_208_988_801, fraction: 0 });
});

it("brings milliseconds there and back within the precision of a double", () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 4_000_000_000_000, noNaN: true }), (ms) => {
      const { seconds, fraction } = unixMsToNtp(ms);
      expect(Number.isInteger(seconds) && Number.isInteger(fraction)).toBe(true);
      expect(fraction).toBeLessThan(2 ** 32);
      expect(Math.abs(ntpToUnixMs(seconds, fraction) - ms)).toBeLessThan(0.001);
    }),
  );
});

it("is one integer for documents", () => {
  fc.assert(
    fc.property(ntpTime, (time) => {
      expect(ntpFromBigint(ntpToBigint(time))).toEqual(time);
    }),
  );
  expect(ntpToBigint({ seconds: 0x83aa7e80, fraction: 0x80000000 })).toBe(0x83aa7e80_80000000n);
});

it("orders instants, also across the era's end", () => {
  const at = (seconds: number, fraction: number) => ({ seconds, fraction });
  expect(compareNtp(at(5, 1), at(5, 2))).toBeLessThan(0);
  expect(compareNtp(at(6, 0), at(5, 9))).toBeGreaterThan(0);
  expect(compareNtp(at(5, 9), at(5, 9))).toBe(0);
  expect(compareNtp(at(0xffffffff, 7), at(0, 0))).toBeLessThan(0);
  expect(compareNtp(at(0, 0xffffffff), at(0, 0))).toBeGreaterThan(0);
});
