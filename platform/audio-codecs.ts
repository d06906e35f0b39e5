import type { AudioCodec, AudioFormat } from "../codecs/audio-codec.ts";
import { AUDIO_FORMATS } from "../codecs/audio-formats.ts";
import { G711Codec } from "../codecs/g711.ts";
import { createOpusCodec, type OpusFrameMs, type OpusOptions } from "./opus.ts";

/** The formats that {@link createAudioCodec} makes, in order of preference, mono. */
export const AUDIO_FORMAT_CHOICES = AUDIO_FORMATS.map(
  ({ name, clockRate, frameMs, payloadType, maxBytesPerSecond }) => ({
    name,
    clockRate,
    channels: 1 as const,
    frameMs,
    payloadType,
    // Opus fits itself to the packet; G.711 has one rate.
    ...(name === "opus" ? {} : { bytesPerMs: maxBytesPerSecond / 1000 }),
  }),
);

/** A codec for one stream of `format`; `options` are Opus's. Throws as `createOpusCodec` does. */
export async function createAudioCodec(
  format: AudioFormat,
  options: Pick<OpusOptions, "bitrate" | "expectedLoss">,
): Promise<AudioCodec> {
  if (format.name === "pcmu" || format.name === "pcma")
    return new G711Codec(format.name, format.frameSamples);
  const frameMs = (format.frameSamples * 1000) / format.clockRate;
  return await createOpusCodec({ ...options, channels: format.channels, frameMs: frameMs as OpusFrameMs });
}
