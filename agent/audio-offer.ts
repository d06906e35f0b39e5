import { ParleyError } from "../codecs/parley-error.ts";
import type { AudioOfferStream } from "../signaling/audio-stream.ts";
import type { AudioCapabilities } from "../signaling/negotiate-audio.ts";
import type { CallAudioOptions } from "./call-options.ts";
import type { AgentPlatform, AudioFormatChoice } from "./platform.ts";

/** Stream id of a call's audio. */
const AUDIO_STREAM = 1;
const DEFAULT_FRAME_MS = 20;
/** Of frames that carry the ones before them, whichever codec is agreed: the one that browsers take for it. */
const RED_PAYLOAD_TYPE = 63;

/** The audio stream a caller offers. Throws `field-invalid` when this machine has none of the codecs asked for. */
export function offerAudio(
  platform: AgentPlatform,
  options: CallAudioOptions,
  ssrc: number,
): AudioOfferStream {
  return {
    stream: AUDIO_STREAM,
    modality: "audio",
    direction: options.direction ?? "sendrecv",
    ssrc,
    codecs: chosenFormats(platform, options).map(({ name, clockRate, channels, frameMs, payloadType }) => ({
      name,
      clock_rate: clockRate,
      channels,
      frame_ms: frameMs,
      payload_type: payloadType,
      ...(options.redundancy === false ? {} : { red_payload_type: RED_PAYLOAD_TYPE }),
    })),
    ...(options.interruptible === false ? { interruptible: false } : {}),
  };
}

/** What a callee can take. */
export function audioCapabilities(platform: AgentPlatform, options: CallAudioOptions): AudioCapabilities {
  const direction = options.direction ?? "sendrecv";
  return {
    codecs: chosenFormats(platform, options),
    send: direction !== "recvonly",
    receive: direction !== "sendonly",
    redundancy: options.redundancy !== false,
    interruptible: options.interruptible !== false,
  };
}

function chosenFormats(platform: AgentPlatform, options: CallAudioOptions): AudioFormatChoice[] {
  const wanted = options.frameMs ?? DEFAULT_FRAME_MS;
  const names = options.codecs ?? [...new Set(platform.audioFormats.map(({ name }) => name))];
  const { channels: most = 1 } = options;
  const formats = names
    .flatMap((name) =>
      platform.audioFormats.filter((format) => format.name === name && format.channels <= most),
    )
    .sort((a, b) => b.channels - a.channels);
  if (formats.length === 0) {
    throw new ParleyError({
      code: "field-invalid",
      message: "None of these codecs is here.",
      at: "audio.codecs",
    });
  }
  return formats.map((format) => ({
    ...format,
    frameMs: [...format.frameMs].sort((a, b) => Math.abs(a - wanted) - Math.abs(b - wanted) || a - b),
  }));
}
