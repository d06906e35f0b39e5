/** IVF files: what encoders write access units of VP8, VP9 and AV1 to, and tools read. Little-endian throughout. */
import { MAX_U16, MAX_U32, requireInteger } from "./field-range.ts";
import { ok, type Result, refuse } from "./result.ts";
import { VIDEO_FORMATS, type VideoFormatName } from "./video-formats.ts";

/** One access unit of a file. */
export interface IvfFrame {
  /** When it is shown, in units of the file's time base. */
  readonly time: number;
  readonly data: Uint8Array;
}

/** A file in memory. */
export interface Ivf {
  readonly format: VideoFormatName;
  /** Of the frame, pixels. */
  readonly width: number;
  readonly height: number;
  /** A unit of time is `scale` / `rate` seconds. */
  readonly rate: number;
  readonly scale: number;
  readonly frames: readonly IvfFrame[];
}

/** Units that a file read whole has at most: nine minutes at 60 a second. */
const MAX_IVF_FRAMES = 32_768;

/**
 * Reads a file; the units are views on it. Where it ends within a unit, as files do whose writer was stopped, it ends before that unit;
 * how many units its header claims is not looked at. Refuses with `ivf-malformed` anything else, and formats that Parley does not know.
 */
export function parseIvf(bytes: Uint8Array): Result<Ivf> {
  if (bytes.length < FILE_HEADER_BYTES || tagAt(bytes, 0) !== "DKIF") return malformed("no IVF header", 0);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint16(4, true) !== 0) return malformed("another version than 0", 4);
  const start = view.getUint16(6, true);
  if (start < FILE_HEADER_BYTES) return malformed("a header shorter than it is", 6);
  const entry = VIDEO_FORMATS.find(({ fourCc }) => fourCc === tagAt(bytes, 8));
  if (entry === undefined) return malformed("not VP8, VP9 or AV1", 8);
  const [width, height] = [view.getUint16(12, true), view.getUint16(14, true)];
  const [rate, scale] = [view.getUint32(16, true), view.getUint32(20, true)];
  if (rate === 0 || scale === 0) return malformed("no time base", 16);
  const frames: IvfFrame[] = [];
  for (let at = start; at + FRAME_HEADER_BYTES <= bytes.length; ) {
    const length = view.getUint32(at, true);
    const data = at + FRAME_HEADER_BYTES;
    if (data + length > bytes.length) break;
    if (frames.length === MAX_IVF_FRAMES) return malformed(`more than ${MAX_IVF_FRAMES} units`, at);
    const time = view.getUint32(at + 8, true) * 2 ** 32 + view.getUint32(at + 4, true);
    if (!Number.isSafeInteger(time)) return malformed("a time beyond all times", at + 4);
    frames.push({ time, data: bytes.subarray(data, data + length) });
    at = data + length;
  }
  return ok({ format: entry.name, width, height, rate, scale, frames });
}

/** The bytes of a file. Throws `field-invalid` where a number does not fit its field. */
export function encodeIvf({ format, width, height, rate, scale, frames }: Ivf): Uint8Array {
  requireInteger(width, MAX_U16, "width");
  requireInteger(height, MAX_U16, "height");
  requireInteger(rate, MAX_U32, "rate", 1);
  requireInteger(scale, MAX_U32, "scale", 1);
  const size = frames.reduce((sum, { data }) => sum + FRAME_HEADER_BYTES + data.length, FILE_HEADER_BYTES);
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  writeTag(bytes, 0, "DKIF");
  view.setUint16(6, FILE_HEADER_BYTES, true);
  writeTag(bytes, 8, VIDEO_FORMATS.find(({ name }) => name === format)?.fourCc ?? "");
  view.setUint16(12, width, true);
  view.setUint16(14, height, true);
  view.setUint32(16, rate, true);
  view.setUint32(20, scale, true);
  view.setUint32(24, frames.length, true);
  let at = FILE_HEADER_BYTES;
  for (const { time, data } of frames) {
    requireInteger(time, Number.MAX_SAFE_INTEGER, "time");
    view.setUint32(at, data.length, true);
    view.setUint32(at + 4, time % 2 ** 32, true);
    view.setUint32(at + 8, Math.floor(time / 2 ** 32), true);
    bytes.set(data, at + FRAME_HEADER_BYTES);
    at += FRAME_HEADER_BYTES + data.length;
  }
  return bytes;
}

/** Milliseconds at which a unit of time `time` is shown. */
export function ivfTimeMs({ rate, scale }: Pick<Ivf, "rate" | "scale">, time: number): number {
  return (time * 1_000 * scale) / rate;
}

function tagAt(bytes: Uint8Array, offset: number): string {
  return String.fromCharCode(...bytes.subarray(offset, offset + 4));
}

function writeTag(bytes: Uint8Array, offset: number, tag: string): void {
  for (let index = 0; index < tag.length; index += 1) bytes[offset + index] = tag.charCodeAt(index);
}

function malformed(message: string, offset: number): Result<never> {
  return refuse("ivf-malformed", `IVF file: ${message}`, `byte ${offset}`);
}

const FILE_HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 12;
