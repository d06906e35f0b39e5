import { expect, it } from "vitest";
import { TypedEvents } from "./typed-events.ts";

it("calls listeners in order, and a throwing one stops nobody", () => {
  const reported: unknown[] = [];
  const events = new TypedEvents<{ ping: number }>((error) => reported.push(error));
  const heard: string[] = [];
  const failure = new Error("listener");
  events.on("ping", (value) => heard.push(`first ${value}`));
  events.on("ping", () => {
    throw failure;
  });
  const remove = events.on("ping", (value) => heard.push(`last ${value}`));
  events.emit("ping", 1);
  remove();
  events.emit("ping", 2);
  expect(heard).toEqual(["first 1", "last 1", "first 2"]);
  expect(reported).toEqual([failure, failure]);
});
