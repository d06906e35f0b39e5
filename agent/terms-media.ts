import type { Terms } from "../signaling/terms.ts";
import { settingOf } from "../signaling/terms-change.ts";
import type { AudioSender } from "./audio-sender.ts";

/** How this end sends its voice where nothing else was agreed. */
export interface OwnVoice {
  /** Bits of payload a second that the codec is run at. */
  readonly bitrate: number;
  readonly redundancy: 0 | 1 | 2;
}

/** What the codec of a voice is run at under terms, and how often each payload goes again: both within the agreed rate. */
function voiceUnder(terms: Terms, leg: 0 | 1, stream: number, own: OwnVoice): OwnVoice {
  const setting = settingOf(terms, leg, stream);
  const redundancy = setting?.redundancy ?? own.redundancy;
  const bitrate = setting?.bitrate_bps;
  return {
    redundancy,
    bitrate: bitrate === undefined ? own.bitrate : Math.floor(bitrate / (1 + redundancy)),
  };
}

/** Has a sender send as terms say. */
export function sendUnder(sender: AudioSender, terms: Terms, leg: 0 | 1, own: OwnVoice): void {
  const { bitrate, redundancy } = voiceUnder(terms, leg, sender.stream, own);
  sender.tune({ bitrate });
  sender.useRedundancy(redundancy);
}
