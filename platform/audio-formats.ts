import type { AudioCodec, AudioFormat } from "../codecs/audio-codec.ts";
import { AUDIO_FORMATS } from "../codecs/audio-formats.ts";
import { G711Codec } from "../codecs/g711.ts";
import { G722Codec } from "../codecs/g722.ts";
import type { OpusFrameMs, OpusOptions } from "./opus.ts";

/** The formats that there are codecs for, in order of preference, those of one channel before those of two. */
export const AUDIO_FORMAT_CHOICES = ([1, 2] as const).flatMap((channels) =>
  AUDIO_FORMATS.filter((format) => format.channels.includes(channels)).map(
    ({ name, rtpClockRate, frameMs, payloadType, maxBytesPerSecond }) => ({
      name,
      clockRate: rtpClockRate,
      channels,
      frameMs,
      // Both may be offered at once. Only Opus has two channels, and the next dynamic type is free.
      payloadType: channels === 1 ? payloadType : payloadType + 1,
      // Opus fits itself to the packet; the others have one rate.
      ...(name === "opus" ? {} : { bytesPerMs: maxBytesPerSecond / 1000 }),
    }),
  ),
);

/** Makes a codec for one stream of a format. */
export type CreateAudioCodec = (
  format: AudioFormat,
  options: Pick<OpusOptions, "bitrate" | "expectedLoss" | "dtx">,
) => Promise<AudioCodec>;

/** Makes codecs of all formats, those of Opus by `createOpus`. */
export function codecMaker(createOpus: (options: OpusOptions) => Promise<AudioCodec>): CreateAudioCodec {
  return async (format, options) => {
    if (format.name === "opus") {
      const frameMs = (format.frameSamples * 1000) / format.clockRate;
      return await createOpus({ ...options, channels: format.channels, frameMs: frameMs as OpusFrameMs });
    }
    const { dtx = false } = options;
    const codec =
      format.name === "g722"
        ? new G722Codec(format.frameSamples)
        : new G711Codec(format.name === "pcmu" ? "pcmu" : "pcma", format.frameSamples);
    codec.tune({ dtx });
    return codec;
  };
}
