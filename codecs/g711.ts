/** G.711 mu-law and A-law (ITU-T G.711) as RTP carries them (RFC 3551 section 4.5.14): 8 kHz, one byte a sample. */
import { ParleyError } from "./parley-error.ts";
import { WaveformCodec } from "./waveform-codec.ts";

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

/** A mono codec for one stream. */
export class G711Codec extends WaveformCodec {
  readonly #law: G711Law;

  /** Throws `field-invalid` unless `frameSamples` is an integer of 1 to 960 (120 ms). Default 160 (20 ms). */
  constructor(law: G711Law, frameSamples: number = 160) {
    if (!Number.isInteger(frameSamples) || frameSamples < 1 || frameSamples > MAX_FRAME_SAMPLES) {
      throw new ParleyError({
        code: "field-invalid",
        message: `must be 1 to ${MAX_FRAME_SAMPLES}`,
        at: "frameSamples",
      });
    }
    const clockRate = G711_CLOCK_RATE;
    super({ name: law, clockRate, rtpClockRate: clockRate, channels: 1, frameSamples }, frameSamples, 0);
    this.#law = law;
  }

  protected write(pcm: Int16Array, payload: Uint8Array): void {
    for (let at = 0; at < pcm.length; at++) payload[at] = encodeG711Sample(this.#law, pcm[at] as number);
  }

  protected read(payload: Uint8Array, pcm: Int16Array): void {
    const table = this.#law === "pcmu" ? MU_DECODE : A_DECODE;
    for (let at = 0; at < pcm.length; at++) pcm[at] = table[payload[at] as number] as number;
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
const MU_BIAS = 33;
const MU_CLIP = 8158;
const A_INVERT = 0x55;
const MU_DECODE = muDecodeTable();
const MU_ENCODE = muEncodeTable();
const A_DECODE = aDecodeTable();
const A_ENCODE = aEncodeTable();
