/** G.711 mu-law and A-law (ITU-T G.711) as RTP carries them (RFC 3551 section 4.5.14): 8 kHz, one byte a sample. */
import type { AudioCodec, AudioFormat } from "./audio-codec.ts";
import { ParleyError } from "./parley-error.ts";

/** `pcmu` is mu-law, `pcma` A-law: their RTP encoding names in lower case. */
export type G711Law = "pcmu" | "pcma";

/** Samples a second, and RTP clock rate. */
export const G711_CLOCK_RATE = 8000;
/** Static RTP payload types (RFC 3551 table 4). */
export const G711_PAYLOAD_TYPE = { pcmu: 0, pcma: 8 } as const satisfies Record<G711Law, number>;

/** One 16-bit linear sample to its code. */
export function encodeG711Sample(law: G711Law, sample: number): number {
  return law === "pcmu"
    ? (MU_ENCODE[(sample >> 2) & 0x3fff] as number)
    : (A_ENCODE[(sample >> 3) & 0x1fff] as number);
}

/** One code to its 16-bit linear sample. */
export function decodeG711Sample(law: G711Law, code: number): number {
  return (law === "pcmu" ? MU_DECODE : A_DECODE)[code & 0xff] as number;
}

/**
 * A mono codec for one stream. `frameSamples` a frame, by default 160 (20 ms). A lost frame is filled by playing the
 * last one backwards, which meets its end without a step, fading to silence over 60 ms; the frame after a loss is
 * faded in over 2.5 ms.
 */
export class G711Codec implements AudioCodec {
  readonly format: AudioFormat;
  readonly lookahead: number;
  readonly #law: G711Law;
  readonly #payload: Uint8Array;
  readonly #pcm: Int16Array;
  /** The last frame that arrived. */
  readonly #last: Int16Array;
  /** Samples concealed since then. */
  #lost: number;
  #closed: boolean;

  /** Throws `field-invalid` unless `frameSamples` is an integer of 1 to 960 (120 ms). */
  constructor(law: G711Law, frameSamples: number = 160) {
    if (!Number.isInteger(frameSamples) || frameSamples < 1 || frameSamples > MAX_FRAME_SAMPLES) {
      throw new ParleyError({
        code: "field-invalid",
        message: `must be 1 to ${MAX_FRAME_SAMPLES}`,
        at: "frameSamples",
      });
    }
    this.format = { name: law, clockRate: G711_CLOCK_RATE, channels: 1, frameSamples };
    this.lookahead = 0;
    this.#law = law;
    this.#payload = new Uint8Array(frameSamples);
    this.#pcm = new Int16Array(frameSamples);
    this.#last = new Int16Array(frameSamples);
    this.#lost = 0;
    this.#closed = false;
  }

  /** One frame of PCM to one payload, valid until the next call. Throws `field-invalid` on another length, `closed`. */
  encode(pcm: Int16Array): Uint8Array {
    this.#requireOpen();
    if (pcm.length !== this.#payload.length) {
      throw new ParleyError({
        code: "field-invalid",
        message: `must have ${this.#payload.length} samples`,
        at: "pcm",
      });
    }
    for (let at = 0; at < pcm.length; at++) {
      this.#payload[at] = encodeG711Sample(this.#law, pcm[at] as number);
    }
    return this.#payload;
  }

  /** One payload to PCM, valid until the next call. Throws `payload-malformed` on another length, `closed`. */
  decode(payload: Uint8Array): Int16Array {
    this.#requireOpen();
    const length = this.#last.length;
    if (payload.length !== length) {
      throw new ParleyError({
        code: "payload-malformed",
        message: `G.711 payload of ${payload.length} bytes, ${length} expected`,
      });
    }
    const table = this.#law === "pcmu" ? MU_DECODE : A_DECODE;
    const blend = this.#lost > 0 ? Math.min(BLEND_SAMPLES, length) : 0;
    for (let at = 0; at < blend; at++) {
      const weight = (at + 1) / (blend + 1);
      const concealed = this.#concealed(this.#lost + at);
      this.#pcm[at] = Math.round(concealed + ((table[payload[at] as number] as number) - concealed) * weight);
    }
    for (let at = blend; at < length; at++) this.#pcm[at] = table[payload[at] as number] as number;
    this.#last.set(this.#pcm);
    this.#lost = 0;
    return this.#pcm;
  }

  /** One frame in place of a lost one, valid until the next call. `next` does not help this format. Throws `closed`. */
  conceal(_next?: Uint8Array): Int16Array {
    this.#requireOpen();
    for (let at = 0; at < this.#pcm.length; at++) this.#pcm[at] = this.#concealed(this.#lost + at);
    this.#lost = Math.min(this.#lost + this.#pcm.length, FADE_END_SAMPLES);
    return this.#pcm;
  }

  close(): void {
    this.#closed = true;
  }

  /** Sample number `since` after the last one that arrived: back and forth over that frame, ever quieter. */
  #concealed(since: number): number {
    if (since >= FADE_END_SAMPLES) return 0;
    const length = this.#last.length;
    const phase = since % (2 * length);
    const sample = this.#last[phase < length ? length - 1 - phase : phase - length] as number;
    const gain = since < FULL_SAMPLES ? 1 : (FADE_END_SAMPLES - since) / (FADE_END_SAMPLES - FULL_SAMPLES);
    return Math.round(sample * gain);
  }

  #requireOpen(): void {
    if (this.#closed) throw new ParleyError({ code: "closed", message: "the codec is closed" });
  }
}

/** G.711 table 2: eight segments of 16 steps on a 14-bit scale biased by 33, all bits inverted. */
function muDecodeTable(): Int16Array {
  return Int16Array.from({ length: 256 }, (_, code) => {
    const bits = ~code & 0xff;
    const magnitude = ((((bits & 0x0f) << 1) + MU_BIAS) << ((bits >> 4) & 7)) - MU_BIAS;
    return (bits & 0x80 ? -magnitude : magnitude) * 4;
  });
}

function muEncodeTable(): Uint8Array {
  return Uint8Array.from({ length: 0x4000 }, (_, index) => {
    const sample = index < 0x2000 ? index : index - 0x4000;
    const biased = Math.min(Math.abs(sample), MU_CLIP) + MU_BIAS;
    const segment = 26 - Math.clz32(biased);
    const bits = (sample < 0 ? 0x80 : 0) | (segment << 4) | ((biased >> (segment + 1)) & 0x0f);
    return ~bits & 0xff;
  });
}

/** G.711 table 1: eight segments of 16 steps on a 13-bit scale, even bits inverted, the sign bit set when positive. */
function aDecodeTable(): Int16Array {
  return Int16Array.from({ length: 256 }, (_, code) => {
    const bits = code ^ A_INVERT;
    const segment = (bits >> 4) & 7;
    const step = ((bits & 0x0f) << 1) + 1;
    const magnitude = segment === 0 ? step : (step + 32) << (segment - 1);
    return (bits & 0x80 ? magnitude : -magnitude) * 8;
  });
}

function aEncodeTable(): Uint8Array {
  return Uint8Array.from({ length: 0x2000 }, (_, index) => {
    const sample = index < 0x1000 ? index : index - 0x2000;
    // The steps mirror around -1/2, so that -1 falls into the first negative one.
    const magnitude = sample < 0 ? ~sample : sample;
    const segment = Math.max(0, 27 - Math.clz32(magnitude));
    const step = (magnitude >> Math.max(1, segment)) & 0x0f;
    return ((sample < 0 ? 0 : 0x80) | (segment << 4) | step) ^ A_INVERT;
  });
}

const MAX_FRAME_SAMPLES = 960;
/** Concealment keeps its level for 10 ms and is silent after 60 ms. */
const FULL_SAMPLES = 80;
const FADE_END_SAMPLES = 480;
const BLEND_SAMPLES = 20;
const MU_BIAS = 33;
const MU_CLIP = 8158;
const A_INVERT = 0x55;
const MU_DECODE = muDecodeTable();
const MU_ENCODE = muEncodeTable();
const A_DECODE = aDecodeTable();
const A_ENCODE = aEncodeTable();
