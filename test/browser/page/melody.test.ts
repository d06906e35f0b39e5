import { readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseWav } from "../../../codecs/wav.ts";
import { melodyIn, writeMicrophone } from "./melody.ts";

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
