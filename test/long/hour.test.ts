import { it } from "vitest";
import { expectNoDrift } from "../drifting.ts";

it.each([200, -200])(
  "an hour with a speaker whose clock is off by %d ppm: no growth of delay, no glitch",
  (ppm) => {
    expectNoDrift(60, ppm);
  },
);
