import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { must, scopes } from "../test/signed-call.ts";
import {
  covers,
  effectiveScope,
  formatScopes,
  intersect,
  MAX_SCOPE_TOKENS,
  missingScopes,
  NO_SCOPE,
  parseScopes,
  permits,
  permitsSending,
  type ScopeSet,
  scopeHeader,
  widen,
} from "./scope.ts";

const segment = fc.constantFrom("communication", "audio", "capture", "a", "b", "*");
const token = fc.array(segment, { minLength: 2, maxLength: 4 }).map((parts) => parts.join(":"));
const scopeSet = fc
  .array(fc.oneof(token, fc.constantFrom("communication:bilateral", "communication:limit:streams:4")), {
    maxLength: 6,
  })
  .map((tokens) => must(parseScopes(tokens)));
const concrete = token.map((text) => text.replaceAll("*", "a"));

describe("the grammar (spec 5.1)", () => {
  test.each<[header: string, grants: string[]]>([
    ["", []],
    ["a:b", ["a:b"]],
    ["a:b, c:d", ["a:b", "c:d"]],
    ["a:b,c:d", ["a:b", "c:d"]],
    [" a:b \t,\t c:d ", ["a:b", "c:d"]],
    ["a:b c:d", ["a:b", "c:d"]],
    ["c:d, a:b, a:b", ["a:b", "c:d"]],
    ["booking:*", ["booking:*"]],
    ["*:query", ["*:query"]],
    ["a-b_9:c:*:d", ["a-b_9:c:*:d"]],
  ])("%j", (header, grants) => {
    expect(must(parseScopes(header)).grants).toEqual(grants);
  });

  test.each([
    "a",
    "*",
    "a:",
    ":a",
    "a::b",
    "A:b",
    "a:b,,c:d",
    "a:b,",
    ",a:b",
    "a:b*",
    "a:**",
    "a:b;c:d",
    "a:ä",
    "a:b\n",
  ])("%j is malformed", (header) => {
    expect(parseScopes(header)).toMatchObject({ fault: { code: "scope-malformed" } });
  });

  test("a fault names the token", () => {
    expect(parseScopes(["a:b", "nope"], "offer.scope")).toMatchObject({ fault: { at: "offer.scope[1]" } });
  });

  test("in a JSON list a blank is no separator", () => {
    expect(parseScopes(["a:b c:d"]).ok).toBe(false);
  });

  test("too many tokens, and too long ones, are refused", () => {
    const many = Array.from({ length: MAX_SCOPE_TOKENS + 1 }, (_, i) => `a:b${i}`);
    expect(parseScopes(many).ok).toBe(false);
    expect(parseScopes(many.slice(1)).ok).toBe(true);
    expect(parseScopes([`a:${"b".repeat(127)}`]).ok).toBe(false);
  });

  test("header and list come back as the same scope", () => {
    fc.assert(
      fc.property(scopeSet, (scope) => {
        expect(must(parseScopes(scopeHeader(scope)))).toEqual(scope);
        expect(must(parseScopes(formatScopes(scope)))).toEqual(scope);
      }),
    );
  });
});

describe("matching (spec 5.3)", () => {
  test.each<[grant: string, need: string, covered: boolean]>([
    ["a:b", "a:b", true],
    ["a:b", "a:c", false],
    ["a:b", "a:b:c", false],
    ["a:b:c", "a:b", false],
    ["a:*", "a:b", true],
    ["a:*", "a:b:c", true],
    ["a:*", "a:*", true],
    ["a:b:*", "a:b", false],
    ["a:*:c", "a:b:c", true],
    ["a:*:c", "a:b:b:c", false],
    ["a:*:c", "a:b:d", false],
    ["*:b", "a:b", true],
    ["*:*", "a:b:c", true],
    ["a:b", "a:*", false],
    ["a:b:*", "a:*", false],
    ["a:*:*", "a:*", false],
    ["a:*", "a:*:c", true],
    ["communication:audio:*", "communication:audio:capture", true],
    ["communication:*", "communication:bilateral", true],
    ["communication:bilateral", "communication:audio:capture", true],
    ["communication:bilateral", "communication:video:transmit", true],
    ["communication:bilateral", "communication:data:transmit", true],
    ["communication:bilateral", "communication:audio:*", false],
    ["communication:bilateral", "communication:limit", false],
    ["communication:audio:*, communication:video:*", "communication:bilateral", false],
    ["communication:audio:*, communication:video:*, communication:data:*", "communication:bilateral", true],
  ])("%s and %s: %s", (grant, need, covered) => {
    expect(covers(scopes(grant), need)).toBe(covered);
  });

  test("sending takes capture and transmit, receiving nothing", () => {
    expect(permitsSending(scopes("communication:audio:capture"), "audio")).toBe(false);
    expect(permitsSending(scopes("communication:audio:*"), "audio")).toBe(true);
    expect(permitsSending(scopes("communication:audio:*"), "video")).toBe(false);
    expect(permits(scopes("communication:data:transmit"), "data", "transmit")).toBe(true);
    expect(permits(NO_SCOPE, "data", "transmit")).toBe(false);
  });
});

describe("intersection", () => {
  test.each<[left: string, right: string, both: string]>([
    ["a:b", "a:b", "a:b"],
    ["a:b", "a:c", ""],
    ["a:*", "a:b:c", "a:b:c"],
    ["a:*", "*:b", "a:b"],
    ["a:*:c", "a:b:*", "a:b:c"],
    ["*:*", "a:b, c:d:e", "a:b, c:d:e"],
    [
      "communication:bilateral",
      "communication:audio:*",
      "communication:audio:capture, communication:audio:transmit",
    ],
    ["communication:bilateral", "communication:*", "communication:bilateral"],
    ["communication:bilateral", "communication:bilateral", "communication:bilateral"],
    ["a:b", "", ""],
  ])("%j and %j: %j", (left, right, both) => {
    expect(scopeHeader(intersect(scopes(left), scopes(right)))).toBe(both);
  });

  test("grants exactly what both grant, whichever way round", () => {
    fc.assert(
      fc.property(scopeSet, scopeSet, fc.oneof(token, concrete), (a, b, need) => {
        const both = intersect(a, b);
        expect(covers(both, need)).toBe(covers(a, need) && covers(b, need));
        expect(intersect(b, a)).toEqual(both);
        expect(intersect(both, a)).toEqual(both);
      }),
      { numRuns: 500 },
    );
  });

  test("of wildcards that multiply stays small, and within both", () => {
    const rows = must(parseScopes(Array.from({ length: MAX_SCOPE_TOKENS }, (_, i) => `*:*:a${i}`)));
    const columns = must(parseScopes(Array.from({ length: MAX_SCOPE_TOKENS }, (_, i) => `*:b${i}:*`)));
    const both = intersect(rows, columns);
    expect(both.grants).toHaveLength(MAX_SCOPE_TOKENS);
    expect(missingScopes(rows, both)).toEqual([]);
    expect(missingScopes(columns, both)).toEqual([]);
  });

  test("misses nothing of itself, and widening adds exactly what is named", () => {
    fc.assert(
      fc.property(scopeSet, scopeSet, (a, b) => {
        expect(missingScopes(a, a)).toEqual([]);
        expect(missingScopes(a, intersect(a, b))).toEqual([]);
        expect(missingScopes(widen(a, b.grants), b)).toEqual([]);
      }),
    );
  });
});

describe("limits (spec 5.5)", () => {
  const limits = (text: string) => scopes(text).limits;

  test("are read apart from grants", () => {
    expect(scopes("communication:limit:duration-s:600, communication:audio:*")).toEqual({
      grants: ["communication:audio:*"],
      limits: { "duration-s": 600 },
    });
  });

  test("are no permissions: no grant covers or needs them", () => {
    expect(covers(scopes("communication:limit:streams:2"), "communication:limit:streams:2")).toBe(false);
    expect(missingScopes(NO_SCOPE, scopes("communication:limit:streams:2"))).toEqual([]);
  });

  test("the lower one holds, within a scope and between scopes; an absent one does not limit", () => {
    expect(limits("communication:limit:streams:4, communication:limit:streams:2")).toEqual({ streams: 2 });
    const both = intersect(
      scopes("communication:limit:streams:4, communication:limit:height:720"),
      scopes("communication:limit:streams:9, communication:limit:bitrate-bps:64000"),
    );
    expect(both.limits).toEqual({ streams: 4, height: 720, "bitrate-bps": 64_000 });
  });

  test.each([
    "communication:limit:volume:3",
    "communication:limit:streams",
    "communication:limit:streams:",
    "communication:limit:streams:01",
    "communication:limit:streams:-1",
    "communication:limit:streams:*",
    "communication:limit:*",
    "communication:limit:streams:1:2",
    "communication:limit:streams:9007199254740993",
    "communication:limit:toString:1",
  ])("%s is malformed", (text) => {
    expect(parseScopes([text])).toMatchObject({ fault: { code: "scope-malformed" } });
  });
});

describe("effective scope (spec 5.3, 4.3)", () => {
  const document = scopes("communication:audio:*, communication:limit:duration-s:600");

  test("without a claim it is everything declared", () => {
    expect(effectiveScope({ document })).toEqual({ ok: true, value: document });
  });

  test("a claim narrows, and keeps the caps of the document", () => {
    const claim = scopes("communication:audio:transmit, communication:limit:duration-s:9000");
    expect(effectiveScope({ claim, document })).toEqual({
      ok: true,
      value: scopes("communication:audio:transmit, communication:limit:duration-s:600"),
    });
  });

  test("a claim beyond the identity document is refused, naming what is missing", () => {
    expect(
      effectiveScope({ claim: scopes("communication:video:capture, communication:audio:capture"), document }),
    ).toMatchObject({
      fault: { code: "scope-claim-invalid", details: { missing_scopes: ["communication:video:capture"] } },
    });
  });

  test("a claim beyond the Genesis is refused like one beyond the document", () => {
    const sources = {
      claim: scopes("communication:audio:capture"),
      document,
      genesis: scopes("communication:data:*"),
    };
    expect(effectiveScope(sources)).toMatchObject({ fault: { code: "scope-claim-invalid" } });
  });

  test("a claim beyond the certificate is a violation", () => {
    const sources = {
      claim: scopes("communication:audio:*"),
      document,
      certificate: scopes("communication:audio:capture"),
    };
    expect(effectiveScope(sources)).toMatchObject({
      fault: { code: "scope-violation", details: { missing_scopes: ["communication:audio:*"] } },
    });
  });

  test("no claim is narrowed by the certificate without refusing", () => {
    expect(effectiveScope({ document, certificate: scopes("communication:audio:capture") })).toEqual({
      ok: true,
      value: scopes("communication:audio:capture, communication:limit:duration-s:600"),
    });
  });

  test("policy narrows without refusing", () => {
    const value = must(
      effectiveScope({ claim: scopes("communication:audio:*"), document, policy: scopes("*:*:transmit") }),
    );
    expect(value.grants).toEqual(["communication:audio:transmit"]);
  });

  test("is never wider than any source", () => {
    fc.assert(
      fc.property(scopeSet, scopeSet, scopeSet, scopeSet, (claim, declared, certificate, policy) => {
        const effective = effectiveScope({ claim, document: declared, certificate, policy });
        if (!effective.ok) return;
        const within = (outer: ScopeSet) => missingScopes(outer, effective.value).length === 0;
        expect([claim, declared, certificate, policy].every(within)).toBe(true);
      }),
    );
  });
});
