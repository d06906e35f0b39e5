/** What bots say: a made-up voice, encoded beforehand. */
import type { AudioCodec, AudioFormat } from "../../codecs/audio-codec.ts";
import { createOpusCodec, type OpusFrameMs } from "../../platform/opus.ts";

/** Seconds of voice prepared; it is said again and again. */
const VOICE_SECONDS = 4;
/** Bots' rates are rounded to this, so that a process prepares few sets of packets. */
const RATE_STEP = 4_000;
const LEAST_RATE = 8_000;

const voices = new Map<number, Int16Array>();

/** A voice of syllables: pulses at a moving pitch through two resonances, never quite silent. Mono; made once in this process, not to be written to. */
export function voice(clockRate: number): Int16Array {
  const made = voices.get(clockRate) ?? makeVoice(clockRate);
  voices.set(clockRate, made);
  return made;
}

function makeVoice(clockRate: number): Int16Array {
  const pcm = new Int16Array(clockRate * VOICE_SECONDS);
  const memory = [0, 0, 0, 0];
  let phase = 0;
  for (let at = 0; at < pcm.length; at += 1) {
    const time = at / clockRate;
    const syllable = Math.floor(time / SYLLABLE_SECONDS);
    const within = time / SYLLABLE_SECONDS - syllable;
    const [low, high] = FORMANTS[syllable % FORMANTS.length] as readonly [number, number];
    phase += (110 + 25 * Math.sin(2 * Math.PI * 0.6 * time)) / clockRate;
    const pulse = phase >= 1 ? 1 : 0;
    phase -= pulse;
    const excitation = pulse * Math.sin(Math.PI * within) + 0.002 * Math.sin(at * at);
    const sound =
      resonate(excitation, low, clockRate, memory, 0) + resonate(excitation, high, clockRate, memory, 2) / 2;
    pcm[at] = Math.max(-32_768, Math.min(32_767, Math.round(3_000 * sound)));
  }
  return pcm;
}

/** One step of a resonance of 100 Hz width; its last two values stand in `memory` from `slot` on. */
function resonate(input: number, hertz: number, clockRate: number, memory: number[], slot: number): number {
  const damping = Math.exp((-Math.PI * 100) / clockRate);
  const turn = 2 * damping * Math.cos((2 * Math.PI * hertz) / clockRate);
  const [before = 0, earlier = 0] = memory.slice(slot, slot + 2);
  const output = input + turn * before - damping * damping * earlier;
  memory[slot] = output;
  memory[slot + 1] = before;
  return output;
}

const SYLLABLE_SECONDS = 0.22;
/** First two formants of a, i, u, e, o, Hz. */
const FORMANTS = [
  [730, 1_090],
  [270, 2_290],
  [300, 870],
  [530, 1_840],
  [570, 840],
] as const;

const prepared = new Map<string, Promise<readonly Uint8Array[]>>();

/** Packets of the voice at about `rate` bits a second, encoded once in this process. */
function preparedPackets(format: AudioFormat, rate: number): Promise<readonly Uint8Array[]> {
  const bitrate = Math.max(LEAST_RATE, Math.round(rate / RATE_STEP) * RATE_STEP);
  const key = `${format.channels} ${format.frameSamples} ${bitrate}`;
  const known = prepared.get(key) ?? encodeVoice(format, bitrate);
  prepared.set(key, known);
  return known;
}

async function encodeVoice(
  { channels, clockRate, frameSamples }: AudioFormat,
  bitrate: number,
): Promise<Uint8Array[]> {
  const frameMs = ((frameSamples * 1_000) / clockRate) as OpusFrameMs;
  const encoder = await createOpusCodec({ channels, frameMs, bitrate });
  const pcm = voice(clockRate);
  const packets: Uint8Array[] = [];
  for (let at = 0; at + frameSamples <= pcm.length; at += frameSamples) {
    packets.push(encoder.encode(pcm.subarray(at, at + frameSamples)).slice());
  }
  encoder.close();
  return packets;
}

/** Encodes what bots of these rates will say in Opus frames of 20 ms, before it is needed in the midst of a call. */
export async function prepareOpus(rates: Iterable<number>): Promise<void> {
  for (const rate of rates) await preparedPackets(OPUS_20_MS, rate);
}

const OPUS_20_MS: AudioFormat = {
  name: "opus",
  clockRate: 48_000,
  rtpClockRate: 48_000,
  channels: 1,
  frameSamples: 960,
};

/**
 * An Opus codec that says prepared packets in turn, whatever PCM it is given. With `decode` it decodes and conceals for real;
 * without, what is heard is silence that cost nothing.
 */
export async function preparedOpus(format: AudioFormat, rate: number, decode: boolean): Promise<AudioCodec> {
  const packets = await preparedPackets(format, rate);
  const frameMs = ((format.frameSamples * 1_000) / format.clockRate) as OpusFrameMs;
  const real = decode ? await createOpusCodec({ channels: format.channels, frameMs }) : undefined;
  const silence = new Int16Array(format.frameSamples * format.channels);
  let next = 0;
  return {
    format,
    lookahead: 0,
    encode() {
      const packet = packets[next % packets.length] as Uint8Array;
      next += 1;
      return packet;
    },
    decode: (payload) => real?.decode(payload) ?? silence,
    conceal: (following) => real?.conceal(following) ?? silence,
    close: () => real?.close(),
  };
}
