/** The microphone as a voice. */
import { type CallAudio, openMicrophone } from "@parley-rt/parley/agent";
import type { Voice } from "./voice.ts";

/** Speaks what the microphone hears. Rejects with `microphone-refused`, `device-unavailable`. */
export async function speakMicrophone(audio: CallAudio, report: (error: unknown) => void): Promise<Voice> {
  const clockRate = audio.sends?.clockRate;
  const microphone = await openMicrophone(clockRate === undefined ? {} : { clockRate });
  const run = async (): Promise<void> => {
    await microphone.resume();
    for await (const block of microphone) await audio.write(block);
  };
  run().catch(report);
  return { stop: () => void microphone.close().catch(report) };
}
