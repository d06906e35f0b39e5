import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { REFUSED_FLOOR_METHODS } from "./floor.ts";
import { FLOOR_METHODS, redirectsFor } from "./methods.ts";
import { checkPath, ROUTES, routeRequest } from "./paths.ts";

// The lists of `spec/agtp` Appendix B.
const FORBIDDEN =
  `stream audit track profile report signal rate model index link message exchange checkpoint heartbeat
  ping open close start stop resume suspend terminate pause adjust estimate upgrade renew revoke capture`.split(
    /\s+/,
  );
const ALLOWED =
  `sessions session streams media frames bandwidth quality stats statistics control events keyframe
  participants attribution receipts records audits metrics health status codecs offer answer tracks datagrams channels
  capabilities genesis agents methods manifest profiles reports signals messages checkpoints adaptation estimates proofs
  log sth statements conference call transport audio video data telemetry text clock inbox offers evidence`.split(
    /\s+/,
  );

describe("the path grammar", () => {
  it.each([...FORBIDDEN, "GET", "Stream", "check-point", "_s_t_o_p_", "heart-BEAT"])(
    "refuses the segment %s",
    (word) => {
      for (const path of [`/${word}`, `/sessions/${word}/x`, `/a/${word}`]) {
        expect(checkPath(path)).toMatchObject({
          ok: false,
          fault: { code: "path-invalid", details: { segment: word } },
        });
      }
    },
  );

  it.each(ALLOWED)("allows the segment %s", (word) => {
    expect(checkPath(`/${word}/x`)).toEqual({ ok: true, value: [word, "x"] });
  });

  it.each(["/sessions/", "//", "/a//b", "", "sessions", "/sessions//"])("refuses %j", (path) => {
    expect(checkPath(path)).toMatchObject({ ok: false, fault: { code: "path-invalid" } });
  });

  it("takes the bare root", () => {
    expect(checkPath("/")).toEqual({ ok: true, value: [] });
  });
});

/** What a session takes, in order. */
const IN_SESSION = ROUTES.filter((route) => route.endsWith(" /sessions/{session_id}"))
  .map((route) => route.slice(0, route.indexOf(" ")))
  .sort();

describe("routing", () => {
  it.each(ROUTES)("finds %s", (route) => {
    const [method, pattern] = route.split(" ") as [string, string];
    const path = pattern.replaceAll(/\{([a-z_]+)\}/g, (_, name) => `x-${name}`);
    const names = [...pattern.matchAll(/\{([a-z_]+)\}/g)].map((found) => found[1] as string);
    expect(routeRequest(method, path)).toEqual({
      ok: true,
      value: { route, params: Object.fromEntries(names.map((name) => [name, `x-${name}`])) },
    });
  });

  it("types the parameters by route", () => {
    const routed = routeRequest("QUERY", "/sessions/sess-1/evidence");
    if (!routed.ok || routed.value.route !== "QUERY /sessions/{session_id}/evidence") {
      throw new Error("not routed");
    }
    expect(routed.value.params.session_id).toBe("sess-1");
  });

  it.each([
    [
      "GET",
      "/sessions/a",
      "method-unknown",
      { method: "GET", preferred: "FETCH", redirects_for_path: redirectsFor(IN_SESSION) },
    ],
    ["GET", "/nowhere", "method-unknown", { method: "GET", preferred: "FETCH" }],
    ["GET", "/stream", "method-unknown", { method: "GET", preferred: "FETCH" }],
    ["ANSWER", "/stream/", "method-unknown", { method: "ANSWER" }],
    ["QUERY", "/stream", "path-invalid", { segment: "stream" }],
    ["QUERY", "/clock/", "path-invalid", { segment: "" }],
    ["QUERY", "/nothing", "not-found", undefined],
    ["QUERY", "/Clock", "not-found", undefined],
    ["QUERY", "/sessions/a/b", "not-found", undefined],
    [
      "QUERY",
      "/sessions",
      "method-not-allowed",
      {
        allowed_methods_for_path: ["ESTABLISH"],
        redirects_for_path: {
          POST: "ESTABLISH",
          CREATE: "ESTABLISH",
          START: "ESTABLISH",
          CONNECT: "ESTABLISH",
        },
      },
    ],
    [
      "FETCH",
      "/sessions/a",
      "method-not-allowed",
      { allowed_methods_for_path: IN_SESSION, redirects_for_path: redirectsFor(IN_SESSION) },
    ],
    ["EXECUTE", "/nothing", "not-found", undefined],
  ] as const)("answers %s %s with %s", (method, path, code, details) => {
    const result = routeRequest(method, path);
    expect(result).toMatchObject({ ok: false, fault: { code } });
    expect(!result.ok && result.fault.details).toEqual(details);
  });

  it("tells what a verb of another service means on a path, where it means something there", () => {
    expect(redirectsFor(IN_SESSION)).toMatchObject({ GET: "QUERY", DELETE: "TERMINATE", PATCH: "ADJUST" });
    expect(redirectsFor(["DISCOVER"])).toMatchObject({ GET: "DISCOVER", LIST: "DISCOVER" });
    expect(redirectsFor(["CONFIRM"])).toEqual({});
  });

  it("takes every method of the floor at the root or at a path of its own", () => {
    const unrouted = [...FLOOR_METHODS].filter(
      (method) => !ROUTES.some((route) => route.startsWith(`${method} `)),
    );
    for (const method of REFUSED_FLOOR_METHODS) {
      const refused = routeRequest(method, "/");
      const code = method === "PROPOSE" ? "proposal-rejected" : "method-unserved";
      expect(refused).toMatchObject({ ok: false, fault: { code } });
    }
    expect(routeRequest("PROPOSE", "/")).toMatchObject({
      fault: { details: { reason: "synthesis-disabled" } },
    });
    expect(unrouted.filter((method) => !REFUSED_FLOOR_METHODS.includes(method))).toEqual([]);
  });

  it("never throws, whatever the words", () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.array(fc.string({ maxLength: 8 })).map((parts) => `/${parts.join("/")}`),
        (method, path) => {
          expect(typeof routeRequest(method, path).ok).toBe("boolean");
        },
      ),
    );
    expect(routeRequest("DISCOVER", "/agents/__proto__")).toMatchObject({
      value: { params: { agent_id: "__proto__" } },
    });
  });
});
