import { type Result, refuse } from "../../codecs/result.ts";
import type { SeededRandom } from "../emulation/seeded-random.ts";

/** Numbers from `least` to `most`, both included; one number where they are equal. */
export interface Range {
  readonly least: number;
  readonly most: number;
}

/** A duration like `500ms`, `20s`, `2m`, `1h`, or a range of them like `10s..20s`; milliseconds. Refuses with `usage`. */
export function parseDurations(text: string): Result<Range> {
  return parseRange(text, DURATION_UNITS, "a duration like 20s, 2m or 10s..20s");
}

/** Bits a second like `24000`, `24k`, `1m`, or a range of them like `16k..32k`. Refuses with `usage`. */
export function parseRates(text: string): Result<Range> {
  return parseRange(text, RATE_UNITS, "a rate in bits a second like 24k or 16k..32k");
}

/** A share like `2%`, or a range of them like `1..3%`; 0 to 1. Refuses with `usage`. */
export function parseShares(text: string): Result<Range> {
  const parsed = parseRange(text.replace(/%$/, ""), SHARE_UNITS, "a share like 2% or 1..3%");
  return parsed.ok && (parsed.value.most > 1 || !text.endsWith("%"))
    ? refuse("usage", "It is a share like 2% or 1..3%.", text)
    : parsed;
}

/** One number of the range, drawn evenly. */
export function draw({ least, most }: Range, random: SeededRandom): number {
  return least + (most - least) * random.next();
}

function parseRange(text: string, units: Readonly<Record<string, number>>, expected: string): Result<Range> {
  const parts = text.split("..");
  const [least = Number.NaN, most = least] = parts.map((part) => parseQuantity(part, units));
  if (parts.length <= 2 && least > 0 && most >= least) return { ok: true, value: { least, most } };
  return refuse("usage", `It is ${expected}.`, text);
}

function parseQuantity(text: string, units: Readonly<Record<string, number>>): number {
  const found = /^(\d{1,9}(?:\.\d{1,3})?)([a-z]*)$/.exec(text);
  const unit = units[found?.[2] ?? " "];
  return found === null || unit === undefined ? Number.NaN : Number(found[1]) * unit;
}

const DURATION_UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
const SHARE_UNITS = { "": 0.01 };
const RATE_UNITS = { "": 1, k: 1_000, m: 1_000_000 };
