import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Call } from "../../agent/call.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import { parseWav, type Wav } from "../../codecs/wav.ts";
import { packageFolder } from "../package-info.ts";
import type { Mouth } from "./mouth.ts";
import { resample } from "./resample.ts";

/** Between the answer and the first word, ms. */
const FIRST_PAUSE_MS = 500;

/** The text that the reader reads unasked, as sound. Throws `wav-malformed` where the package is broken. */
export async function readersText(): Promise<Wav> {
  const read = parseWav(await readFile(join(packageFolder(), "src", "residents", "speech", "reader.wav")));
  if (read.ok) return read.value;
  throw new ParleyError(read.fault);
}

/** Reads a text to the caller, as soon as it may speak. */
export function read(call: Call, mouth: Mouth, text: Wav): void {
  mouth.begin(inFormatOf(call, text), FIRST_PAUSE_MS);
}

/** Mono sound as the call takes it; nothing where this end does not speak. */
function inFormatOf(call: Call, { samples, sampleRate }: Wav): Int16Array {
  const { sends } = call.audio;
  if (sends === undefined) return new Int16Array(0);
  const mono = resample(samples, sampleRate, sends.clockRate);
  if (sends.channels === 1) return mono;
  return Int16Array.from({ length: mono.length * 2 }, (_, at) => mono[at >> 1] as number);
}
