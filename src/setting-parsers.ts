/** Single settings of any origin, read into their types. */
import { bare, isLoopback } from "./server/origins.ts";

/** What a setting should have been. */
export class Wrong {
  readonly expected: string;

  constructor(expected: string) {
    this.expected = expected;
  }
}

export function text(value: unknown): string | Wrong {
  return typeof value === "string" && value.length > 0 ? value : new Wrong("It is a text");
}

/** A port number, or `off` for no listener. */
export function portOrOff(value: unknown): number | "off" | Wrong {
  if (value === "off") return value;
  const port = integer(value, 0, 65_535);
  return port instanceof Wrong ? new Wrong(`${port.expected}, or "off"`) : port;
}

export function flag(value: unknown): boolean | Wrong {
  return typeof value === "boolean" ? value : new Wrong("It is true or false");
}

export function integer(value: unknown, least: number, most: number): number | Wrong {
  return Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most
    ? (value as number)
    : new Wrong(`It is a whole number from ${least} to ${most}`);
}

export function oneOf<const Choice>(value: unknown, choices: readonly Choice[]): Choice | Wrong {
  return choices.find((choice) => choice === value) ?? new Wrong(`It is one of ${choices.join(", ")}`);
}

export function list(value: unknown, isItem: (item: string) => boolean, expected: string): string[] | Wrong {
  const holds = Array.isArray(value) && value.every((item) => typeof item === "string" && isItem(item));
  return holds ? (value as string[]) : new Wrong(expected);
}

/** As a browser writes it: scheme, host and port, nothing after it. */
export function isOrigin(value: string, schemes: readonly string[]): boolean {
  return URL.canParse(value) && new URL(value).origin === value && schemes.includes(new URL(value).protocol);
}

/** A URL that the server may ask: over TLS, or in the clear on this machine itself. Without a user or password, which nothing here would send. */
export function isServiceUrl(value: string): boolean {
  if (!URL.canParse(value)) return false;
  const { protocol, hostname, username, password } = new URL(value);
  if (username !== "" || password !== "") return false;
  return protocol === "https:" || (protocol === "http:" && isLoopback(bare(hostname)));
}

/** Limits laid over the default ones: numbers, or rates with a burst. */
export function limits<Limits extends object>(value: unknown, standards: Limits): Limits | Wrong {
  if (typeof value !== "object" || value === null) return new Wrong("It is an object of limits");
  const merged: Record<string, unknown> = Object.fromEntries(Object.entries(standards));
  for (const [name, limit] of Object.entries(value)) {
    const standard = Object.hasOwn(standards, name) ? merged[name] : undefined;
    if (standard === undefined) return new Wrong(`There is no limit "${name}"`);
    if (typeof standard === "number") {
      const parsed = integer(limit, 1, LARGEST_LIMIT);
      if (parsed instanceof Wrong) return new Wrong(`${name}: ${parsed.expected}`);
      merged[name] = parsed;
      continue;
    }
    const { perSecond, burst } = (limit ?? {}) as Readonly<Record<string, unknown>>;
    if (
      integer(perSecond, 1, LARGEST_LIMIT) instanceof Wrong ||
      integer(burst, 1, LARGEST_LIMIT) instanceof Wrong
    )
      return new Wrong(`${name}: It has perSecond and burst, whole numbers from 1`);
    merged[name] = { perSecond, burst };
  }
  return merged as Limits;
}

const LARGEST_LIMIT = 1_000_000_000;
