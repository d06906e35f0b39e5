import type { AudioCodec, AudioFormat, CodecTuning } from "./audio-codec.ts";
import { ComfortNoise, SilenceDetector } from "./comfort-noise.ts";
import { Concealer } from "./concealer.ts";
import { ParleyError } from "./parley-error.ts";

/**
 * What the codecs of one channel and one rate that code the waveform have in common: the lengths they take, what they put in place of lost
 * frames, and silence. With DTX on a silent frame becomes a payload of one byte, the level of its noise (RFC 3389 section 3.1), and is heard as
 * white noise of that level.
 */
export abstract class WaveformCodec implements AudioCodec {
  readonly format: AudioFormat;
  readonly lookahead: number;
  readonly #payload: Uint8Array;
  readonly #noiseLevel = new Uint8Array(NOISE_BYTES);
  readonly #pcm: Int16Array;
  readonly #concealer: Concealer;
  readonly #silence: SilenceDetector;
  readonly #noise = new ComfortNoise();
  #dtx = false;
  #closed = false;

  protected constructor(format: AudioFormat, payloadBytes: number, lookahead: number) {
    this.format = format;
    this.lookahead = lookahead;
    const { clockRate, frameSamples } = format;
    this.#payload = new Uint8Array(payloadBytes);
    this.#pcm = new Int16Array(frameSamples);
    this.#concealer = new Concealer(clockRate, frameSamples);
    this.#silence = new SilenceDetector(frameSamples / clockRate);
  }

  /** One frame to its payload. */
  protected abstract write(pcm: Int16Array, payload: Uint8Array): void;
  /** One payload to its frame. */
  protected abstract read(payload: Uint8Array, pcm: Int16Array): void;
  /** Forgets what was written and read, where that matters to what follows. */
  protected restart(): void {}

  forget(): void {
    this.#concealer.forget();
    this.restart();
  }

  tune({ dtx }: CodecTuning): void {
    this.#requireOpen();
    this.#dtx = dtx ?? this.#dtx;
  }

  /** One frame of PCM to one payload, valid until the next call. Throws `field-invalid` on another length, `closed`. */
  encode(pcm: Int16Array): Uint8Array {
    this.#requireOpen();
    const { length } = this.#pcm;
    if (pcm.length !== length) {
      throw new ParleyError({ code: "field-invalid", message: `must have ${length} samples`, at: "pcm" });
    }
    if (this.#dtx && this.#silence.isSilent(pcm)) {
      this.#noiseLevel[0] = this.#silence.noiseLevel;
      return this.#noiseLevel;
    }
    this.write(pcm, this.#payload);
    return this.#payload;
  }

  /** One payload to PCM, valid until the next call. Throws `payload-malformed` on another length, `closed`. */
  decode(payload: Uint8Array): Int16Array {
    this.#requireOpen();
    if (this.isPause(payload)) {
      this.#noise.level = (payload[0] as number) & 0x7f;
      this.#noise.fill(this.#pcm);
    } else if (payload.length === this.#payload.length) {
      this.read(payload, this.#pcm);
    } else {
      throw new ParleyError({
        code: "payload-malformed",
        message: `A payload of ${payload.length} bytes, ${this.#payload.length} expected.`,
      });
    }
    this.#concealer.arrived(this.#pcm);
    return this.#pcm;
  }

  isPause(payload: Uint8Array): boolean {
    return payload.length === NOISE_BYTES && this.#payload.length > NOISE_BYTES;
  }

  comfort(): Int16Array {
    this.#requireOpen();
    this.#noise.fill(this.#pcm);
    return this.#pcm;
  }

  /** One frame in place of a lost one, valid until the next call. `next` does not help these formats. Throws `closed`. */
  conceal(_next?: Uint8Array): Int16Array {
    this.#requireOpen();
    this.#concealer.fill(this.#pcm);
    return this.#pcm;
  }

  close(): void {
    this.#closed = true;
  }

  #requireOpen(): void {
    if (this.#closed) throw new ParleyError({ code: "closed", message: "the codec is closed" });
  }
}

const NOISE_BYTES = 1;
