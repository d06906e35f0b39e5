import { AUDIO_FORMATS } from "../../codecs/audio-formats.ts";
import { DATA_FORMATS } from "../../codecs/data-formats.ts";
import { VIDEO_FORMATS } from "../../codecs/video-formats.ts";
import type { Capabilities } from "../negotiation.ts";

/** What the relay carries: any codec and data format it can name in a counter-proposal, in either profile. */
export const RELAY: Capabilities = {
  profiles: ["frame", "chain"],
  audio: {
    codecs: AUDIO_FORMATS.flatMap((format) =>
      format.channels.map((channels) => ({
        name: format.name,
        clockRate: format.rtpClockRate,
        channels,
        frameMs: format.frameMs,
      })),
    ),
    send: true,
    receive: true,
  },
  video: {
    codecs: VIDEO_FORMATS.map(({ name }) => ({ name, maxWidth: 8_192, maxHeight: 8_192, maxFrameRate: 240 })),
    send: true,
    receive: true,
  },
  data: { formats: DATA_FORMATS.map(({ name }) => name), send: true, receive: true },
};
