import { codecMaker } from "./audio-formats.ts";
import { createOpusCodec } from "./opus.ts";

export { AUDIO_FORMAT_CHOICES } from "./audio-formats.ts";

/** A codec for one stream of a format; bitrate and expected loss are Opus's. Throws as `createOpusCodec` does. */
export const createAudioCodec = codecMaker(createOpusCodec);
