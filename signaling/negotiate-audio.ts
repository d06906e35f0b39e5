import type { AnswerCodec, AudioAnswerStream, AudioOfferStream, OfferCodec } from "./audio-stream.ts";
import { answeringDirection, type Flowing } from "./stream-fields.ts";

/** One audio codec as an end can run it. */
export interface AudioCapability {
  /** Lowercase RTP encoding name. */
  readonly name: string;
  readonly clockRate: number;
  readonly channels: 1 | 2;
  /** Milliseconds of one frame that it can make and take. */
  readonly frameMs: readonly number[];
  /** Bytes of one millisecond of payload where the rate is constant; absent for codecs that are told their rate. */
  readonly bytesPerMs?: number | undefined;
}

/** What an end can and may do with audio. */
export interface AudioCapabilities extends Flowing {
  readonly codecs: readonly AudioCapability[];
  /** Whether the other end may interrupt what this one says. Default true. */
  readonly interruptible?: boolean | undefined;
  /** Whether it takes packets that carry earlier frames once more. Default false. */
  readonly redundancy?: boolean | undefined;
  /** Names of codecs that it could run and its policy forbids. */
  readonly forbiddenCodecs?: readonly string[] | undefined;
  /** Largest payload a packet can carry here, bytes. Default {@link MAX_PAYLOAD_BYTES}. */
  readonly maxPayloadBytes?: number | undefined;
}

/**
 * Bytes of payload that always fit in one datagram of 1,150 bytes: flow identifier 8, RTP header 12, extension header
 * 4, attribution 79, frame info 6, epoch 6, level 3, recorded 52, padding 3.
 */
export const MAX_PAYLOAD_BYTES = 1150 - (8 + 12 + 4 + 79 + 6 + 6 + 3 + 52 + 3);

/**
 * What to answer to one audio stream: the first codec in the offer's order of preference that both ends have, with the first
 * of its frame sizes that both have and that fits a packet. `undefined` without common ground.
 */
export function answerAudio(
  offered: AudioOfferStream,
  local: AudioCapabilities,
  ssrc: number,
): AudioAnswerStream | undefined {
  const direction = answeringDirection(offered.direction, local);
  const codec = chooseCodec(offered.codecs, local);
  if (direction === undefined || codec === undefined) return undefined;
  const interruptible = local.interruptible === false ? ({ interruptible: false } as const) : {};
  return { stream: offered.stream, modality: "audio", direction, ssrc, codec, ...interruptible };
}

/** Whether nothing but policy stands between the offered codecs and the local ones. */
export function isForbiddenAudio(offered: AudioOfferStream, local: AudioCapabilities): boolean {
  return chooseCodec(offered.codecs, { ...local, forbiddenCodecs: [] }) !== undefined;
}

/** A codec as a counter-proposal names it. */
export type ProposedCodec = {
  readonly name: string;
  readonly clock_rate: number;
  readonly channels: 1 | 2;
  readonly frame_ms: readonly number[];
};

/** The codecs that `local` would take. */
export function proposedCodecs(local: AudioCapabilities): ProposedCodec[] {
  const allowed = local.codecs.filter((codec) => !isForbidden(codec.name, local));
  return allowed.map((codec) => ({
    name: codec.name,
    clock_rate: codec.clockRate,
    channels: codec.channels,
    frame_ms: codec.frameMs.filter((ms) => fitsPacket(codec, ms, local)),
  }));
}

function chooseCodec(offered: readonly OfferCodec[], local: AudioCapabilities): AnswerCodec | undefined {
  for (const { name, clock_rate, channels, frame_ms, payload_type, red_payload_type } of offered) {
    if (isForbidden(name, local)) continue;
    for (const codec of local.codecs) {
      if (codec.name !== name || codec.clockRate !== clock_rate || codec.channels !== channels) continue;
      const frame = frame_ms.find((ms) => codec.frameMs.includes(ms) && fitsPacket(codec, ms, local));
      if (frame === undefined) continue;
      const red = local.redundancy === true && red_payload_type !== undefined ? { red_payload_type } : {};
      return { name, clock_rate, channels, frame_ms: frame, payload_type, ...red };
    }
  }
  return undefined;
}

function fitsPacket(codec: AudioCapability, ms: number, local: AudioCapabilities): boolean {
  return (codec.bytesPerMs ?? 0) * ms <= (local.maxPayloadBytes ?? MAX_PAYLOAD_BYTES);
}

function isForbidden(name: string, local: AudioCapabilities): boolean {
  return local.forbiddenCodecs?.includes(name) === true;
}
