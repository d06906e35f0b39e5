import { expect, it } from "vitest";
import { Headers } from "./headers.ts";

it("compares names without case and keeps order and spelling", () => {
  const headers = new Headers([
    ["Agent-ID", "a"],
    ["X-Note", "1"],
    ["x-note", "2"],
  ]);
  expect(headers.get("agent-id")).toBe("a");
  expect(headers.get("X-NOTE")).toBe("2");
  expect(headers.getAll("X-note")).toEqual(["1", "2"]);
  expect([...headers]).toEqual([
    ["Agent-ID", "a"],
    ["X-Note", "1"],
    ["x-note", "2"],
  ]);
  expect(headers.size).toBe(3);
  headers.set("X-NOTE", " 3\t").delete("Agent-ID");
  expect([...headers]).toEqual([["X-NOTE", "3"]]);
  expect(headers.has("Agent-ID")).toBe(false);
  expect(headers.get("Agent-ID")).toBeUndefined();
});

it.each([
  ["Task-ID", "a\r\nAgent-ID: b"],
  ["Task-ID", "a\nb"],
  ["Task-ID", "a\rb"],
  ["Task-ID", "a\u0000b"],
  ["Task-ID", "a\u007fb"],
  ["Task-ID", "\ud800"],
  ["Task ID", "a"],
  ["Task-ID:", "a"],
  ["", "a"],
  ["Tásk", "a"],
  ["Task\r\n", "a"],
])("holds nothing that could break out of its line: %j: %j", (name, value) => {
  const headers = new Headers();
  expect(() => headers.append(name, value)).toThrow(expect.objectContaining({ code: "field-invalid" }));
  expect(() => headers.set(name, value)).toThrow();
  expect(headers.size).toBe(0);
});
