import { expect, it } from "vitest";
import { offeredData } from "./data-offer.ts";

it.each([
  ["that no stream may bear", "\u00fc"],
  ["that is empty", ""],
  ["of Parley's own", "parley.text"],
])("a label %s is refused before anything is offered", (_, label) => {
  expect(() => offeredData({ data: [{}, { label }] }, () => 1)).toThrow(
    expect.objectContaining({ code: "field-invalid", at: "data[1].label" }),
  );
});

it("any other label is offered as it is", () => {
  expect(offeredData({ data: [{ label: "tasks to do" }] }, () => 1)).toMatchObject([
    { label: "tasks to do" },
  ]);
});
