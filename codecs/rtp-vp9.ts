/** VP9 pictures in pieces: several RTP payloads for one picture of one spatial layer (RFC 9628 section 4.2), in either mode. */
import { concatBytes } from "./concat-bytes.ts";
import { ok, type Result, refuse } from "./result.ts";
import { evenPieces } from "./rtp-pieces.ts";
import type { VideoUnit } from "./video-formats.ts";
import { parseVp9Fragment, parseVp9Payload, readVp9Picture, writeVp9Fragment } from "./vp9.ts";

/** Splits the payload of a whole picture into such of at most `most` bytes; all have its descriptor, the first alone its size. Fault: `payload-malformed`. */
export function splitVp9Payload(payload: Uint8Array, most: number): Result<readonly Uint8Array[]> {
  const whole = parseVp9Payload(payload);
  if (!whole.ok) return whole;
  const { descriptor, picture } = whole.value;
  const room = most - (payload.length - picture.length);
  const pieces = evenPieces(picture, room);
  return ok(
    pieces.map((piece, index) =>
      writeVp9Fragment(descriptor, piece, { begins: index === 0, ends: index === pieces.length - 1 }),
    ),
  );
}

/** The picture of all its payloads, a new array. Fault: `payload-malformed`, for upper spatial layers too. */
export function joinVp9Fragments(payloads: readonly Uint8Array[]): Result<VideoUnit> {
  const pieces: Uint8Array[] = [];
  let layer: number | undefined;
  for (const [index, payload] of payloads.entries()) {
    const parsed = parseVp9Fragment(payload);
    if (!parsed.ok) return parsed;
    const { begins, ends, descriptor, piece } = parsed.value;
    if (begins !== (index === 0) || ends !== (index === payloads.length - 1))
      return malformed("pieces that are not of one picture", index);
    layer ??= descriptor.layer?.temporal;
    pieces.push(piece);
  }
  const data = concatBytes(pieces);
  const facts = readVp9Picture(data);
  return facts.ok ? ok({ ...facts.value, data, ...(layer === undefined ? {} : { layer }) }) : facts;
}

function malformed(message: string, index: number): Result<never> {
  return refuse("payload-malformed", `VP9 payloads: ${message}`, `payload ${index}`);
}
