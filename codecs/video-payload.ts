/** Access units in and out of RTP payloads, whatever the format: one whole unit with one descriptor. */
import {
  parseAv1Payload,
  parseTemporalUnit,
  readAv1Facts,
  writeAv1Payload,
  writeTemporalUnit,
} from "./av1.ts";
import { ok, type Result } from "./result.ts";
import type { VideoFormatName, VideoUnit, VideoUnitFacts } from "./video-formats.ts";
import { parseVp8Payload, readVp8Frame, writeVp8Payload } from "./vp8.ts";
import { parseVp9Payload, readVp9Picture, writeVp9Payload } from "./vp9.ts";

/** Highest temporal layer that every format can name. */
export const MAX_TEMPORAL_LAYER = 3;

/** A payload made, and what its unit says of itself. */
export interface MadePayload {
  readonly payload: Uint8Array;
  readonly facts: VideoUnitFacts;
}

/** Makes the payloads of one stream, one unit after the other: it counts its pictures where the format's descriptor does. */
export class VideoPayloadWriter {
  readonly #format: VideoFormatName;
  #picture: number;
  #base: number;

  /** The numbers of the first picture, 0 to 32,767, and of the first of the base layer, 0 to 255: random ones make a stream harder to guess. */
  constructor(format: VideoFormatName, first: { readonly picture: number; readonly base: number }) {
    this.#format = format;
    this.#picture = first.picture;
    // The first picture of the base layer is counted before its number is written.
    this.#base = (first.base - 1) & 0xff;
  }

  /**
   * The payload of one access unit, a new array. `layer`, 0 to 3, is the temporal layer as the encoder told it; AV1 says it in its own
   * headers. Refuses with `payload-malformed` what is no unit of the format.
   */
  write(data: Uint8Array, layer?: number): Result<MadePayload> {
    if (this.#format === "av1") return this.#writeAv1(data);
    const facts = this.#format === "vp8" ? readVp8Frame(data) : readVp9Picture(data);
    if (!facts.ok) return facts;
    const pictureId = { value: this.#picture, bits: 15 } as const;
    this.#picture = (this.#picture + 1) & 0x7fff;
    if (layer === 0) this.#base = (this.#base + 1) & 0xff;
    const value = layer === undefined ? facts.value : { ...facts.value, layer };
    const { key, width, height } = value;
    const counted = layer === undefined ? {} : { baseIndex: this.#base };
    if (this.#format === "vp8") {
      const descriptor = { pictureId, ...counted, ...(layer === undefined ? {} : { layer }) };
      return ok({ payload: writeVp8Payload(descriptor, data), facts: value });
    }
    const descriptor = {
      pictureId,
      interPredicted: !key,
      ...counted,
      ...(layer === undefined ? {} : { layer: { temporal: layer, switchingUp: false } }),
      ...(width === undefined || height === undefined ? {} : { size: { width, height } }),
      notReferredTo: true,
    };
    return ok({ payload: writeVp9Payload(descriptor, data), facts: value });
  }

  #writeAv1(data: Uint8Array): Result<MadePayload> {
    const obus = parseTemporalUnit(data);
    if (!obus.ok) return obus;
    const facts = readAv1Facts(obus.value);
    if (!facts.ok) return facts;
    return ok({ payload: writeAv1Payload(obus.value, facts.value.key), facts: facts.value });
  }
}

/**
 * The access unit of a payload, as decoders take it: for VP8 and VP9 a view on it, for AV1 a copy with temporal delimiter and sizes put
 * back. What it says of itself comes from the bitstream, layers of VP8 and VP9 from the descriptor. Fault: `payload-malformed`.
 */
export function parseVideoPayload(format: VideoFormatName, payload: Uint8Array): Result<VideoUnit> {
  if (format === "av1") {
    const obus = parseAv1Payload(payload);
    if (!obus.ok) return obus;
    const facts = readAv1Facts(obus.value);
    return facts.ok ? ok({ ...facts.value, data: writeTemporalUnit(obus.value) }) : facts;
  }
  if (format === "vp8") {
    const parsed = parseVp8Payload(payload);
    if (!parsed.ok) return parsed;
    const { descriptor, frame } = parsed.value;
    return unitOf(readVp8Frame(frame), frame, descriptor.layer);
  }
  const parsed = parseVp9Payload(payload);
  if (!parsed.ok) return parsed;
  const { descriptor, picture } = parsed.value;
  return unitOf(readVp9Picture(picture), picture, descriptor.layer?.temporal);
}

/** What the access unit of a payload says of itself, nothing of it copied. Fault: `payload-malformed`. */
export function readPayloadFacts(format: VideoFormatName, payload: Uint8Array): Result<VideoUnitFacts> {
  if (format !== "av1") return parseVideoPayload(format, payload);
  const obus = parseAv1Payload(payload);
  return obus.ok ? readAv1Facts(obus.value) : obus;
}

/** What an access unit says of itself, as an encoder made it. Fault: `payload-malformed`. */
export function readVideoUnit(format: VideoFormatName, data: Uint8Array): Result<VideoUnitFacts> {
  if (format === "vp8") return readVp8Frame(data);
  if (format === "vp9") return readVp9Picture(data);
  const obus = parseTemporalUnit(data);
  return obus.ok ? readAv1Facts(obus.value) : obus;
}

function unitOf(
  facts: Result<VideoUnitFacts>,
  data: Uint8Array,
  layer: number | undefined,
): Result<VideoUnit> {
  return facts.ok ? ok({ ...facts.value, data, ...(layer === undefined ? {} : { layer }) }) : facts;
}
