/** Names of video codecs as the ends agree on them, as WebCodecs wants them, and as people know them. */
import type { Size } from "./picture-plan.ts";

export const VIDEO_CODECS = ["vp8", "vp9", "av1"] as const;
export type VideoCodecName = (typeof VIDEO_CODECS)[number];

const SHOWN: Readonly<Record<VideoCodecName, string>> = { vp8: "VP8", vp9: "VP9", av1: "AV1" };

/** Pixels up to which a level is enough, with VP9's level and AV1's (level index and tier). */
const LEVELS: readonly (readonly [number, string, string])[] = [
  [640 * 480, "21", "04M"],
  [1_280 * 720, "31", "05M"],
  [1_920 * 1_080, "41", "09M"],
  [Number.POSITIVE_INFINITY, "51", "13M"],
];

export function isVideoCodec(name: string): name is VideoCodecName {
  return (VIDEO_CODECS as readonly string[]).includes(name);
}

/** The name with profile, level and depth, for pictures of this size. */
export function codecString(name: VideoCodecName, { width, height }: Size): string {
  const [, vp9, av1] = LEVELS.find(([pixels]) => width * height <= pixels) as (typeof LEVELS)[number];
  if (name === "vp8") return "vp8";
  return name === "vp9" ? `vp09.00.${vp9}.08` : `av01.0.${av1}.08`;
}

export function codecName(name: string): string {
  return isVideoCodec(name) ? SHOWN[name] : name.toUpperCase();
}
