import type { AudioFormat } from "../codecs/audio-codec.ts";
import { rtpTicks } from "../codecs/audio-codec.ts";
import { parseOpusPacket } from "../codecs/opus.ts";
import { ok, type Result, refuse } from "../codecs/result.ts";

/** What the frames of an encoded voice are: agreed with the call, and the same for all of them. */
export interface EncodedFormat {
  /** Lowercase RTP encoding name: `opus`, `g722`, `pcmu`, `pcma`. */
  readonly name: string;
  /** RTP clock rate, Hz: what timestamps count in. */
  readonly clockRate: number;
  readonly channels: 1 | 2;
  /** Milliseconds of one frame, and its RTP ticks. */
  readonly frameMs: number;
  readonly frameTicks: number;
}

export function encodedFormat(format: AudioFormat): EncodedFormat {
  const { name, rtpClockRate: clockRate, channels } = format;
  const frameTicks = rtpTicks(format);
  return { name, clockRate, channels, frameMs: (frameTicks * 1000) / clockRate, frameTicks };
}

/** RTP ticks that a payload lasts; refuses `payload-malformed` what is no payload of the format. */
export function payloadTicks(name: string, payload: Uint8Array): Result<number> {
  if (name === "opus") {
    const read = parseOpusPacket(payload);
    return read.ok ? ok(read.value.samples) : read;
  }
  // G.711 has one byte a tick, and so has G.722, whose RTP clock counts half of its samples (RFC 3551 4.5.2).
  return payload.length > 0 ? ok(payload.length) : refuse("payload-malformed", "empty", "payload");
}
