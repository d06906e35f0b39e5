import type { CallAudioOptions } from "../../agent/call-options.ts";
import type { FrameProfile } from "../../codecs/frame.ts";
import type { Voice } from "./voice.ts";

/** How the sound of a call is coded, as `parley call` and `parley answer` are told. */
export interface AudioFlags {
  readonly codec?: readonly string[];
  readonly frameMs?: number;
  readonly channels?: 1 | 2;
  readonly bitrate?: number;
  readonly dtx?: true;
  readonly redundancy?: 0 | 1 | 2;
  readonly profile?: readonly FrameProfile[];
}

/** The attribution profiles that the flags allow, if they say so. */
export function profileOption({ profile }: AudioFlags): { readonly profile?: readonly FrameProfile[] } {
  return profile === undefined ? {} : { profile };
}

/** The audio options of a call: as the flags say, in a codec that takes the voice as it is. */
export function audioOptions(flags: AudioFlags, voice: Voice | undefined): CallAudioOptions {
  const { bitrate, channels, dtx, frameMs, redundancy } = flags;
  const codecs = flags.codec ?? voice?.codecs;
  return {
    ...(codecs === undefined ? {} : { codecs }),
    ...(frameMs === undefined ? {} : { frameMs }),
    ...(channels === undefined ? {} : { channels }),
    ...(bitrate === undefined ? {} : { bitrate }),
    ...(dtx === undefined ? {} : { dtx }),
    ...(redundancy === undefined ? {} : { redundancy }),
  };
}
