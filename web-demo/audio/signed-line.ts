/** A call whose frames this page signs and verifies, as something to speak into. */
import { type Call, ParleyError } from "@parley-rt/parley/agent";
import { decodeFile, speakSamples } from "./file.ts";
import { speakMicrophone } from "./microphone.ts";
import type { SoundLine } from "./sound-line.ts";
import { speakTone } from "./tone.ts";

export function signedLine({ audio }: Call, report: (error: unknown) => void): SoundLine {
  /** A voice that speaks on while its call ends is no fault. */
  const lateWord = (error: unknown): void => {
    if (!(error instanceof ParleyError) || error.code !== "closed") report(error);
  };
  return {
    playedAt: audio.hears?.clockRate,
    speak:
      audio.sends === undefined
        ? undefined
        : async (source, file, over) => {
            if (source === "tone") return speakTone(audio, lateWord);
            if (source === "microphone" || file === undefined) return await speakMicrophone(audio, lateWord);
            const samples = await decodeFile(file, audio.sends?.clockRate ?? 48_000);
            return speakSamples(audio, samples, { over, report: lateWord });
          },
  };
}
