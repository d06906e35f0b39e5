import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Call } from "../../agent/call.ts";
import type { AudioFormat } from "../../codecs/audio-codec.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../../codecs/canonical-json.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import { parseWav, type Wav } from "../../codecs/wav.ts";
import { packageFolder } from "../package-info.ts";
import type { Mouth } from "./mouth.ts";
import { Resampler } from "./resample.ts";
import { synthesize } from "./synthesis.ts";
import { converted, type Utterance } from "./utterance.ts";

/** Between the answer and the first word, and between two texts, ms. */
const FIRST_PAUSE_MS = 500;
const PAUSE_MS = 250;
/** Texts of one call that wait to be read; more are refused. */
const MAX_WAITING = 4;
/** Texts made into speech at once, over all calls; more are refused. */
const MAX_AT_WORK = 4;

/** The text that the reader reads unasked, as sound. Throws `wav-malformed` where the package is broken. */
export async function readersText(): Promise<Wav> {
  const read = parseWav(await readFile(join(packageFolder(), "src", "residents", "speech", "reader.wav")));
  if (read.ok) return read.value;
  throw new ParleyError(read.fault);
}

/** Reads its own text to every caller, and any text that is sent to it as `{ "read": "…" }`. */
export class Reader {
  readonly #text: Wav;
  readonly #synthesize: (text: string) => Promise<Wav>;
  /** One for each pair of rates: they take longer to make than to use. */
  readonly #resamplers = new Map<string, Resampler>();
  #atWork = 0;

  constructor(text: Wav, speech: (text: string) => Promise<Wav> = synthesize) {
    this.#text = text;
    this.#synthesize = speech;
  }

  /** Lives one call to its end. */
  async live(call: Call, mouth: Mouth): Promise<void> {
    const { sends } = call.audio;
    if (sends !== undefined) mouth.begin(this.#utterance(this.#text, sends), FIRST_PAUSE_MS);
    if (call.data === undefined) return;
    for await (const { value } of call.data) await call.data.send(await this.#answer(call, mouth, value));
  }

  /** What a message is answered: `{ reading, seconds }`, or `{ error, message }` with a stable code. */
  async #answer(call: Call, mouth: Mouth, message: JsonValue): Promise<JsonObject> {
    try {
      const text = textIn(message);
      const { sends } = call.audio;
      if (sends === undefined) throw refusal("field-invalid", "This call has no sound from here.");
      if (mouth.waiting >= MAX_WAITING) throw refusal("buffer-full", `${MAX_WAITING} texts wait already.`);
      if (this.#atWork >= MAX_AT_WORK) throw refusal("capacity", "Too many texts are being read here now.");
      const sound = await this.#speech(text);
      mouth.begin(this.#utterance(sound, sends), PAUSE_MS);
      return { reading: text, seconds: Math.round((100 * sound.samples.length) / sound.sampleRate) / 100 };
    } catch (error) {
      if (!(error instanceof ParleyError)) throw error;
      return { error: error.code, message: error.message };
    }
  }

  #utterance({ samples, sampleRate }: Wav, { clockRate, channels }: AudioFormat): Utterance {
    const rates = `${sampleRate} ${clockRate}`;
    const resampler = this.#resamplers.get(rates) ?? new Resampler(sampleRate, clockRate);
    this.#resamplers.set(rates, resampler);
    return converted(samples, resampler, channels);
  }

  async #speech(text: string): Promise<Wav> {
    this.#atWork += 1;
    try {
      return await this.#synthesize(text);
    } finally {
      this.#atWork -= 1;
    }
  }
}

function textIn(message: JsonValue): string {
  if (isJsonObject(message) && typeof message.read === "string") return message.read;
  throw refusal("field-invalid", 'Send me {"read": "a text"}.');
}

function refusal(code: "field-invalid" | "buffer-full" | "capacity", message: string): ParleyError {
  return new ParleyError({ code, message });
}
