import { expect, it } from "vitest";
import { ERRORS } from "../../codecs/error-codes.ts";
import { errorsPage } from "../../scripts/write-errors-doc.ts";
import { textOf } from "./tree.ts";

it("docs/errors.md is what `npm run docs:errors` writes from the table of codes", () => {
  expect(textOf("docs/errors.md")).toBe(errorsPage());
});

it("the table speaks kebab-case codes and whole sentences", () => {
  for (const [code, { meaning }] of Object.entries(ERRORS)) {
    expect(code).toMatch(/^[a-z]+(-[a-z0-9]+)*$/);
    expect(meaning).toMatch(/^[A-Z`].*[.]$/s);
  }
});
