/** 16-bit PCM in RIFF/WAVE files: what evidence export writes and tools read. */
import { MAX_U16, MAX_U32, requireInteger } from "./field-range.ts";
import { ParleyError } from "./parley-error.ts";
import { ok, type Result, refuse } from "./result.ts";

/** Sound in memory. */
export interface Wav {
  /** Hz. */
  readonly sampleRate: number;
  readonly channels: number;
  /** Interleaved samples, `channels` to a moment. */
  readonly samples: Int16Array;
}

/**
 * Reads 16-bit PCM (plain or extensible). Unknown chunks are passed over; where the data chunk claims more than there
 * is, as files cut short or written to a pipe do, what is there counts, down to the last whole moment. Refuses with
 * `wav-malformed` anything else. The samples are copied. Never throws.
 */
export function parseWav(bytes: Uint8Array): Result<Wav> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < RIFF_HEADER_BYTES || tagAt(bytes, 0) !== "RIFF" || tagAt(bytes, 8) !== "WAVE") {
    return refuse("wav-malformed", "no RIFF/WAVE header", "byte 0");
  }
  let format: { readonly sampleRate: number; readonly channels: number } | undefined;
  let at = RIFF_HEADER_BYTES;
  while (at + CHUNK_HEADER_BYTES <= bytes.length) {
    const tag = tagAt(bytes, at);
    const start = at + CHUNK_HEADER_BYTES;
    const length = Math.min(view.getUint32(at + 4, true), bytes.length - start);
    if (tag === "fmt ") {
      const read = readFormat(view, bytes, start, length);
      if (!read.ok) return read;
      format = read.value;
    } else if (tag === "data") {
      if (format === undefined) return refuse("wav-malformed", "data before its format", `byte ${at}`);
      const count = Math.floor(length / (2 * format.channels)) * format.channels;
      const samples = new Int16Array(count);
      for (let index = 0; index < count; index++) samples[index] = view.getInt16(start + 2 * index, true);
      return ok({ ...format, samples });
    }
    // Chunks are padded to an even length.
    at = start + length + (length & 1);
  }
  return refuse("wav-malformed", format === undefined ? "no format chunk" : "no data chunk", `byte ${at}`);
}

/** A plain 16-bit PCM file. Throws `field-invalid` when the rate, the channels or the number of samples is impossible. */
export function encodeWav(wav: Wav): Uint8Array {
  requireInteger(wav.sampleRate, MAX_U32, "sampleRate");
  requireInteger(wav.channels, MAX_U16, "channels");
  const dataBytes = wav.samples.length * 2;
  const frameBytes = wav.channels * 2;
  if (
    wav.sampleRate === 0 ||
    wav.channels === 0 ||
    wav.samples.length % wav.channels !== 0 ||
    frameBytes > MAX_U16 ||
    wav.sampleRate * frameBytes > MAX_U32 ||
    dataBytes > MAX_U32 - PLAIN_HEADER_BYTES
  ) {
    throw new ParleyError({ code: "field-invalid", message: "not a sound a WAV file can hold", at: "wav" });
  }
  const bytes = new Uint8Array(PLAIN_HEADER_BYTES + dataBytes);
  const view = new DataView(bytes.buffer);
  writeTag(bytes, 0, "RIFF");
  view.setUint32(4, bytes.length - CHUNK_HEADER_BYTES, true);
  writeTag(bytes, 8, "WAVE");
  writeTag(bytes, 12, "fmt ");
  view.setUint32(16, FORMAT_BYTES, true);
  view.setUint16(20, FORMAT_PCM, true);
  view.setUint16(22, wav.channels, true);
  view.setUint32(24, wav.sampleRate, true);
  view.setUint32(28, wav.sampleRate * frameBytes, true);
  view.setUint16(32, frameBytes, true);
  view.setUint16(34, 16, true);
  writeTag(bytes, 36, "data");
  view.setUint32(40, dataBytes, true);
  for (let index = 0; index < wav.samples.length; index++) {
    view.setInt16(PLAIN_HEADER_BYTES + 2 * index, wav.samples[index] as number, true);
  }
  return bytes;
}

function readFormat(
  view: DataView,
  bytes: Uint8Array,
  start: number,
  length: number,
): Result<{ readonly sampleRate: number; readonly channels: number }> {
  if (length < FORMAT_BYTES) return refuse("wav-malformed", "format chunk too short", `byte ${start}`);
  const kind = view.getUint16(start, true);
  const extensiblePcm =
    kind === FORMAT_EXTENSIBLE &&
    length >= EXTENSIBLE_BYTES &&
    PCM_SUBFORMAT.every((byte, index) => bytes[start + 24 + index] === byte);
  if (kind !== FORMAT_PCM && !extensiblePcm) {
    return refuse("wav-malformed", "not PCM", `byte ${start}`);
  }
  const channels = view.getUint16(start + 2, true);
  const sampleRate = view.getUint32(start + 4, true);
  if (channels === 0 || sampleRate === 0) {
    return refuse("wav-malformed", "no channels or no rate", `byte ${start + 2}`);
  }
  if (view.getUint16(start + 14, true) !== 16) {
    return refuse("wav-malformed", "not 16 bits a sample", `byte ${start + 14}`);
  }
  return ok({ sampleRate, channels });
}

function tagAt(bytes: Uint8Array, offset: number): string {
  return String.fromCharCode(...bytes.subarray(offset, offset + 4));
}

function writeTag(target: Uint8Array, offset: number, tag: string): void {
  for (let index = 0; index < tag.length; index++) target[offset + index] = tag.charCodeAt(index);
}

const RIFF_HEADER_BYTES = 12;
const CHUNK_HEADER_BYTES = 8;
const FORMAT_BYTES = 16;
const EXTENSIBLE_BYTES = 40;
const PLAIN_HEADER_BYTES = 44;
const FORMAT_PCM = 1;
const FORMAT_EXTENSIBLE = 0xfffe;
/** KSDATAFORMAT_SUBTYPE_PCM. */
const PCM_SUBFORMAT = [0x01, 0, 0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71];
