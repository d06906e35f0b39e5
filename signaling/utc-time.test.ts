import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatUtc, parseUtc } from "./utc-time.ts";

const LAST = Date.parse("9999-12-31T23:59:59Z");

describe("UTC times", () => {
  test("are written as the platform's own calendar writes them", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: LAST }), (ms) => {
        expect(formatUtc(ms)).toBe(`${new Date(ms).toISOString().slice(0, 19)}Z`);
      }),
    );
  });

  test("come back to the second", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: LAST / 1000 }), (seconds) => {
        expect(parseUtc(formatUtc(seconds * 1000))).toEqual({ ok: true, value: seconds * 1000 });
      }),
    );
  });

  test.each([
    ["2000-02-29T00:00:00Z", 951_782_400_000],
    ["1970-01-01T00:00:00.5Z", 500],
    ["2026-01-01T00:00:00.123456789Z", 1_767_225_600_123],
  ])("%s is read", (time, ms) => {
    expect(parseUtc(time)).toEqual({ ok: true, value: ms });
  });

  test.each([
    "2026-02-29T00:00:00Z",
    "1900-02-29T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-00-01T00:00:00Z",
    "2026-01-00T00:00:00Z",
    "2026-04-31T00:00:00Z",
    "2026-01-01T24:00:00Z",
    "2026-01-01T23:60:00Z",
    "2026-12-31T23:59:60Z",
    "2026-01-01T00:00:00",
    "2026-01-01T00:00:00+00:00",
    "2026-01-01 00:00:00Z",
    "2026-01-01T00:00:00.Z",
    "2026-01-01T00:00:00z",
    "",
  ])("%j is refused", (time) => {
    expect(parseUtc(time, "issued_at")).toMatchObject({ fault: { code: "field-invalid", at: "issued_at" } });
  });
});
