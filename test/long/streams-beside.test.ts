/** One stream of a call comes and goes a hundred times, and the others are heard as if nothing happened. */
import { it } from "vitest";
import { comesAndGoes } from "../scenario/stream-beside.ts";

it("opening, changing, muting, holding and closing one stream a hundred times leaves a voice and a stream of data beside it without a glitch", async () => {
  await comesAndGoes(100);
}, 120_000);
