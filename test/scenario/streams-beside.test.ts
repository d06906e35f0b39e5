/** One stream of a call comes and goes, and the others are heard as if nothing happened. `test/long` has it a hundred times. */
import { it } from "vitest";
import { comesAndGoes } from "./stream-beside.ts";

it("opening, changing, muting, holding and closing one stream twenty times leaves a voice and a stream of data beside it without a glitch", async () => {
  await comesAndGoes(20);
});
