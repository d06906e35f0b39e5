import type { ScopeLimits } from "./scope.ts";
import { answeringDirection, type Flowing, receives, sends } from "./stream-fields.ts";
import {
  isSameSource,
  MAX_RENDITIONS,
  type VideoAnswerStream,
  type VideoCodec,
  type VideoOfferStream,
} from "./video-stream.ts";

/** One video codec as an end can run it. */
export interface VideoCapability {
  /** Lowercase RTP encoding name. */
  readonly name: string;
  /** Pixels. */
  readonly maxWidth: number;
  readonly maxHeight: number;
  /** Frames a second. */
  readonly maxFrameRate: number;
}

/** What an end can and may do with video. */
export interface VideoCapabilities extends Flowing {
  readonly codecs: readonly VideoCapability[];
  /** Most renditions of one video that it takes. Default {@link MAX_RENDITIONS}. */
  readonly renditions?: number | undefined;
  /** Names of codecs that it could run and its policy forbids. */
  readonly forbiddenCodecs?: readonly string[] | undefined;
}

/** Caps of the scopes of both ends, each on what that end sends. */
export interface PictureLimits {
  /** Of who offered. */
  readonly offerer: ScopeLimits;
  /** Of who answers. */
  readonly answerer: ScopeLimits;
}

/**
 * What to answer to the video streams of an offer, by stream: for each video the first codec in the offer's order that both ends have, cut to
 * what this end and both scopes allow. Of several renditions those are taken whose caps need no cut, the best first; where all would have to be cut,
 * the least of them is. Videos without common ground are left out.
 */
export function answerVideo(
  offered: readonly VideoOfferStream[],
  local: VideoCapabilities,
  limits: PictureLimits,
  ssrcOf: (stream: number) => number,
): ReadonlyMap<number, VideoAnswerStream> {
  const answers = new Map<number, VideoAnswerStream>();
  for (const [at, first] of offered.entries()) {
    if (offered.slice(0, at).some((earlier) => isSameSource(earlier, first))) continue;
    const renditions = offered.filter((stream) => stream === first || isSameSource(stream, first));
    for (const { stream, codec } of takeRenditions(renditions, local, limits)) {
      const direction = answeringDirection(stream.direction, local);
      if (direction === undefined) continue;
      const { source, rendition } = stream;
      answers.set(stream.stream, {
        ...{ stream: stream.stream, modality: "video", direction, ssrc: ssrcOf(stream.stream), codec },
        ...(source === undefined ? {} : { source }),
        ...(rendition === undefined ? {} : { rendition }),
      });
    }
  }
  return answers;
}

/** Whether nothing but policy stands between the offered codecs and the local ones. */
export function isForbiddenVideo(offered: VideoOfferStream, local: VideoCapabilities): boolean {
  return offered.codecs.some(({ name }) => local.codecs.some((codec) => codec.name === name));
}

/** A codec as a counter-proposal names it. */
export type ProposedVideoCodec = {
  readonly name: string;
  readonly max_width: number;
  readonly max_height: number;
  readonly max_frame_rate: number;
};

/** The codecs that `local` would take. */
export function proposedVideoCodecs(local: VideoCapabilities): ProposedVideoCodec[] {
  const allowed = local.codecs.filter(({ name }) => !isForbidden(name, local));
  return allowed.map(({ name, maxWidth, maxHeight, maxFrameRate }) => ({
    name,
    max_width: maxWidth,
    max_height: maxHeight,
    max_frame_rate: maxFrameRate,
  }));
}

interface Rendition {
  readonly stream: VideoOfferStream;
  readonly codec: VideoCodec;
}

/** Which streams of one video are taken, and how: all with one codec. */
function takeRenditions(
  renditions: readonly VideoOfferStream[],
  local: VideoCapabilities,
  limits: PictureLimits,
): readonly Rendition[] {
  const best = renditions.toSorted((a, b) => (a.rendition ?? 0) - (b.rendition ?? 0));
  const flowing = best.filter((stream) => answeringDirection(stream.direction, local) !== undefined);
  for (const { name } of flowing[0]?.codecs ?? []) {
    const capability = local.codecs.find((codec) => codec.name === name);
    if (capability === undefined || isForbidden(name, local)) continue;
    const possible = flowing.flatMap((stream) => {
      const offered = stream.codecs.find((codec) => codec.name === name);
      const codec = offered && cut(offered, capability, limitsOn(stream, local, limits));
      return offered && codec ? [{ stream, codec, isWhole: isSame(offered, codec) }] : [];
    });
    const whole = possible.filter(({ isWhole }) => isWhole).slice(0, local.renditions ?? MAX_RENDITIONS);
    const taken = whole.length > 0 ? whole : possible.slice(-1);
    if (taken.length > 0) return taken;
  }
  return [];
}

/** The caps on what would flow: of each end's scope on what that end sends. */
function limitsOn(
  stream: VideoOfferStream,
  local: VideoCapabilities,
  { offerer, answerer }: PictureLimits,
): readonly ScopeLimits[] {
  const comes = sends(stream.direction) && local.receive;
  const goes = receives(stream.direction) && local.send;
  return [...(comes ? [offerer] : []), ...(goes ? [answerer] : [])];
}

/** As much of an offered codec as may be taken; `undefined` when nothing may. */
function cut(
  offered: VideoCodec,
  { maxWidth, maxHeight, maxFrameRate }: VideoCapability,
  limits: readonly ScopeLimits[],
): VideoCodec | undefined {
  const height = Math.min(
    offered.max_height,
    maxHeight,
    ...limits.map((each) => each.height ?? Number.POSITIVE_INFINITY),
  );
  const rate = Math.min(
    offered.max_frame_rate,
    maxFrameRate,
    ...limits.map((each) => each["frame-rate"] ?? Number.POSITIVE_INFINITY),
  );
  if (height < LEAST_HEIGHT || rate < 1) return undefined;
  return {
    ...offered,
    max_width: Math.min(offered.max_width, maxWidth),
    max_height: height,
    max_frame_rate: rate,
  };
}

function isSame(left: VideoCodec, right: VideoCodec): boolean {
  return (
    left.max_width === right.max_width &&
    left.max_height === right.max_height &&
    left.max_frame_rate === right.max_frame_rate
  );
}

function isForbidden(name: string, local: VideoCapabilities): boolean {
  return local.forbiddenCodecs?.includes(name) === true;
}

/** Pixels: below it there is no video to agree on. */
const LEAST_HEIGHT = 16;
