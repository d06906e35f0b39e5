/**
 * Makes the speech of the example conversation: `examples/speech/<agent>-<turn>.wav`, 48 kHz mono 16-bit, and
 * `script.json` beside them; and `src/residents/speech/reader.wav`, 16 kHz, from the text beside it. Needs espeak-ng and sox; the same versions of both give the same bytes.
 *
 *     node scripts/make-speech.ts [FOLDER]
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const SAMPLE_RATE = 48_000;
/** Of what goes into the package. */
const SMALL_SAMPLE_RATE = 16_000;
/** Silence before and after every turn, seconds. */
const PADDING = 0.12;
/** What sox's `silence` takes for silence, and for how long speech must last to end it. */
const SILENCE = ["silence", "1", "0.02", "0.2%"];

const VOICES: Readonly<
  Record<string, { readonly voice: string; readonly pitch: number; readonly wpm: number }>
> = {
  ada: { voice: "en-gb+f3", pitch: 55, wpm: 165 },
  bob: { voice: "en-us+m3", pitch: 35, wpm: 160 },
  reader: { voice: "en-gb", pitch: 45, wpm: 160 },
};

const DIALOGUE = [
  ["ada", "Hello Bob, can you take forty pallets on Thursday morning?"],
  ["bob", "Hello Ada, the early bays are full, but bay three is free at eleven."],
  ["ada", "Eleven is fine, if your crew can unload within one hour."],
  ["bob", "One hour will do, if the price stays at three hundred and twenty."],
  ["ada", "Agreed: Thursday at eleven, bay three, three hundred and twenty."],
  ["bob", "Agreed, then we have a deal, and both of us have signed it."],
] as const;

const folder = process.argv[2] ?? fileURLToPath(new URL("../examples/speech/", import.meta.url));
mkdirSync(folder, { recursive: true });

const counts = new Map<string, number>();
const turns = DIALOGUE.map(([agent, text]) => {
  const turn = (counts.get(agent) ?? 0) + 1;
  counts.set(agent, turn);
  const file = `${agent}-${turn}.wav`;
  speak(agent, text, join(folder, file), SAMPLE_RATE);
  return { agent, file, text, seconds: seconds(join(folder, file)) };
});

const script = {
  sample_rate: SAMPLE_RATE,
  channels: 1,
  bits: 16,
  padding_seconds: PADDING,
  voices: { ada: VOICES.ada, bob: VOICES.bob },
  turns,
};
writeFileSync(join(folder, "script.json"), `${JSON.stringify(script, null, 2)}\n`);

const residents = new URL("../src/residents/speech/", import.meta.url);
const text = readFileSync(new URL("reader.txt", residents), "utf8").trim();
speak("reader", text, fileURLToPath(new URL("reader.wav", residents)), SMALL_SAMPLE_RATE);
for (const turn of turns) console.log(`${turn.file}  ${turn.seconds.toFixed(2)} s  ${turn.text}`);

function speak(agent: string, text: string, target: string, rate: number): void {
  const voice = VOICES[agent];
  if (voice === undefined) throw new Error(`no voice for ${agent}`);
  const spoken = execFileSync(
    "espeak-ng",
    ["-v", voice.voice, "-p", `${voice.pitch}`, "-s", `${voice.wpm}`, "--stdout", text],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  // -D: no dither, which is random. Trimmed at both ends, then padded alike, so that every turn has the same margins.
  execFileSync(
    "sox",
    [
      ...["-D", "-t", "wav", "--ignore-length", "-", "-b", "16", "-c", "1", "-t", "wav", target],
      ...[...SILENCE, "reverse", ...SILENCE, "reverse"],
      ...["rate", "-v", `${rate}`, "norm", "-3", "pad", `${PADDING}`, `${PADDING}`],
    ],
    { input: spoken, stdio: ["pipe", "inherit", "inherit"] },
  );
}

function seconds(path: string): number {
  const bytes = readFileSync(path);
  const data = bytes.indexOf("data", 12, "latin1");
  return Math.round((bytes.readUInt32LE(data + 4) / 2 / SAMPLE_RATE) * 1000) / 1000;
}
