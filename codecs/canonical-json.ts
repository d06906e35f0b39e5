import { ParleyError } from "./parley-error.ts";
import { ok, type Result, refuse } from "./result.ts";

/** A JSON value (RFC 8259) as `JSON.parse` makes it. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;

/** A JSON object; member order carries no meaning. */
export interface JsonObject {
  readonly [name: string]: JsonValue;
}

/** Deepest nesting of arrays and objects that is written or read: a scalar has depth 0, `[]` has depth 1. */
export const MAX_JSON_DEPTH = 64;

/**
 * Canonical JSON text of `value` (RFC 8785): members sorted by UTF-16 code units, no whitespace, ECMAScript numbers.
 *
 * Throws `json-unrepresentable`, naming the place, for what has no such form: NaN and infinities, `undefined` (also as
 * an object member), holes, functions, symbols, bigints, lone surrogates, objects of a class, and nesting deeper than
 * `MAX_JSON_DEPTH` (so cycles too).
 */
export function canonicalize(value: unknown): string {
  try {
    return write(value, 0, undefined);
  } catch (error) {
    if (error !== UNWRITABLE) {
      throw error;
    }
    return write(value, 0, []);
  }
}

/** UTF-8 bytes of `canonicalize(value)`: what is hashed and signed. Throws as it does. */
export function canonicalBytes(value: unknown): Uint8Array {
  return encoder.encode(canonicalize(value));
}

/**
 * Decodes canonical JSON and nothing else: valid UTF-8 without a byte order mark, one JSON value, no duplicate member,
 * and exactly the bytes that `canonicalBytes` would write for it. Faults: `json-not-canonical` with the byte offset.
 */
export function parseCanonical(bytes: Uint8Array): Result<JsonValue> {
  const read = decode(bytes);
  if (!read.ok) {
    return refuse("json-not-canonical", read.message, read.at);
  }
  const { value, text } = read;
  // What holds no surrogate by itself `JSON.stringify` writes as this does, but for the order of members: where that is right, too, there is
  // nothing to write.
  if (isInOrder(value) && JSON.stringify(value) === text) {
    return ok(value);
  }
  const canonical = canonicalize(value);
  // Fatal decoding is injective, so equal texts mean equal bytes.
  if (canonical !== text) {
    return refuse(
      "json-not-canonical",
      "The bytes differ from the canonical form of the value they hold.",
      `byte ${firstDifference(text, canonical)}`,
    );
  }
  return ok(value);
}

/**
 * Decodes any JSON text (RFC 8259) whose value has a canonical form, so hashing what this returns cannot fail. Of
 * duplicate members the last one counts. Faults: `body-malformed`.
 */
export function parseJson(bytes: Uint8Array): Result<JsonValue> {
  const read = decode(bytes);
  return read.ok ? ok(read.value) : refuse("body-malformed", read.message, read.at);
}

/** True for a JSON object, false for arrays, scalars and `undefined`. */
export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

type Decoded =
  | { readonly ok: true; readonly value: JsonValue; readonly text: string }
  | { readonly ok: false; readonly message: string; readonly at: string };

function decode(bytes: Uint8Array): Decoded {
  let text: string;
  try {
    text = strictDecoder.decode(bytes);
  } catch {
    return { ok: false, message: "The bytes are not UTF-8.", at: "byte 0" };
  }
  let value: JsonValue;
  try {
    value = JSON.parse(text);
  } catch {
    return { ok: false, message: "The text is not JSON.", at: "byte 0" };
  }
  if (isWritable(value, 0)) return { ok: true, value, text };
  try {
    canonicalize(value);
    return { ok: true, value, text };
  } catch (error) {
    if (error instanceof ParleyError) {
      const message = "A lone surrogate, a number beyond binary64, or nesting too deep.";
      return { ok: false, message, at: error.at ?? "$" };
    }
    throw error;
  }
}

/** Whether a value that `JSON.parse` made has a canonical form. */
function isWritable(value: JsonValue, depth: number): boolean {
  if (typeof value === "string") return value.isWellFormed();
  if (typeof value === "number") return Number.isFinite(value);
  if (typeof value !== "object" || value === null) return true;
  if (depth === MAX_JSON_DEPTH) return false;
  if (Array.isArray(value)) return value.every((item) => isWritable(item, depth + 1));
  const members = value as JsonObject;
  for (const name in members)
    if (!name.isWellFormed() || !isWritable(members[name] as JsonValue, depth + 1)) return false;
  return true;
}

/** Whether the members of all objects stand in canonical order. */
function isInOrder(value: JsonValue): boolean {
  if (typeof value !== "object" || value === null) return true;
  if (Array.isArray(value)) return value.every(isInOrder);
  const members = value as JsonObject;
  let before: string | undefined;
  for (const name in members) {
    if ((before !== undefined && before > name) || !isInOrder(members[name] as JsonValue)) return false;
    before = name;
  }
  return true;
}

/** Where the writer stands; `undefined` on the first try, which does not keep account for speed. */
type Path = (string | number)[] | undefined;

function write(value: unknown, depth: number, path: Path): string {
  switch (typeof value) {
    case "string":
      return quote(value, path);
    case "number":
      // RFC 8785 3.2.2.3: ECMAScript Number::toString, which also writes -0 as 0.
      return Number.isFinite(value) ? String(value) : fail("A number that is not finite", path);
    case "boolean":
      return value ? "true" : "false";
    case "object":
      return value === null ? "null" : writeNested(value, depth, path);
    default:
      return fail(`A value of type ${typeof value}`, path);
  }
}

function writeNested(value: object, depth: number, path: Path): string {
  if (depth === MAX_JSON_DEPTH) {
    return fail(`Nesting deeper than ${MAX_JSON_DEPTH}`, path);
  }
  if (Array.isArray(value)) {
    let text = "";
    for (let index = 0; index < value.length; index += 1) {
      path?.push(index);
      text += (index === 0 ? "[" : ",") + write(value[index], depth + 1, path);
      path?.pop();
    }
    return text === "" ? "[]" : `${text}]`;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    return fail("An object that is not plain", path);
  }
  const members = value as Record<string, unknown>;
  let text = "";
  for (const name of sortedNames(members)) {
    path?.push(name);
    text += `${(text === "" ? "{" : ",") + quote(name, path)}:${write(members[name], depth + 1, path)}`;
    path?.pop();
  }
  return text === "" ? "{}" : `${text}}`;
}

/** Names by UTF-16 code units (RFC 8785 3.2.3), as both `>` on strings and the default order of `sort` compare. */
function sortedNames(members: Record<string, unknown>): string[] {
  const names = Object.keys(members);
  for (let index = 1; index < names.length; index += 1) {
    if ((names[index - 1] as string) > (names[index] as string)) {
      return names.sort();
    }
  }
  return names;
}

function quote(text: string, path: Path): string {
  if (!NEEDS_CARE.test(text)) {
    return `"${text}"`;
  }
  // JSON.stringify escapes as RFC 8785 3.2.2.2 does, except that it tolerates lone surrogates.
  return text.isWellFormed() ? JSON.stringify(text) : fail("A lone surrogate", path);
}

/** On the first try a sign to try again with the path kept; then the error that names the place. */
function fail(what: string, path: Path): never {
  if (path === undefined) {
    throw UNWRITABLE;
  }
  const at = path.reduce<string>(
    (text, step) => text + (typeof step === "number" ? `[${step}]` : `.${step}`),
    "$",
  );
  throw new ParleyError({ code: "json-unrepresentable", message: `${what} has no canonical JSON form.`, at });
}

function firstDifference(left: string, right: string): number {
  let index = 0;
  while (index < left.length && left[index] === right[index]) {
    index += 1;
  }
  const common = left.slice(0, index);
  return encoder.encode(common.isWellFormed() ? common : common.slice(0, -1)).length;
}

const UNWRITABLE = new Error("no canonical JSON form");
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters JSON escapes.
const NEEDS_CARE = /[\u0000-\u001f"\\\ud800-\udfff]/;
const encoder = new TextEncoder();
const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
