import { canonicalBytes, type JsonObject, type JsonValue } from "../codecs/canonical-json.ts";
import { type Fault, ok, type Result, refuse } from "../codecs/result.ts";

/**
 * The form of one parsed JSON value. What passes has the type `T`: {@link readShape} is the only way from unchecked
 * JSON to a typed document, and a refusal names the member at fault.
 */
export interface Shape<T> {
  /** The first fault (`field-invalid`), or `undefined` when `value` has this form. */
  check(value: unknown, at: string): Fault | undefined;
  /** The same form as JSON Schema (2020-12), for those who must know it before they write. */
  readonly schema: JsonObject;
  /** True when an object may lack a member of this form. */
  readonly optional?: boolean;
  /** Never set: carries the type only. */
  readonly accepts?: T;
}

/** `value` as a `T`, or the first fault with its place below `at`. */
export function readShape<T>(shape: Shape<T>, value: unknown, at: string): Result<T> {
  const fault = shape.check(value, at);
  return fault === undefined ? ok(value as T) : { ok: false, fault };
}

/** A string of at most `max` UTF-16 units, at least `min` (default 0), wholly matching `pattern` where given. */
export function text(options: {
  readonly max: number;
  readonly min?: number;
  readonly pattern?: RegExp;
}): Shape<string> {
  const { min, max, pattern } = options;
  return {
    schema: {
      type: "string",
      maxLength: max,
      ...(min === undefined ? {} : { minLength: min }),
      ...(pattern === undefined ? {} : { pattern: pattern.source }),
    },
    check(value, at) {
      if (typeof value !== "string") return fault(at, "must be a string");
      if (value.length > options.max) return fault(at, `must be at most ${options.max} characters`);
      if (value.length < (options.min ?? 0)) return fault(at, `must be at least ${options.min} characters`);
      if (options.pattern !== undefined && !options.pattern.test(value))
        return fault(at, "is not well formed");
      return undefined;
    },
  };
}

/** A whole number from `min` to `max`, both included. */
export function integer(min: number, max: number): Shape<number> {
  return {
    schema: { type: "integer", minimum: min, maximum: max },
    check: (value, at) =>
      Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max
        ? undefined
        : fault(at, `must be a whole number from ${min} to ${max}`),
  };
}

/** A finite number from `min` to `max`, both included. */
export function number(min: number, max: number): Shape<number> {
  return {
    schema: { type: "number", minimum: min, maximum: max },
    check: (value, at) =>
      typeof value === "number" && value >= min && value <= max
        ? undefined
        : fault(at, `must be a number from ${min} to ${max}`),
  };
}

/** True or false. */
export function boolean(): Shape<boolean> {
  return {
    schema: { type: "boolean" },
    check: (value, at) => (typeof value === "boolean" ? undefined : fault(at, "must be true or false")),
  };
}

/** Any JSON object. */
export function anyObject(): Shape<JsonObject> {
  return {
    schema: { type: "object" },
    check: (value, at) => (isObject(value) ? undefined : fault(at, "must be an object")),
  };
}

/** One of the listed strings or numbers. */
export function oneOf<const T extends string | number | boolean>(...values: readonly T[]): Shape<T> {
  return {
    schema: { enum: values },
    check: (value, at) =>
      values.includes(value as T)
        ? undefined
        : fault(at, `must be ${values.map((v) => JSON.stringify(v)).join(" or ")}`),
  };
}

/** Exactly `bytes` bytes as lowercase hex. */
export function hexBytes(bytes: number): Shape<string> {
  const pattern = new RegExp(`^[0-9a-f]{${bytes * 2}}$`);
  return {
    schema: { type: "string", pattern: pattern.source },
    check: (value, at) =>
      typeof value === "string" && pattern.test(value)
        ? undefined
        : fault(at, `must be ${bytes * 2} lowercase hex digits`),
  };
}

/** From `min` to `max` items, each of the given form. */
export function list<T>(
  item: Shape<T>,
  limits: { readonly min?: number; readonly max: number },
): Shape<readonly T[]> {
  return {
    schema: { type: "array", items: item.schema, minItems: limits.min ?? 0, maxItems: limits.max },
    check(value, at) {
      if (!Array.isArray(value)) return fault(at, "must be a list");
      if (value.length > limits.max) return fault(at, `must have at most ${limits.max} items`);
      if (value.length < (limits.min ?? 0)) return fault(at, `must have at least ${limits.min} items`);
      for (const [i, entry] of value.entries()) {
        const inner = item.check(entry, `${at}[${i}]`);
        if (inner !== undefined) return inner;
      }
      return undefined;
    },
  };
}

/**
 * An object with these members. A member it does not list is a fault: what is signed and not understood must not be
 * passed over. `open` lets other members be, for documents that other implementations write.
 */
export function object<T>(
  members: { readonly [K in keyof T]-?: Shape<Exclude<T[K], undefined>> },
  options: { readonly open?: boolean } = {},
): Shape<T> {
  const shapes = new Map<string, Shape<unknown>>(Object.entries(members));
  return {
    schema: {
      type: "object",
      properties: Object.fromEntries([...shapes].map(([name, shape]) => [name, shape.schema])),
      required: [...shapes].filter(([, shape]) => shape.optional !== true).map(([name]) => name),
      additionalProperties: options.open === true,
    },
    check(value, at) {
      if (!isObject(value)) return fault(at, "must be an object");
      for (const [name, shape] of shapes) {
        const member = Object.hasOwn(value, name) ? value[name] : undefined;
        if (member === undefined && shape.optional === true) continue;
        if (member === undefined) return fault(`${at}.${name}`, "is missing");
        const inner = shape.check(member, `${at}.${name}`);
        if (inner !== undefined) return inner;
      }
      if (options.open === true) return undefined;
      for (const name of Object.keys(value)) {
        if (!shapes.has(name)) return fault(`${at}.${name}`, "is not known here");
      }
      return undefined;
    },
  };
}

/** An object whose member `tag` says which of `forms` it has. */
export function variant<Forms extends Readonly<Record<string, Shape<unknown>>>>(
  tag: string,
  forms: Forms,
): Shape<Forms[keyof Forms] extends Shape<infer T> ? T : never> {
  const known = oneOf(...Object.keys(forms));
  return {
    schema: { oneOf: Object.values(forms).map((form) => form.schema) },
    check(value, at) {
      if (!isObject(value)) return fault(at, "must be an object");
      if (!Object.hasOwn(value, tag)) return fault(`${at}.${tag}`, "is missing");
      return known.check(value[tag], `${at}.${tag}`) ?? forms[value[tag] as string]?.check(value, at);
    },
  };
}

/** A member that may be absent. */
export function optional<T>(shape: Shape<T>): Shape<T> {
  return { schema: shape.schema, check: (value, at) => shape.check(value, at), optional: true };
}

/** A value that takes at most `bytes` bytes as canonical JSON. */
export function bounded<T extends JsonValue>(shape: Shape<T>, bytes: number): Shape<T> {
  return {
    schema: shape.schema,
    check: (value, at) =>
      shape.check(value, at) ??
      (canonicalBytes(value as JsonValue).length <= bytes
        ? undefined
        : fault(at, `must be at most ${bytes} bytes`)),
  };
}

/** True for a JSON object: neither `null` nor a list. */
function isObject(value: unknown): value is { readonly [name: string]: unknown } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** An Agent-ID: SHA-256 as 64 lowercase hex digits. */
export const AGENT_ID: Shape<string> = hexBytes(32);

/** A digest or Audit-ID: SHA-256 as 64 lowercase hex digits. */
export const DIGEST: Shape<string> = hexBytes(32);

/** Unix time in whole seconds, up to the year 9999. */
export const SECONDS: Shape<number> = integer(0, 253_402_300_799);

/** A UUID of version 7 (RFC 9562 5.7), lowercase. */
export const UUID_V7: Shape<string> = text({
  max: 36,
  pattern: /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
});

function fault(at: string, message: string): Fault {
  const refusal = refuse("field-invalid", `This ${message}.`, at);
  return refusal.fault;
}
