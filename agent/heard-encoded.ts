import type { VoiceFrame } from "../sfu/voice-frame.ts";

/** A frame of an encoded voice whose speaker's signature held, as its listener has it. */
export interface HeardEncoded extends VoiceFrame {
  /** The speaker marked this frame as the end of its turn. */
  readonly endOfTurn: boolean;
  /** Where the frame itself was lost or late: the sequence number of the one that carried it once more, by whose signature it holds. */
  readonly carriedBy: number | undefined;
  /** It is no present speech: the speaker plays a recording. */
  readonly recorded: boolean;
  /** Agent-ID of who signed it. */
  readonly speaker: string;
}
