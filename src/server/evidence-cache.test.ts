import { expect, it } from "vitest";
import { EvidenceCache, MAX_CACHED_BYTES, MAX_CACHED_FILES } from "./evidence-cache.ts";

function counting(size: (sessionId: string) => number | undefined) {
  const built: string[] = [];
  const cache = new EvidenceCache((sessionId) => {
    built.push(sessionId);
    const length = size(sessionId);
    return length === undefined ? undefined : { bytes: new Uint8Array(length), participants: [] };
  });
  return { built, cache };
}

it("builds a file once for all who ask", () => {
  const { built, cache } = counting(() => 10);
  expect(cache.get("a")).toBe(cache.get("a"));
  expect(built).toEqual(["a"]);
});

it("forgets the one asked for longest ago when there are too many", () => {
  const { built, cache } = counting(() => 10);
  for (let at = 0; at < MAX_CACHED_FILES; at++) cache.get(`s${at}`);
  cache.get("s0");
  cache.get("new");
  built.length = 0;
  cache.get("s0");
  cache.get("s1");
  expect(built).toEqual(["s1"]);
});

it("keeps no more bytes than its cap, except for one file alone", () => {
  const { built, cache } = counting((sessionId) => (sessionId === "small" ? 1 : MAX_CACHED_BYTES));
  cache.get("small");
  cache.get("large");
  cache.get("large");
  cache.get("small");
  expect(built).toEqual(["small", "large", "small"]);
});

it("does not remember what there is not", () => {
  const { built, cache } = counting(() => undefined);
  expect(cache.get("a")).toBeUndefined();
  cache.get("a");
  expect(built).toEqual(["a", "a"]);
});
