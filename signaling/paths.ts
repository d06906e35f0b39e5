import { type Fault, ok, type Result, refuse } from "../codecs/result.ts";
import { refuseFloorMethod } from "./floor.ts";
import { checkMethod, isVerb, LEGACY_METHODS, redirectsFor } from "./methods.ts";

/** Every exchange a Parley server answers, as `METHOD /path`; `{name}` stands for one segment. */
export const ROUTES = [
  "DISCOVER /",
  "DISCOVER /methods",
  "DESCRIBE /",
  "INSPECT /",
  "QUERY /",
  "NOTIFY /",
  "CONFIRM /",
  "DISCOVER /genesis",
  "DISCOVER /agents",
  "DISCOVER /agents/{agent_id}",
  "ACTIVATE /agents/{agent_id}",
  "DEACTIVATE /agents/{agent_id}",
  "REINSTATE /agents/{agent_id}",
  "REVOKE /agents/{agent_id}",
  "DEPRECATE /agents/{agent_id}",
  "REDACT /records",
  "SUBSCRIBE /agents/{agent_id}/inbox",
  "NOTIFY /agents/{agent_id}/inbox",
  "QUERY /clock",
  "ESTABLISH /sessions",
  "QUERY /sessions/{session_id}",
  "CONFIRM /sessions/{session_id}",
  "NOTIFY /sessions/{session_id}",
  "TERMINATE /sessions/{session_id}",
  "DISCONNECT /sessions/{session_id}",
  "CLOSE /sessions/{session_id}",
  "ADJUST /sessions/{session_id}",
  "SUSPEND /sessions/{session_id}",
  "RESUME /sessions/{session_id}",
  "OPEN /sessions/{session_id}/media",
  "OPEN /sessions/{session_id}/streams",
  "ADJUST /sessions/{session_id}/streams/{stream}",
  "CLOSE /sessions/{session_id}/streams/{stream}",
  "QUERY /sessions/{session_id}/records",
  "QUERY /sessions/{session_id}/evidence",
  "TERMINATE /offers/{offer_id}",
  "OPEN /webrtc",
  "ADJUST /webrtc/{peer_id}",
  "CLOSE /webrtc/{peer_id}",
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
 * Finds the exchange a request asks for; a route with more literal segments wins. Faults, the most specific first:
 * `method-unknown` (459, with `details.redirects_for_path` for a verb of another protocol), `path-invalid` (460),
 * `method-unserved` and `proposal-rejected` for a floor method that `/` takes only to refuse it, `not-found` (404),
 * `method-not-allowed` (405, with `details.allowed_methods_for_path` and `details.redirects_for_path`).
 */
export function routeRequest(method: string, path: string): Result<Routed> {
  const verb = checkMethod(method);
  if (!verb.ok) {
    return LEGACY_METHODS.has(method) ? withRedirects(verb.fault, path) : verb;
  }
  const segments = checkPath(path);
  if (!segments.ok) {
    return segments;
  }
  const candidates = routesAt(segments.value);
  const found = candidates.find(({ entry }) => entry.method === method);
  if (found !== undefined) {
    return ok({ route: found.entry.route, params: found.params } as Routed);
  }
  const refused = refuseFloorMethod(method, path);
  if (refused !== undefined) {
    return refused;
  }
  if (candidates.length === 0) {
    return refuse("not-found", "Nothing is at that path.", "path");
  }
  const allowed = methodsOf(candidates);
  return refuse("method-not-allowed", `${method} is not for that path.`, "method", {
    allowed_methods_for_path: allowed,
    redirects_for_path: redirectsFor(allowed),
  });
}

/** The methods that this path and those below it take, in order: what `Supported-Methods` says. */
export function supportedMethods(path: "/" | "/sessions"): string {
  const below = TABLE.filter(({ route }) => route.slice(route.indexOf(" ") + 1).startsWith(path));
  return [...new Set(below.map((entry) => entry.method))].sort().join(", ");
}

/** The fault, with what to use instead where the path takes a method that means the same. */
function withRedirects(fault: Fault, path: string): Result<never> {
  const segments = checkPath(path);
  const redirects = segments.ok ? redirectsFor(methodsOf(routesAt(segments.value))) : {};
  const known = Object.keys(redirects).length === 0 ? {} : { redirects_for_path: redirects };
  return { ok: false, fault: { ...fault, details: { ...fault.details, ...known } } };
}

interface Candidate {
  readonly entry: Entry;
  readonly params: Record<string, string>;
}

function routesAt(segments: readonly string[]): Candidate[] {
  return TABLE.flatMap((entry) => {
    const params = match(entry.segments, segments);
    return params === undefined ? [] : [{ entry, params }];
  });
}

function methodsOf(candidates: readonly Candidate[]): string[] {
  return [...new Set(candidates.map(({ entry }) => entry.method))].sort();
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
