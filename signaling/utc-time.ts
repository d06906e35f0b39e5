import { ok, type Result, refuse } from "../codecs/result.ts";

/** The UTC time of `unixMs` (milliseconds since the epoch) to the second, as RFC 3339 `2026-01-01T00:00:00Z`. */
export function formatUtc(unixMs: number): string {
  const seconds = Math.floor(unixMs / 1000);
  const day = Math.floor(seconds / SECONDS_PER_DAY);
  const inDay = seconds - day * SECONDS_PER_DAY;
  const [year, month, date] = civilFromDays(day);
  const clock = [Math.floor(inDay / 3600), Math.floor(inDay / 60) % 60, inDay % 60];
  return `${pad(year, 4)}-${pad(month, 2)}-${pad(date, 2)}T${clock.map((part) => pad(part, 2)).join(":")}Z`;
}

/**
 * Milliseconds since the epoch of an RFC 3339 time in UTC (`Z`), fractions to the millisecond. Dates that do not
 * exist and leap seconds are refused (`field-invalid`).
 */
export function parseUtc(time: string, at = "time"): Result<number> {
  const match = UTC.exec(time);
  if (match === null) return refuse("field-invalid", "This is not an RFC 3339 time in UTC.", at);
  const [year, month, date, hour, minute, second] = match.slice(1, 7).map(Number) as SixNumbers;
  const days = daysFromCivil(year, month, date);
  const [y, m, d] = civilFromDays(days);
  if (y !== year || m !== month || d !== date || hour > 23 || minute > 59 || second > 59) {
    return refuse("field-invalid", "This time does not exist.", at);
  }
  const fraction = match[7] === undefined ? 0 : Math.floor(Number(`0.${match[7]}`) * 1000);
  return ok((days * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second) * 1000 + fraction);
}

type SixNumbers = [number, number, number, number, number, number];

const SECONDS_PER_DAY = 86_400;
const UTC = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?Z$/;

/** Days of one 400-year cycle of the Gregorian calendar, and from 0000-03-01 to 1970-01-01. */
const CYCLE_DAYS = 146_097;
const EPOCH_OFFSET = 719_468;

// Years count from March, so that the leap day is the last of its year and months have a linear formula.
function civilFromDays(days: number): [number, number, number] {
  const shifted = days + EPOCH_OFFSET;
  const cycle = Math.floor(shifted / CYCLE_DAYS);
  const dayOfCycle = shifted - cycle * CYCLE_DAYS;
  const yearOfCycle = Math.floor(
    (dayOfCycle -
      Math.floor(dayOfCycle / 1460) +
      Math.floor(dayOfCycle / 36_524) -
      Math.floor(dayOfCycle / 146_096)) /
      365,
  );
  const dayOfYear =
    dayOfCycle - (365 * yearOfCycle + Math.floor(yearOfCycle / 4) - Math.floor(yearOfCycle / 100));
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const date = dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1;
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9;
  return [yearOfCycle + cycle * 400 + (month <= 2 ? 1 : 0), month, date];
}

function daysFromCivil(year: number, month: number, date: number): number {
  const shiftedYear = month <= 2 ? year - 1 : year;
  const cycle = Math.floor(shiftedYear / 400);
  const yearOfCycle = shiftedYear - cycle * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + date - 1;
  const dayOfCycle =
    yearOfCycle * 365 + Math.floor(yearOfCycle / 4) - Math.floor(yearOfCycle / 100) + dayOfYear;
  return cycle * CYCLE_DAYS + dayOfCycle - EPOCH_OFFSET;
}

function pad(value: number, width: number): string {
  return String(value).padStart(width, "0");
}
