import { expect, it } from "vitest";
import { cliPage } from "../../scripts/write-cli-doc.ts";
import { EXIT, EXIT_MEANINGS } from "../../src/cli/exit-codes.ts";
import { textOf } from "./tree.ts";

it("docs/cli.md is what `npm run docs:cli` writes from the commands' help", () => {
  expect(textOf("docs/cli.md")).toBe(cliPage());
});

it("every exit code is told apart and explained", () => {
  const codes = Object.values(EXIT);
  expect(new Set(codes).size).toBe(codes.length);
  expect(Object.keys(EXIT_MEANINGS)).toEqual(Object.keys(EXIT));
});
