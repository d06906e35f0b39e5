/**
 * A million generated inputs for every reader of bytes that come from others: each is refused or read, none is thrown at, and
 * none hangs or fills the memory. `PARLEY_SEED` repeats a run, `PARLEY_FUZZ_INPUTS` changes how many. An input that goes wrong
 * is written to `out/fuzz/`; it belongs into `test/fuzz/cases/<target>/` once mended.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { expect, it } from "vitest";
import { type FuzzOrder, type FuzzOutcome, runFuzz } from "../fuzz/run.ts";
import { type FuzzTarget, inputOf } from "../fuzz/target.ts";
import { TARGETS } from "../fuzz/targets.ts";
import { announceSeed } from "../net/announce-seed.ts";

const INPUTS = Number(process.env.PARLEY_FUZZ_INPUTS ?? 1_000_000);
/** Inputs after which the time is looked at, and the most they may take, ms. */
const STRETCH = 100_000;
const STRETCH_MS = 90_000;
const THREADS = Math.min(4, availableParallelism());

const seed = announceSeed("fuzz");

it.each(TARGETS)("$name", async (target) => {
  const inputs = Math.ceil(INPUTS / (target.every ?? 1));
  const stretches: FuzzOrder[] = [];
  for (let from = 0; from < inputs; from += STRETCH)
    stretches.push({ target: target.name, seed, from, to: Math.min(inputs, from + STRETCH) });
  await Promise.all(
    Array.from({ length: THREADS }, async () => {
      for (let order = stretches.shift(); order !== undefined; order = stretches.shift()) {
        const outcome = await runFuzz(order);
        expect(outcome.failure, describeFailure(target, outcome)).toBeUndefined();
        expect(outcome.took).toBeLessThan(STRETCH_MS);
      }
    }),
  );
});

function describeFailure(target: FuzzTarget, { failure }: FuzzOutcome): string {
  if (failure === undefined) return "";
  const file = `out/fuzz/${target.name}-${seed}-${failure.index}.bin`;
  mkdirSync("out/fuzz", { recursive: true });
  writeFileSync(file, inputOf(target, seed, failure.index));
  return `${file}: ${failure.error}`;
}
