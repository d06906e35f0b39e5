import { readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseWav } from "../../../codecs/wav.ts";
import { melodyIn, missing, writeMicrophone } from "./melody.ts";

test.each(["adbeh", "gfcbaf", ""])("the melody %j is found in what was written", (melody) => {
  const path = writeMicrophone(join(tmpdir(), `parley-melody-${process.pid}.wav`), melody);
  const wav = parseWav(readFileSync(path));
  rmSync(path);
  if (!wav.ok) throw new Error(wav.fault.message);
  expect(melodyIn(wav.value)).toBe(melody);
  // Noise is no melody.
  let seed = 1;
  const noise = wav.value.samples.map(() => {
    seed = (seed * 48_271) % 0x7fff_ffff;
    return (seed % 16_000) - 8_000;
  });
  expect(melodyIn({ ...wav.value, samples: noise })).toBe("");
});

test.each([
  ["adbeh", "adbeh", 0],
  ["adbeh", "abh", 2],
  ["adbeh", "", 5],
  ["adbeh", "adbehg", Number.POSITIVE_INFINITY],
  ["adbeh", "dabeh", Number.POSITIVE_INFINITY],
])("of %j sung and %j heard, %d notes are missing", (sung, heard, count) => {
  expect(missing(sung, heard)).toBe(count);
});
