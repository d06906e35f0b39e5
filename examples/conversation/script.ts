import { readFileSync } from "node:fs";
import { parseWav } from "../../codecs/wav.ts";

/** The two who talk. */
export type Speaker = "ada" | "bob";

/** One turn of the conversation: who says what, and how it sounds. */
export interface Turn {
  readonly speaker: Speaker;
  readonly text: string;
  /** Mono. */
  readonly pcm: Int16Array;
  readonly clockRate: number;
}

/** The conversation, turn by turn, from the recorded speech beside this folder. */
export function readScript(): Turn[] {
  const folder = new URL("../speech/", import.meta.url);
  const script = JSON.parse(readFileSync(new URL("script.json", folder), "utf8")) as {
    readonly turns: readonly { readonly agent: Speaker; readonly file: string; readonly text: string }[];
  };
  return script.turns.map(({ agent, file, text }) => {
    const wav = parseWav(readFileSync(new URL(file, folder)));
    if (!wav.ok) throw new Error(`${file}: ${wav.fault.message}`);
    return { speaker: agent, text, pcm: wav.value.samples, clockRate: wav.value.sampleRate };
  });
}
