import { ok, type Result, refuse } from "../codecs/result.ts";
import { checkMethod, isVerb } from "./methods.ts";

/** Every exchange a Parley server answers, as `METHOD /path`; `{name}` stands for one segment. */
export const ROUTES = [
  "DISCOVER /",
  "DESCRIBE /",
  "DISCOVER /genesis",
  "DISCOVER /agents",
  "DISCOVER /agents/{agent_id}",
  "SUBSCRIBE /agents/{agent_id}/inbox",
  "NOTIFY /agents/{agent_id}/inbox",
  "QUERY /clock",
  "ESTABLISH /sessions",
  "QUERY /sessions/{session_id}",
  "CONFIRM /sessions/{session_id}",
  "NOTIFY /sessions/{session_id}",
  "TERMINATE /sessions/{session_id}",
  "ADJUST /sessions/{session_id}",
  "QUERY /sessions/{session_id}/records",
  "QUERY /sessions/{session_id}/evidence",
  "TERMINATE /offers/{offer_id}",
] as const;

/** Name of an exchange, e.g. `QUERY /sessions/{session_id}`. */
export type Route = (typeof ROUTES)[number];

type ParamNames<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}`
  ? Name | ParamNames<Rest>
  : never;

/** The segments of a route's path that vary, by name, as they stood in the path. */
export type RouteParams<R extends Route> = { readonly [Name in ParamNames<R>]: string };

/** A routed request: decide on `route`, then `params` has the names of that route. */
export type Routed = { [R in Route]: { readonly route: R; readonly params: RouteParams<R> } }[Route];

/**
 * Checks the path grammar (`spec/agtp` 1.1, Appendix B): begins with `/`, no empty segment and so no trailing `/`, and
 * no segment that equals a verb once `-` and `_` are removed and it is upper-cased. Fault: `path-invalid` (460) with
 * `details.segment`.
 */
export function checkPath(path: string): Result<readonly string[]> {
  if (path === "/") {
    return ok([]);
  }
  if (!path.startsWith("/")) {
    return refuse("path-invalid", "A path begins with a slash.", "path", { segment: path.split("/", 1)[0] });
  }
  const segments = path.slice(1).split("/");
  for (const segment of segments) {
    if (segment === "") {
      return refuse("path-invalid", "A path has no empty segment and no slash at its end.", "path", {
        segment,
      });
    }
    if (isVerb(segment.replaceAll(/[-_]/g, "").toUpperCase())) {
      return refuse("path-invalid", "A path segment equals a verb of the catalog.", `segment ${segment}`, {
        segment,
      });
    }
  }
  return ok(segments);
}

/**
 * Finds the exchange a request asks for; a route with more literal segments wins. Faults, in this order:
 * `method-unknown` (459), `path-invalid` (460), `not-found` (404), `method-not-allowed` (405, with
 * `details.allowed_methods_for_path`).
 */
export function routeRequest(method: string, path: string): Result<Routed> {
  const verb = checkMethod(method);
  if (!verb.ok) {
    return verb;
  }
  const segments = checkPath(path);
  if (!segments.ok) {
    return segments;
  }
  const allowed: string[] = [];
  for (const entry of TABLE) {
    const params = match(entry.segments, segments.value);
    if (params !== undefined) {
      if (entry.method === method) {
        return ok({ route: entry.route, params } as Routed);
      }
      allowed.push(entry.method);
    }
  }
  if (allowed.length === 0) {
    return refuse("not-found", "Nothing is at that path.", "path");
  }
  return refuse("method-not-allowed", `${method} is not for that path.`, "method", {
    allowed_methods_for_path: [...new Set(allowed)].sort(),
  });
}

interface Entry {
  readonly route: Route;
  readonly method: string;
  readonly segments: readonly Segment[];
}

interface Segment {
  /** The literal text, or the parameter's name. */
  readonly text: string;
  readonly isParam: boolean;
}

function match(pattern: readonly Segment[], segments: readonly string[]): Record<string, string> | undefined {
  if (pattern.length !== segments.length) {
    return undefined;
  }
  const params: Record<string, string> = {};
  for (const [index, { text, isParam }] of pattern.entries()) {
    const segment = segments[index] as string;
    if (isParam) {
      params[text] = segment;
    } else if (text !== segment) {
      return undefined;
    }
  }
  return params;
}

function compile(route: Route): Entry {
  const [method, path] = route.split(" ") as [string, string];
  const segments = path
    .split("/")
    .filter((text) => text !== "")
    .map((text) =>
      text.startsWith("{") ? { text: text.slice(1, -1), isParam: true } : { text, isParam: false },
    );
  return { route, method, segments };
}

function literals(entry: Entry): number {
  return entry.segments.filter((segment) => !segment.isParam).length;
}

/** Most literal segments first, so that the most specific route is tried first. */
const TABLE: readonly Entry[] = ROUTES.map(compile).sort((left, right) => literals(right) - literals(left));
