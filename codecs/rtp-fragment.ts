/** Pieces of access units as WebRTC's RTP payloads carry them, whatever the format: what is told of a unit before it is whole, and putting it together. */

import { parseAv1Fragment } from "./av1.ts";
import { OBU_TYPE } from "./av1-obu.ts";
import { ok, type Result } from "./result.ts";
import { joinAv1Fragments, splitAv1Payload } from "./rtp-av1.ts";
import { joinVp8Fragments, splitVp8Payload } from "./rtp-vp8.ts";
import { joinVp9Fragments, splitVp9Payload } from "./rtp-vp9.ts";
import type { VideoFormatName, VideoUnit } from "./video-formats.ts";
import { parseVp8Fragment } from "./vp8.ts";
import { parseVp9Fragment, readVp9Picture } from "./vp9.ts";

/** What one payload says of the unit that it is a piece of. */
export interface VideoFragmentFacts {
  /** Whether a unit begins here; `maybe`: where the packet before it ended one. */
  readonly begins: "yes" | "no" | "maybe";
  /** Whether it ends here, where the format says so; the packet's marker says it in all of them. */
  readonly ends?: boolean;
  /** Whether the unit is one with which decoding can begin: said by its first piece, and true of the whole unit in the end if its headers say so, too. */
  readonly key: boolean;
  /** Number of the picture, where the sender counts them. */
  readonly picture?: number;
  /** Temporal layer, 0 the base, where the sender tells layers apart. */
  readonly layer?: number;
}

/** Payloads of one unit, and how many there may be in a call of the other end's making is for its reader to bound. */
export type VideoFragments = readonly Uint8Array[];

/** Reads what a payload says of its unit, nothing of it copied. Fault: `payload-malformed`. */
export function readVideoFragment(format: VideoFormatName, payload: Uint8Array): Result<VideoFragmentFacts> {
  if (format === "av1") return readAv1Fragment(payload);
  return format === "vp8" ? readVp8Fragment(payload) : readVp9Fragment(payload);
}

/**
 * The unit of all its payloads in their order, as `VideoStream.send` takes it: a new array, with what its headers and its descriptor say of it. Faults
 * `payload-malformed` where payloads are missing or of several units, as far as that shows.
 */
export function joinVideoFragments(format: VideoFormatName, payloads: VideoFragments): Result<VideoUnit> {
  if (format === "av1") return joinAv1Fragments(payloads);
  return format === "vp8" ? joinVp8Fragments(payloads) : joinVp9Fragments(payloads);
}

/**
 * Splits the payload of one whole unit, as Parley's frames carry it and `VideoPayloadWriter` makes it, into payloads of at most `most` bytes, 64 or more.
 * The last one's packet has the marker. Fault: `payload-malformed`.
 */
export function splitVideoPayload(
  format: VideoFormatName,
  payload: Uint8Array,
  most: number,
): Result<VideoFragments> {
  if (format === "av1") return splitAv1Payload(payload, most);
  return format === "vp8" ? splitVp8Payload(payload, most) : splitVp9Payload(payload, most);
}

function readVp8Fragment(payload: Uint8Array): Result<VideoFragmentFacts> {
  const parsed = parseVp8Fragment(payload);
  if (!parsed.ok) return parsed;
  const { begins, descriptor, piece } = parsed.value;
  return ok({
    begins: begins ? "yes" : "no",
    key: begins && ((piece[0] as number) & VP8_NOT_KEY) === 0,
    ...numbers(descriptor.pictureId?.value, descriptor.layer),
  });
}

function readVp9Fragment(payload: Uint8Array): Result<VideoFragmentFacts> {
  const parsed = parseVp9Fragment(payload);
  if (!parsed.ok) return parsed;
  const { begins, ends, descriptor, piece } = parsed.value;
  const header = begins && !descriptor.interPredicted ? readVp9Picture(piece) : undefined;
  return ok({
    begins: begins ? "yes" : "no",
    ends,
    key: header?.ok === true && header.value.key,
    ...numbers(descriptor.pictureId?.value, descriptor.layer?.temporal),
  });
}

function readAv1Fragment(payload: Uint8Array): Result<VideoFragmentFacts> {
  const parsed = parseAv1Fragment(payload);
  if (!parsed.ok) return parsed;
  const { continues, startsSequence, elements } = parsed.value;
  if (continues) return ok({ begins: "no", key: false });
  // Who makes no use of the bit still begins with the sequence's header.
  const types = elements.map((element) => ((element[0] ?? 0) >> 3) & 0x0f);
  const first = types.find((type) => type !== OBU_TYPE.temporalDelimiter);
  const key = startsSequence || first === OBU_TYPE.sequenceHeader;
  return ok({ begins: key ? "yes" : "maybe", key });
}

function numbers(picture: number | undefined, layer: number | undefined) {
  return {
    ...(picture === undefined ? {} : { picture }),
    ...(layer === undefined ? {} : { layer }),
  };
}

const VP8_NOT_KEY = 0x01;
