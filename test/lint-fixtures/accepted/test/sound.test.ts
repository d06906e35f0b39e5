import { it } from "vitest";
import { thing } from "../src/thing.ts";

it("may import any room", () => {
  console.log(thing);
});
