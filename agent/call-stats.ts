import type { AudioReceiverCounters } from "./audio-receiver.ts";
import type { AudioSenderCounters } from "./audio-sender.ts";
import type { CallAudio } from "./call-audio.ts";
import type { CallMedia } from "./call-media.ts";

/** What a call counted at this end. */
export interface CallStats {
  /** What this end said; undefined when it only listens. */
  readonly sent: AudioSenderCounters | undefined;
  /** What this end heard; undefined until the first frame. */
  readonly heard: AudioReceiverCounters | undefined;
  /** Heard frames that no reader took in time. */
  readonly unread: number;
}

export function callStats(media: CallMedia, audio: CallAudio): CallStats {
  return { sent: media.sender?.counters, heard: media.receiver?.counters, unread: audio.unread };
}
