import type { Call } from "../../agent/call.ts";
import type { HeardText } from "../../agent/text-reader.ts";
import { LoudnessDetector } from "../../agent/turns/loudness-detector.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import { echoEveryPicture } from "./echo-pictures.ts";
import type { Mouth } from "./mouth.ts";
import { TurnMemory } from "./turn-memory.ts";
import { spoken } from "./utterance.ts";

/** Between the end of a turn and what is said back, ms. */
const PAUSE_MS = 250;
/** What is kept of the quiet in which a turn fades out, ms. */
const FADE_MS = 150;

/**
 * Says back in `call` what it hears, turn by turn, shows back what it sees, and sends messages back as `{ "echo": … }`, until the call ends. It does not listen while it speaks, so that it never
 * answers its own voice out of the caller's loudspeaker.
 */
export async function echo(call: Call, mouth: Mouth, report: (error: unknown) => void): Promise<void> {
  echoEveryPicture(call, report);
  call.onRpc("echo", (params) => params);
  await Promise.all([echoVoice(call, mouth), echoData(call), echoTexts(call, report)]);
}

async function echoVoice(call: Call, mouth: Mouth): Promise<void> {
  const { hears } = call.audio;
  if (hears === undefined) return;
  const detector = new LoudnessDetector();
  const memory = new TurnMemory(hears);
  for await (const heard of call.audio.heard({ silence: true })) {
    if (mouth.speaking) continue;
    const marked = heard.kind === "speech" && heard.endOfTurn;
    const change = detector.pcm(heard.pcm, hears, marked);
    memory.push(heard.pcm, detector.speaking || change !== undefined);
    if (change !== "ended") continue;
    mouth.begin(spoken(memory.take(Math.max(0, detector.quiet - FADE_MS))), PAUSE_MS);
    detector.reset();
  }
}

async function echoData({ data }: Call): Promise<void> {
  if (data === undefined) return;
  for await (const { value } of data) {
    try {
      await data.send({ echo: value });
    } catch (error) {
      // What fills a message leaves no room for the word around it.
      if (!(error instanceof ParleyError) || error.code !== "too-large") throw error;
      await data.send({ error: error.code, message: "This is too large to be sent back." });
    }
  }
}

/** Each text comes back while it is written. */
async function echoTexts(call: Call, report: (error: unknown) => void): Promise<void> {
  for await (const heard of call.texts) {
    echoText(call, heard).catch((error: unknown) => {
      // The call may end in the middle of a text, or the caller take no more of them.
      if (!(error instanceof ParleyError)) report(error);
    });
  }
}

async function echoText(call: Call, heard: HeardText): Promise<void> {
  const back = call.text();
  for await (const { text } of heard.parts) await back.append(text);
  await (heard.state === "cancelled" ? back.cancel(heard.reason) : back.finish());
}
