/** A sound file as a voice. */
import type { CallAudio } from "@parley-rt/parley/agent";
import type { Voice } from "./voice.ts";

/** Longest part of a file that is spoken, seconds. */
const LONGEST_S = 300;
/** Written at a time, seconds. */
const PIECE_S = 0.1;

/** Decodes a file to mono 16-bit samples of `clockRate`. Rejects where the browser does not know the format. */
export async function decodeFile(file: File, clockRate: number): Promise<Int16Array> {
  const decoder = new OfflineAudioContext(1, 1, clockRate);
  const sound = await decoder.decodeAudioData(await file.arrayBuffer());
  const channels = Array.from({ length: sound.numberOfChannels }, (_, index) => sound.getChannelData(index));
  const count = Math.min(sound.length, LONGEST_S * clockRate);
  return Int16Array.from({ length: count }, (_, index) => {
    const mixed = channels.reduce((sum, channel) => sum + (channel[index] ?? 0), 0) / channels.length;
    return Math.round(32_767 * Math.max(-1, Math.min(1, mixed)));
  });
}

/** Speaks `samples` once, as one turn, then calls `over`. */
export function speakSamples(
  audio: CallAudio,
  samples: Int16Array,
  events: { readonly over: () => void; readonly report: (error: unknown) => void },
): Voice {
  let isStopped = false;
  const run = async (): Promise<void> => {
    const piece = Math.round((audio.sends?.clockRate ?? 48_000) * PIECE_S);
    for (let at = 0; at < samples.length && !isStopped; at += piece)
      await audio.write(samples.subarray(at, at + piece));
    if (isStopped) return;
    await audio.endTurn();
    events.over();
  };
  run().catch(events.report);
  return {
    stop() {
      isStopped = true;
    },
  };
}
