/** A voice for those without a microphone: a few notes, then a pause in which the other end can answer. */
import type { CallAudio } from "@parley-rt/parley/agent";
import type { Voice } from "./voice.ts";

/** The notes of one turn, Hz, and how long each sounds. */
export const TONE_NOTES_HZ: readonly number[] = [440, 554.37, 659.26];
const NOTE_MS = 500;
/** Rest after a turn, ms: an echo says the turn back in it. */
export const REST_MS = 4_000;
/** Rise and fall of each note, ms, so that none clicks. */
const EDGE_MS = 15;
const LOUDNESS = 0.25;

/** Speaks turns of notes, with rests between them. */
export function speakTone(audio: CallAudio, report: (error: unknown) => void): Voice {
  const stopped = new AbortController();
  const clockRate = audio.sends?.clockRate ?? 48_000;
  const run = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      for (const hz of TONE_NOTES_HZ) {
        if (stopped.signal.aborted) return;
        await audio.write(note(hz, clockRate));
      }
      await audio.endTurn();
      await rest(stopped.signal);
    }
  };
  run().catch(report);
  return { stop: () => stopped.abort() };
}

/** One turn of notes as 16-bit samples. */
export function toneTurn(clockRate: number): Int16Array {
  return Int16Array.from(TONE_NOTES_HZ.flatMap((hz) => [...note(hz, clockRate)]));
}

/** One note as 16-bit samples. */
export function note(hz: number, clockRate: number): Int16Array {
  const count = Math.round((NOTE_MS * clockRate) / 1000);
  const edge = (EDGE_MS * clockRate) / 1000;
  return Int16Array.from({ length: count }, (_, index) => {
    const envelope = Math.min(1, index / edge, (count - 1 - index) / edge);
    return Math.round(32_767 * LOUDNESS * envelope * Math.sin((2 * Math.PI * hz * index) / clockRate));
  });
}

function rest(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, REST_MS);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
