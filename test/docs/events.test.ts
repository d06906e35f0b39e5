import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { LIFE_EVENTS } from "../../signaling/life-events.ts";

it("docs/events.md names every event there is, and no other", () => {
  const page = readFileSync(new URL("../../docs/events.md", import.meta.url), "utf8");
  const table = page.slice(0, page.indexOf("## What an event is"));
  const rows = table.split("\n").filter((line) => line.startsWith("| `"));
  const named = rows.flatMap((row) => [...(row.split("|")[1] ?? "").matchAll(/`([a-z-]+)`/g)]);
  expect(named.map(([, name]) => name)).toEqual([...LIFE_EVENTS]);
});
