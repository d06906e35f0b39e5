/** What was heard in a call, kept in memory for those who want to save it. */

/** Longest recording, seconds. What comes later is not kept, and the page says so. */
const LONGEST_S = 600;

/** What the page says when it stops recording, and where the recording is to be saved. */
export const RECORDING_IS_FULL = `The recording of what you hear stopped after ${LONGEST_S / 60} minutes; what came later is not in it.`;

/** Mono 16-bit sound on the call's own timeline: gaps stay silent. */
export class Recording {
  readonly clockRate: number;
  #samples = new Int16Array(0);
  #length = 0;
  #overflowed = false;

  constructor(clockRate: number) {
    this.clockRate = clockRate;
  }

  get seconds(): number {
    return this.#length / this.clockRate;
  }

  /** Whether the call was longer than what is kept. */
  get overflowed(): boolean {
    return this.#overflowed;
  }

  /** Puts interleaved sound at `position`, samples per channel since the beginning; stereo keeps its first channel. */
  put(pcm: Int16Array, position: number, channels: number): void {
    const count = pcm.length / channels;
    if (position + count > LONGEST_S * this.clockRate) {
      this.#overflowed = true;
      return;
    }
    this.#grow(position + count);
    for (let index = 0; index < count; index += 1)
      this.#samples[position + index] = pcm[index * channels] as number;
  }

  /** The recording as a WAV file (RIFF, PCM 16 bit, mono). */
  wav(): Uint8Array<ArrayBuffer> {
    const bytes = this.#length * 2;
    const file = new Uint8Array(44 + bytes);
    const view = new DataView(file.buffer);
    const word = (at: number, text: string) => file.set(new TextEncoder().encode(text), at);
    word(0, "RIFF");
    view.setUint32(4, 36 + bytes, true);
    word(8, "WAVEfmt ");
    view.setUint32(16, 16, true);
    view.setUint16(20, 1, true);
    view.setUint16(22, 1, true);
    view.setUint32(24, this.clockRate, true);
    view.setUint32(28, this.clockRate * 2, true);
    view.setUint16(32, 2, true);
    view.setUint16(34, 16, true);
    word(36, "data");
    view.setUint32(40, bytes, true);
    for (let index = 0; index < this.#length; index += 1)
      view.setInt16(44 + index * 2, this.#samples[index] as number, true);
    return file;
  }

  #grow(length: number): void {
    if (length > this.#samples.length) {
      const grown = new Int16Array(Math.max(length, this.#samples.length * 2, this.clockRate * 10));
      grown.set(this.#samples);
      this.#samples = grown;
    }
    this.#length = Math.max(this.#length, length);
  }
}
