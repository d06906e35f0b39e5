/** VP8 frames in pieces: several RTP payloads for one frame (RFC 7741 section 4.4). */
import { concatBytes } from "./concat-bytes.ts";
import { ok, type Result, refuse } from "./result.ts";
import { evenPieces } from "./rtp-pieces.ts";
import type { VideoUnit } from "./video-formats.ts";
import { parseVp8Fragment, parseVp8Payload, readVp8Frame, writeVp8Fragment } from "./vp8.ts";

/** Splits the payload of a whole frame into such of at most `most` bytes; all of them have its descriptor. Fault: `payload-malformed`. */
export function splitVp8Payload(payload: Uint8Array, most: number): Result<readonly Uint8Array[]> {
  const whole = parseVp8Payload(payload);
  if (!whole.ok) return whole;
  const { descriptor, frame } = whole.value;
  const room = most - (payload.length - frame.length);
  const pieces = evenPieces(frame, room);
  return ok(pieces.map((piece, index) => writeVp8Fragment(descriptor, piece, index === 0)));
}

/** The frame of all its payloads, a new array. Fault: `payload-malformed`. */
export function joinVp8Fragments(payloads: readonly Uint8Array[]): Result<VideoUnit> {
  const pieces: Uint8Array[] = [];
  let layer: number | undefined;
  for (const [index, payload] of payloads.entries()) {
    const parsed = parseVp8Fragment(payload);
    if (!parsed.ok) return parsed;
    const { begins, descriptor, piece } = parsed.value;
    if (begins !== (index === 0)) return malformed("pieces that are not of one frame", index);
    layer ??= descriptor.layer;
    pieces.push(piece);
  }
  const data = concatBytes(pieces);
  const facts = readVp8Frame(data);
  return facts.ok ? ok({ ...facts.value, data, ...(layer === undefined ? {} : { layer }) }) : facts;
}

function malformed(message: string, index: number): Result<never> {
  return refuse("payload-malformed", `VP8 payloads: ${message}`, `payload ${index}`);
}
