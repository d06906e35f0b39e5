import { expect, it } from "vitest";
import { guestsIn, staleGuests, withGuest, withoutGuest } from "./guests.ts";

const DAY_MS = 24 * 3_600_000;

it("names guests that no tab went by for three days, and not those that one still does", () => {
  const noon = 1_800_000_000_000;
  const guests = withGuest(withGuest({}, "Guest A", noon), "Guest B", noon);
  expect(staleGuests(guests, noon + 3 * DAY_MS)).toEqual([]);
  const later = noon + 3 * DAY_MS + 1;
  expect(staleGuests(withGuest(guests, "Guest B", later), later)).toEqual(["Guest A"]);
  expect(staleGuests(withoutGuest(guests, "Guest A"), later)).toEqual(["Guest B"]);
});

it.each([
  [null, {}],
  ["", {}],
  ["not JSON", {}],
  ["null", {}],
  ["[1]", { "0": 1 }],
  ['{"Guest A":5,"Guest B":"x"}', { "Guest A": 5 }],
])("reads %j", (text, guests) => {
  expect(guestsIn(text)).toEqual(guests);
});
