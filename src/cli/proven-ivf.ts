import { writeFile } from "node:fs/promises";
import { encodeIvf, type IvfFrame } from "../../codecs/ivf.ts";
import { findVideoFormat, type VideoFormatName, type VideoUnit } from "../../codecs/video-formats.ts";
import { parseVideoPayload } from "../../codecs/video-payload.ts";
import type { ProvenFrame } from "../../signaling/evidence/media.ts";
import type { JudgedEvidence } from "../../signaling/evidence/verify.ts";
import type { VideoCodec } from "../../signaling/video-stream.ts";
import { usageError } from "./output.ts";

/** An IVF file made of proven frames. */
export interface ProvenIvf {
  readonly file: string;
  readonly speaker: "caller" | "callee";
  readonly stream: number;
  /** Access units in the file. */
  readonly units: number;
  /** Frames before the first key frame: nothing shows them. */
  readonly before_key: number;
  /** Frames whose payload is none of the codec; left out. */
  readonly undecodable: number;
}

const ROLES = ["caller", "callee"] as const;

/**
 * Writes the proven video of one speaker as the access units that were signed, from the first key frame on, each at the time of its RTP
 * timestamp. Of several streams, the one with the lowest number. Throws `usage` where there is nothing to write, or no telling whose.
 */
export async function writeProvenIvf(
  path: string,
  proven: readonly ProvenFrame[],
  evidence: JudgedEvidence,
  speaker: "caller" | "callee" | undefined,
): Promise<ProvenIvf> {
  const { frames, codec } = choose(proven, evidence, speaker);
  const [{ leg, stream }] = frames as [ProvenFrame];
  const format = findVideoFormat(codec.name);
  if (format === undefined) throw usageError("The call's video codec is none that this version can read.");
  const { units, undecodable } = unpacked(frames, format.name);
  const first = units.findIndex(({ unit }) => unit.key);
  const shown = first < 0 ? [] : units.slice(first);
  const { width = codec.max_width, height = codec.max_height } = shown[0]?.unit ?? {};
  const timed = shown.map(
    ({ time, unit }): IvfFrame => ({ time: time - (shown[0]?.time ?? 0), data: unit.data }),
  );
  await writeFile(
    path,
    encodeIvf({ format: format.name, width, height, rate: codec.clock_rate, scale: 1, frames: timed }),
  );
  return {
    ...{ file: path, speaker: ROLES[leg] as "caller" | "callee", stream, units: shown.length },
    ...{ before_key: units.length - shown.length, undecodable },
  };
}

/** The frames of one stream of video. */
function choose(
  proven: readonly ProvenFrame[],
  { streams }: JudgedEvidence,
  speaker: "caller" | "callee" | undefined,
): { readonly frames: readonly ProvenFrame[]; readonly codec: VideoCodec } {
  const codecOf = ({ leg, stream }: ProvenFrame) => {
    const agreed = streams.find((each) => each.leg === leg && each.stream === stream)?.agreed;
    return agreed?.modality === "video" ? agreed.codec : undefined;
  };
  const pictures = proven.filter((frame) => codecOf(frame) !== undefined);
  const legs = new Set(pictures.map(({ leg }) => leg));
  if (speaker === undefined && legs.size > 1)
    throw usageError("The video is of both ends; choose with --speaker caller or --speaker callee.");
  const leg = speaker === undefined ? [...legs][0] : ROLES.indexOf(speaker);
  const [first] = pictures.filter((frame) => frame.leg === leg);
  const codec = first && codecOf(first);
  if (first === undefined || codec === undefined)
    throw usageError(`No kept video${speaker ? ` of the ${speaker}` : ""} is proven.`);
  return { frames: pictures.filter((frame) => frame.leg === leg && frame.stream === first.stream), codec };
}

/** What the payloads hold, at RTP clock units since the first frame, from timestamps that wrap at 32 bits (RFC 3550 5.1). */
function unpacked(frames: readonly ProvenFrame[], format: VideoFormatName) {
  const units: { readonly time: number; readonly unit: VideoUnit }[] = [];
  let time = 0;
  let previous = frames[0]?.timestamp ?? 0;
  for (const { timestamp, payload } of frames) {
    time += (timestamp - previous) | 0;
    previous = timestamp;
    const unit = parseVideoPayload(format, payload);
    if (unit.ok) units.push({ time, unit: unit.value });
  }
  return { units, undecodable: frames.length - units.length };
}
