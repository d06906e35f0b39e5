/** What is sung into fake microphones, and what of it is found in a recording. */
import { writeFileSync } from "node:fs";
import { encodeWav, type Wav } from "../../../codecs/wav.ts";

/** The notes that anybody here sings, Hz: none is another's overtone. */
const PITCHES = { a: 440, b: 523, c: 622, d: 740, e: 988, f: 1175, g: 1397, h: 1661 } as const;
type Note = keyof typeof PITCHES;

/**
 * Writes a melody, after `wait` seconds of silence, to the file that a fake microphone plays; gives its path. The file plays
 * from when the microphone is asked for, which on a busy machine is a second before the page hears it.
 */
export function writeMicrophone(path: string, melody: string, wait = WAIT_S): string {
  const lead = Math.round(wait * RATE);
  const samples = new Int16Array(lead + (melody.length + 1) * NOTE);
  [...melody].forEach((note, index) => {
    samples.set(sung(PITCHES[note as Note]), lead + index * NOTE);
  });
  // At the end of its file the device goes on with the last moment of it, which is silent.
  writeFileSync(path, encodeWav({ sampleRate: RATE, channels: 1, samples }));
  return path;
}

/** Seconds until a melody is over, from when its microphone is asked for. */
export function singingSeconds(melody: string, wait = WAIT_S): number {
  return wait + (melody.length * NOTE) / RATE;
}

/** The notes in a recording, one letter each however long it sounds. What is neither silence nor a note is left out. */
export function melodyIn({ samples, sampleRate, channels }: Wav): string {
  if (channels !== 1) throw new Error("A recording of the page has one channel.");
  const window = Math.round(sampleRate * WINDOW_S);
  let [melody, before] = ["", ""];
  for (let at = 0; at + window <= samples.length; at += window) {
    const note = noteOf(samples.subarray(at, at + window), sampleRate) ?? "";
    // A note that stands for two windows is no accident.
    if (note !== "" && note === before && !melody.endsWith(note)) melody += note;
    before = note;
  }
  return melody;
}

function noteOf(samples: Int16Array, rate: number): Note | undefined {
  const energy = samples.reduce((sum, sample) => sum + sample * sample, 0);
  if (Math.sqrt(energy / samples.length) < AUDIBLE) return undefined;
  const notes = Object.keys(PITCHES) as Note[];
  return notes.find((note) => shareAt(PITCHES[note], samples, rate) > energy / 2);
}

/** The energy in `samples` of a sine of `hz`, by Goertzel. */
function shareAt(hz: number, samples: Int16Array, rate: number): number {
  const turn = 2 * Math.cos((2 * Math.PI * hz) / rate);
  let [last, before] = [0, 0];
  for (const sample of samples) [last, before] = [sample + turn * last - before, last];
  return (2 * (last * last + before * before - turn * last * before)) / samples.length;
}

function sung(hz: number): Int16Array {
  return Int16Array.from({ length: NOTE }, (_, at) => {
    const edge = Math.min(1, at / EDGE, (NOTE - 1 - at) / EDGE);
    return Math.round(12_000 * edge * Math.sin((2 * Math.PI * hz * at) / RATE));
  });
}

const RATE = 48_000;
/** Seconds of silence before a melody. */
const WAIT_S = 1.5;
/** Samples of one note, and of its rise and fall. A note outlasts the stalls of a busy machine. */
const NOTE = 0.8 * RATE;
const EDGE = 0.02 * RATE;
/** Seconds over which a recording is looked at at a time. */
const WINDOW_S = 0.04;
/** Quieter than this, root mean square, is silence. */
const AUDIBLE = 300;
