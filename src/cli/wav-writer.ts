import { type FileHandle, open } from "node:fs/promises";
import { encodeWav } from "../../codecs/wav.ts";
import { unwritable } from "./files.ts";

/** Largest body a WAV file can name; sound beyond it is left out and counted in `dropped`. */
const MAX_DATA_BYTES = 0xffff_ffff - 64;
const BYTES_A_SAMPLE = 2;

/** A WAV file written piece by piece, each at its place in time. What nobody writes is silence and takes no disk. */
export class WavWriter {
  readonly path: string;
  readonly clockRate: number;
  readonly channels: number;
  readonly #file: FileHandle;
  readonly #header: Uint8Array;
  #end = 0;
  #dropped = 0;
  #last: Promise<void> = Promise.resolve();
  #failure: unknown;

  /** @internal */
  constructor(path: string, format: { clockRate: number; channels: number }, file: FileHandle) {
    this.path = path;
    this.clockRate = format.clockRate;
    this.channels = format.channels;
    this.#file = file;
    const { clockRate: sampleRate, channels } = format;
    this.#header = encodeWav({ sampleRate, channels, samples: new Int16Array() });
  }

  /** Makes, or replaces, the file. Throws `usage` where it cannot be written. */
  static async create(
    path: string,
    format: { readonly clockRate: number; readonly channels: number },
  ): Promise<WavWriter> {
    try {
      return new WavWriter(path, format, await open(path, "w"));
    } catch (cause) {
      throw unwritable(path, cause);
    }
  }

  /** Length so far, seconds. */
  get seconds(): number {
    return this.#end / BYTES_A_SAMPLE / this.channels / this.clockRate;
  }

  /** Pieces left out because they lie before the beginning or beyond what a WAV file can name. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Interleaved PCM, the first sample `position` samples a channel from the beginning. Copied. */
  write(position: number, pcm: Int16Array): void {
    const at = position * this.channels * BYTES_A_SAMPLE;
    if (position < 0 || at + pcm.byteLength > MAX_DATA_BYTES) {
      this.#dropped += 1;
      return;
    }
    this.#end = Math.max(this.#end, at + pcm.byteLength);
    this.#put(littleEndian(pcm), this.#header.length + at);
  }

  /** Completes the header. Throws `usage` when anything could not be written. */
  async close(): Promise<void> {
    const view = new DataView(this.#header.buffer);
    view.setUint32(RIFF_LENGTH_AT, this.#header.length - RIFF_LENGTH_AT - 4 + this.#end, true);
    view.setUint32(DATA_LENGTH_AT, this.#end, true);
    this.#put(this.#header, 0);
    await this.#last;
    await this.#file.close();
    if (this.#failure !== undefined) throw unwritable(this.path, this.#failure);
  }

  #put(bytes: Uint8Array, at: number): void {
    this.#last = this.#last
      .then(async () => {
        if (this.#failure === undefined) await this.#file.write(bytes, 0, bytes.length, at);
      })
      .catch((error: unknown) => {
        this.#failure = error;
      });
  }
}

function littleEndian(pcm: Int16Array): Uint8Array {
  const bytes = new Uint8Array(pcm.byteLength);
  const view = new DataView(bytes.buffer);
  for (let index = 0; index < pcm.length; index += 1) view.setInt16(2 * index, pcm[index] as number, true);
  return bytes;
}

const RIFF_LENGTH_AT = 4;
const DATA_LENGTH_AT = 40;
