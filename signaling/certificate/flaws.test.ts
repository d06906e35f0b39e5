import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { CERTIFICATE_FLAWS } from "./flaws.ts";

test("docs/certificates.md lists every flaw with its meaning", () => {
  const page = readFileSync(new URL("../../docs/certificates.md", import.meta.url), "utf8");
  const rows = [...page.matchAll(/^\| `([a-z-]+)` \| (.*) \|$/gm)].map(([, flaw, meaning]) => [
    flaw,
    meaning?.replaceAll(/`(basicConstraints|keyUsage)`/g, "$1"),
  ]);
  expect(Object.fromEntries(rows)).toEqual(CERTIFICATE_FLAWS);
});
