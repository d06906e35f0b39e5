import { expect, it } from "vitest";
import { conformancePage } from "../../scripts/write-conformance-doc.ts";
import { textOf } from "./tree.ts";

it("docs/conformance.md is what `npm run docs:conformance` writes from the rows", () => {
  expect(textOf("docs/conformance.md")).toBe(conformancePage());
});
