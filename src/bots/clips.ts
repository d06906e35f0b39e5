/** What bots show: clips from IVF files, taken apart beforehand. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Ivf, parseIvf } from "../../codecs/ivf.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import type { VideoFormatName } from "../../codecs/video-formats.ts";
import { readVideoUnit } from "../../codecs/video-payload.ts";
import { packageFolder } from "../package-info.ts";

/** One access unit of a clip. */
export interface ClipUnit {
  readonly data: Uint8Array;
  readonly key: boolean;
  /** Temporal layer; undefined: as the unit says itself. */
  readonly layer: number | undefined;
}

/** One size of a clip. */
export interface ClipRendition {
  readonly width: number;
  readonly height: number;
  /** They are shown over and over: the first is a key frame. */
  readonly units: readonly ClipUnit[];
  /** What comes of it without the layers above each, from layer 0 on: bits a second with all that goes around the units, and units a second. */
  readonly layers: readonly { readonly bitsPerSecond: number; readonly frameRate: number }[];
}

/** A video to show, in one or several sizes. */
export interface Clip {
  readonly format: VideoFormatName;
  readonly frameRate: number;
  /** Largest first. */
  readonly renditions: readonly ClipRendition[];
}

/** Of the clips that come with the package, largest first. */
const OWN_CLIPS = ["large.ivf", "small.ivf", "tiny.ivf"];
/** Their temporal layers, over and over: VP8 does not say them itself. */
const OWN_LAYERS = [0, 2, 1, 2];
/** Renditions that one video has at most. */
const MAX_RENDITIONS = 4;

/**
 * The clip in these files, renditions of one video, largest first; with no files the one that comes with the package. Throws `usage`
 * for files that cannot be read or do not belong together.
 */
export async function readClip(files: readonly string[]): Promise<Clip> {
  const own = join(packageFolder(), "src", "bots", "clips");
  const paths = files.length > 0 ? files : OWN_CLIPS.map((name) => join(own, name));
  const read: Ivf[] = [];
  for (const path of paths) read.push(await readFileAs(path));
  return clipOf(read, files.length > 0 ? undefined : OWN_LAYERS);
}

/** A clip of files in memory. `layers`: temporal layers of the units, over and over. Throws `usage` where the files do not belong together. */
export function clipOf(files: readonly Ivf[], layers?: readonly number[]): Clip {
  const [best] = files;
  if (best === undefined || files.length > MAX_RENDITIONS) throw unfit("a picture has 1 to 4 renditions");
  const renditions = files.map((file) => renditionOf(file, layers));
  files.forEach(({ format, width, height }, index) => {
    if (format !== best.format) throw unfit("renditions of one picture have one codec");
    const before = files[index - 1];
    if (before !== undefined && (width * 2 > before.width || height * 2 > before.height)) {
      throw unfit("each rendition is half as wide and high as the one before, or smaller");
    }
  });
  return { format: best.format, frameRate: frameRateOf(best), renditions };
}

function renditionOf(
  { format, width, height, frames, ...times }: Ivf,
  layers?: readonly number[],
): ClipRendition {
  const units = frames.map(({ data }, index): ClipUnit => {
    const facts = readVideoUnit(format, data);
    if (!facts.ok) throw unfit(`unit ${index} is none of ${format}: ${facts.fault.message}`);
    return { data, key: facts.value.key, layer: layers?.[index % layers.length] };
  });
  if (units[0]?.key !== true) throw unfit("a clip begins with a key frame");
  const seconds = units.length / frameRateOf({ ...times, frames });
  const highest = Math.max(...units.map(({ layer = 0 }) => layer));
  const layersUpTo = Array.from({ length: highest + 1 }, (_, most) => {
    const kept = units.filter(({ layer = 0 }) => layer <= most);
    const bytes = kept.reduce((sum, { data }) => sum + data.length + AROUND_UNIT_BYTES, 0);
    return { bitsPerSecond: (bytes * 8) / seconds, frameRate: kept.length / seconds };
  });
  return { width, height, units, layers: layersUpTo };
}

/** Units a second, by the times of the first and the last one. */
function frameRateOf({ frames, rate, scale }: Pick<Ivf, "frames" | "rate" | "scale">): number {
  const ticks = ((frames.at(-1)?.time ?? 0) - (frames[0]?.time ?? 0)) / Math.max(1, frames.length - 1);
  if (ticks > 0 && frames.length > 1) return Math.min(MOST_FRAME_RATE, rate / (scale * ticks));
  throw unfit("a clip has units at different times");
}

async function readFileAs(path: string): Promise<Ivf> {
  const bytes = await readFile(path).catch((error: unknown) => {
    throw new ParleyError({ code: "usage", message: `${path} cannot be read.` }, { cause: error });
  });
  const parsed = parseIvf(bytes);
  if (parsed.ok) return parsed.value;
  throw new ParleyError({ code: "usage", message: `${path}: ${parsed.fault.message}` });
}

function unfit(message: string): ParleyError {
  return new ParleyError({ code: "usage", message: `Clips: ${message}.` });
}

const MOST_FRAME_RATE = 60;
/** RTP header, attribution, and what carries them: about what one unit has around it on its way. */
const AROUND_UNIT_BYTES = 170;
