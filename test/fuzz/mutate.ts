/** Makes odd inputs from sound ones. Everything comes from the source of chance handed over, so an input can be made again. */
import type { JsonValue } from "../../codecs/canonical-json.ts";
import type { SeededRandom } from "../../src/emulation/seeded-random.ts";

/** Changes stacked on one input, at most. */
const MOST_CHANGES = 6;
/** Longest input made, bytes: above every cap of what is read but bodies and frames, and quick to make. */
const LONGEST = 80_000;
/** Times a token is repeated, at most: deep nestings, endless lines. */
const MOST_REPEATS = 20_000;
/** Shares of inputs that are pure noise, and that grow by much. */
const NOISE_SHARE = 0.05;
const GROWTH_SHARE = 0.000_5;

const ODD_BYTES = [
  0x00, 0x01, 0x0a, 0x0d, 0x20, 0x22, 0x2e, 0x3f, 0x40, 0x5c, 0x7b, 0x7f, 0x80, 0xbf, 0xc0, 0xff,
];
const ODD_LENGTHS = [
  0, 1, 2, 0x7f, 0x80, 0xff, 0x100, 0x3fff, 0x4000, 0x7fff, 0x8000, 0xffff, 0xffffff, 0x7fffffff, 0x80000000,
  0xffffffff,
];

/** One odd input: a sound one with some changes, or noise. `tokens` are put in whole. */
export function mutateBytes(
  random: SeededRandom,
  examples: readonly Uint8Array[],
  tokens: readonly Uint8Array[],
): Uint8Array {
  if (random.next() < NOISE_SHARE) return random.bytes(random.integer(random.next() < 0.1 ? 2_000 : 100));
  let bytes: Uint8Array = (pick(random, examples) ?? new Uint8Array(0)).slice();
  for (let left = 1 + random.integer(MOST_CHANGES); left > 0; left -= 1) {
    bytes = change(random, bytes, examples, tokens).subarray(0, LONGEST);
  }
  return bytes;
}

function change(
  random: SeededRandom,
  bytes: Uint8Array,
  examples: readonly Uint8Array[],
  tokens: readonly Uint8Array[],
): Uint8Array {
  const at = random.integer(bytes.length + 1);
  const length = random.integer(Math.min(64, bytes.length - at + 1));
  if (random.next() < GROWTH_SHARE) {
    return spliced(
      bytes,
      at,
      0,
      repeated(pick(random, tokens) ?? Uint8Array.of(0), random.integer(MOST_REPEATS)),
    );
  }
  switch (random.integer(10)) {
    case 0:
    case 1:
      if (at < bytes.length) bytes[at] = (bytes[at] as number) ^ (1 << random.integer(8));
      return bytes;
    case 2:
      if (at < bytes.length) bytes[at] = pick(random, ODD_BYTES) as number;
      return bytes;
    case 3:
      return spliced(bytes, at, length, new Uint8Array(0));
    case 4:
      return spliced(bytes, at, 0, random.bytes(1 + random.integer(8)));
    case 5:
      return spliced(bytes, at, 0, bytes.slice(at, at + length));
    case 6:
      return bytes.subarray(0, at);
    case 7: {
      const size = pick(random, [1, 2, 4, 8]) as number;
      const value = pick(random, ODD_LENGTHS) as number;
      const number = Uint8Array.from({ length: size }, (_, index) => value / 2 ** (8 * (size - 1 - index)));
      return spliced(bytes, at, Math.min(size, bytes.length - at), number);
    }
    case 8:
      return spliced(bytes, at, random.integer(2) * length, pick(random, tokens) ?? new Uint8Array(0));
    default: {
      const other = pick(random, examples) ?? bytes;
      return spliced(bytes, at, bytes.length - at, other.subarray(random.integer(other.length + 1)));
    }
  }
}

/** One odd value: a sound one with some of its parts replaced, taken away, added or moved. */
export function mutateJson(random: SeededRandom, value: JsonValue): JsonValue {
  let changed = value;
  for (let left = 1 + random.integer(3); left > 0; left -= 1) {
    const places = placesOf(changed);
    changed = changeAt(random, changed, pick(random, places) ?? [], places);
  }
  return changed;
}

type Path = readonly (string | number)[];

function changeAt(random: SeededRandom, value: JsonValue, path: Path, places: readonly Path[]): JsonValue {
  const [step, ...rest] = path;
  if (step === undefined) return replacement(random, value);
  if (Array.isArray(value)) {
    const items = [...(value as readonly JsonValue[])];
    if (rest.length === 0 && random.integer(3) === 0) {
      if (random.integer(2) === 0) items.splice(step as number, 1);
      else
        items.push(
          ...Array.from({ length: 1 + random.integer(40) }, () => items[step as number] as JsonValue),
        );
      return items;
    }
    items[step as number] = changeAt(random, items[step as number] as JsonValue, rest, places);
    return items;
  }
  const members = Object.entries(value as { readonly [name: string]: JsonValue });
  const index = members.findIndex(([name]) => name === step);
  const [name, member] = members[index] as [string, JsonValue];
  const odd = rest.length === 0 ? random.integer(4) : 3;
  if (odd === 0) members.splice(index, 1);
  else if (odd === 1) members.push([pick(random, ODD_NAMES) as string, replacement(random, member)]);
  else if (odd === 2) members[index] = [pick(random, ODD_NAMES) as string, member];
  else members[index] = [name, changeAt(random, member, rest, places)];
  // Unlike assignment, this makes "__proto__" a member like any other.
  return Object.fromEntries(members);
}

function replacement(random: SeededRandom, value: JsonValue): JsonValue {
  if (typeof value === "number" && random.integer(2) === 0) return pick(random, ODD_NUMBERS) as number;
  if (typeof value === "string" && random.integer(2) === 0) return oddText(random, value);
  switch (random.integer(6)) {
    case 0:
      return pick(random, ODD_NUMBERS) as number;
    case 1:
      return oddText(random, typeof value === "string" ? value : "");
    case 2:
      return pick(random, [null, true, false]) as JsonValue;
    case 3:
      return nested(value, pick(random, [1, 2, 62, 63, 64, 65, 100]) as number, random.integer(2) === 0);
    case 4:
      return [];
    default:
      return {};
  }
}

function oddText(random: SeededRandom, text: string): string {
  const at = random.integer(text.length + 1);
  switch (random.integer(6)) {
    case 0:
      return text.slice(0, at);
    case 1:
      return (
        text.slice(0, at) + (pick(random, ODD_CHARACTERS) as string) + text.slice(at + random.integer(2))
      );
    case 2:
      return text.slice(0, at) + String.fromCharCode(random.integer(128)) + text.slice(at + 1);
    case 3:
      return random.integer(50) === 0 ? text + "x".repeat(random.integer(70_000)) : text + text;
    case 4:
      return text.toUpperCase();
    default:
      return pick(random, ODD_TEXTS) as string;
  }
}

function placesOf(value: JsonValue, at: Path = [], into: Path[] = [at]): Path[] {
  if (typeof value !== "object" || value === null) return into;
  for (const [name, member] of Object.entries(value)) {
    const place = [...at, Array.isArray(value) ? Number(name) : name];
    into.push(place);
    placesOf(member, place, into);
  }
  return into;
}

function nested(value: JsonValue, depth: number, inObjects: boolean): JsonValue {
  let outer = value;
  for (let level = 0; level < depth; level += 1) outer = inObjects ? { a: outer } : [outer];
  return outer;
}

function spliced(bytes: Uint8Array, at: number, remove: number, insert: Uint8Array): Uint8Array {
  const result = new Uint8Array(bytes.length - remove + insert.length);
  result.set(bytes.subarray(0, at));
  result.set(insert, at);
  result.set(bytes.subarray(at + remove), at + insert.length);
  return result;
}

function repeated(token: Uint8Array, times: number): Uint8Array {
  const result = new Uint8Array(Math.min(LONGEST, token.length * times));
  result.set(token.subarray(0, result.length));
  for (let filled = token.length; filled < result.length; filled *= 2) result.copyWithin(filled, 0, filled);
  return result;
}

function pick<Item>(random: SeededRandom, items: readonly Item[]): Item | undefined {
  return items[random.integer(items.length)];
}

const ODD_NUMBERS = [
  0,
  -0,
  1,
  -1,
  0.5,
  1e-7,
  1e21,
  2 ** 31,
  2 ** 32,
  2 ** 53,
  -(2 ** 53),
  5e-324,
  1.7976931348623157e308,
];
const ODD_NAMES = [
  "",
  "__proto__",
  "constructor",
  "toString",
  "0",
  "10",
  "2",
  "a\u0000b",
  "\u{1f600}",
  "\ud800",
  "v",
];
const ODD_CHARACTERS = [
  "\u0000",
  "\u001f",
  '"',
  "\\",
  "\u007f",
  "\u00e9",
  "\u2028",
  "\ufeff",
  "\u{10ffff}",
  "\ud800",
  "\udc00",
  "=",
  "+",
  "/",
];
const ODD_TEXTS = [
  "",
  " ",
  "null",
  "0",
  "-1",
  "NaN",
  "__proto__",
  "\ud800",
  "*",
  "communication:*",
  "9999-12-31T23:59:60Z",
  "AA",
  "AA==",
  "sess-",
];
