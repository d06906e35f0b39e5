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
export function writeMicrophone(path: string, melody: string, wait = 1.5): string {
  const lead = Math.round(wait * RATE);
  const samples = new Int16Array(lead + (melody.length + 1) * NOTE);
  [...melody].forEach((note, index) => {
    samples.set(sung(PITCHES[note as Note]), lead + index * NOTE);
  });
  // At the end of its file the device goes on with the last moment of it, which is silent.
  writeFileSync(path, encodeWav({ sampleRate: RATE, channels: 1, samples }));
  return path;
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

/** How many notes of `sung` are missing in `heard`; all that one could think of when there are others, or in another order. */
export function missing(sung: string, heard: string): number {
  let at = 0;
  for (const note of sung) if (note === heard[at]) at += 1;
  return at === heard.length ? sung.length - heard.length : Number.POSITIVE_INFINITY;
}

/** Notes that may be missing where a machine is too busy for sound: one stall of its is as long as a note. */
export const SPARED = 1;

function noteOf(samples: Int16Array, rate: number): Note | undefined {
  const energy = samples.reduce((sum, sample) => sum + sample * sample, 0);
  if (Math.sqrt(energy / samples.length) < AUDIBLE) return undefined;
  const notes = Object.keys(PITCHES) as Note[];
  return notes.find((note) => shareAt(PITCHES[note], samples, rate) > energy / 2);
}

/** The energy in `samples` of a sine of `hz`. */
function shareAt(hz: number, samples: Int16Array, rate: number): number {
  let [real, imaginary] = [0, 0];
  samples.forEach((sample, at) => {
    const angle = (2 * Math.PI * hz * at) / rate;
    real += sample * Math.cos(angle);
    imaginary += sample * Math.sin(angle);
  });
  return (2 * (real * real + imaginary * imaginary)) / samples.length;
}

function sung(hz: number): Int16Array {
  return Int16Array.from({ length: NOTE }, (_, at) => {
    const edge = Math.min(1, at / EDGE, (NOTE - 1 - at) / EDGE);
    return Math.round(12_000 * edge * Math.sin((2 * Math.PI * hz * at) / RATE));
  });
}

const RATE = 48_000;
/** Samples of one note, and of its rise and fall. */
const NOTE = 0.4 * RATE;
const EDGE = 0.02 * RATE;
/** Seconds over which a recording is looked at at a time. */
const WINDOW_S = 0.04;
/** Quieter than this, root mean square, is silence. */
const AUDIBLE = 300;
