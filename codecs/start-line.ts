import { CONTROLS, TOKEN } from "./headers.ts";
import { ok, type Result, refuse } from "./result.ts";

/**
 * Which start line a message carries: `base` is `AGTP/1.0 METHOD /path`, `seed` is `METHOD /path HTTP/AGTP/1.0`
 * (`spec/agtp` 1.2). An answer is written in the dialect of its request.
 */
export type Dialect = "base" | "seed";

/** What a request's start line says. */
export interface RequestLine {
  readonly method: string;
  readonly path: string;
  readonly query: ReadonlyMap<string, string>;
}

/** What a response's start line says. */
export interface StatusLine {
  readonly status: number;
  readonly reason: string;
}

/**
 * Dialect of a request line by where the version token stands (`spec/agtp` 1.2), even when the rest of the line is
 * malformed; `undefined` when no known version stands at either end.
 */
export function requestDialect(line: string): Dialect | undefined {
  if (line === VERSION || line.startsWith(`${VERSION} `)) {
    return "base";
  }
  const last = line.slice(line.lastIndexOf(" ") + 1);
  return line.includes(" ") && (last === SEED_VERSION || last === VERSION) ? "seed" : undefined;
}

/** Dialect of a response line by its first token; `undefined` for any other version. */
export function responseDialect(line: string): Dialect | undefined {
  const [first] = line.split(" ", 1);
  return first === VERSION ? "base" : first === SEED_VERSION ? "seed" : undefined;
}

/**
 * Parses a request line without its CRLF: `AGTP/1.0 METHOD /path?query`, the same without a target (then `/`), or
 * `METHOD /path?query HTTP/AGTP/1.0`. Faults: `version-unsupported`, `invalid-request-line`, at `line 1`.
 */
export function parseRequestLine(line: string): Result<RequestLine> {
  const dialect = requestDialect(line);
  const tokens = line.split(" ");
  if (dialect === undefined) {
    return VERSION_LIKE.test(tokens[0] as string) || VERSION_LIKE.test(tokens.at(-1) as string)
      ? refuse("version-unsupported", "Only AGTP/1.0 and HTTP/AGTP/1.0 are spoken here.", LINE)
      : refuse("invalid-request-line", "No version token where one belongs.", LINE);
  }
  if (line.includes("#")) {
    return refuse("invalid-request-line", "A fragment (`#`) in the request line.", LINE);
  }
  const isShort = dialect === "base" && tokens.length === 2;
  if (tokens.length !== 3 && !isShort) {
    return refuse("invalid-request-line", "A request line has three tokens with one space between.", LINE);
  }
  const method = (dialect === "base" ? tokens[1] : tokens[0]) as string;
  if (!TOKEN.test(method) || method.length > MAX_METHOD_CHARACTERS) {
    return refuse("invalid-request-line", "The method is not a token.", LINE);
  }
  const target = isShort ? "/" : ((dialect === "base" ? tokens[2] : tokens[1]) as string);
  const mark = target.indexOf("?");
  const path = mark === -1 ? target : target.slice(0, mark);
  if (!TARGET_PATH.test(path)) {
    return refuse("invalid-request-line", "The request target is not an RFC 3986 path-absolute.", LINE);
  }
  const query = mark === -1 ? new Map<string, string>() : parseQuery(target.slice(mark + 1));
  return query === undefined
    ? refuse("invalid-request-line", "The query is not RFC 3986 text whose escapes are UTF-8.", LINE)
    : ok({ method, path, query });
}

/**
 * Parses a response line without its CRLF: version, three digits, and a reason that may be missing. Faults:
 * `version-unsupported`, `message-malformed`, at `line 1`.
 */
export function parseStatusLine(line: string): Result<StatusLine> {
  if (responseDialect(line) === undefined) {
    return VERSION_LIKE.test(line.split(" ", 1)[0] as string)
      ? refuse("version-unsupported", "Only AGTP/1.0 and HTTP/AGTP/1.0 are spoken here.", LINE)
      : refuse("message-malformed", "A response line begins with its version.", LINE);
  }
  const parts = STATUS_LINE.exec(line);
  if (parts === null || CONTROLS.test(line)) {
    return refuse("message-malformed", "A response line is version, three-digit status and reason.", LINE);
  }
  return ok({ status: Number(parts[1]), reason: (parts[2] ?? "").replace(BLANKS_AROUND, "") });
}

function parseQuery(text: string): Map<string, string> | undefined {
  if (!QUERY.test(text)) {
    return undefined;
  }
  const query = new Map<string, string>();
  for (const pair of text.split("&")) {
    if (pair === "") {
      continue;
    }
    const equals = pair.indexOf("=");
    try {
      const key = decodeURIComponent(equals === -1 ? pair : pair.slice(0, equals));
      query.set(key, equals === -1 ? "" : decodeURIComponent(pair.slice(equals + 1)));
    } catch {
      return undefined;
    }
  }
  return query;
}

const LINE = "line 1";
const VERSION = "AGTP/1.0";
const SEED_VERSION = "HTTP/AGTP/1.0";
/** First token of a response line by dialect. */
export const RESPONSE_VERSION: Readonly<Record<Dialect, string>> = { base: VERSION, seed: SEED_VERSION };
const VERSION_LIKE = /^(?:(?:HTTP\/)?AGTP|HTTP)\/[0-9]+(?:\.[0-9]+)?$/;
/** Longest method token read; a longer one cannot be a verb. */
const MAX_METHOD_CHARACTERS = 64;
/** RFC 3986 path-absolute (a leading `//` would be an authority). */
export const TARGET_PATH = /^\/(?!\/)(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/]|%[0-9A-Fa-f]{2})*$/;
const QUERY = /^(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?]|%[0-9A-Fa-f]{2})*$/;
const STATUS_LINE = /^\S+ ([1-9][0-9]{2})(?: (.*))?$/;
const BLANKS_AROUND = /^[ \t]+|[ \t]+$/g;
/** A reason that reads back as it was written: no blanks at its ends. */
export const REASON = /^(?![ \t]).*(?<![ \t])$/;
