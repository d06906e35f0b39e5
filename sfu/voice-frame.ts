/** A frame of an encoded voice whose speaker's signature held. */
export interface VoiceFrame {
  /** As RTP carries it in one packet; yours to keep. */
  readonly payload: Uint8Array;
  /** 48 bits. One less than expected before it: something is missing, or overtook it. */
  readonly sequence: number;
  /** RTP timestamp, 32 bits, in the format's clock rate. */
  readonly timestamp: number;
  /** Media epoch that its speaker said it in. */
  readonly epoch: number;
  /** When its first sample was captured, Unix milliseconds, mapped to this machine's clock. */
  readonly capturedAt: number;
  /** Level that the speaker signed for it, dB below full scale: 0 loudest, 127 silence; undefined when it signed none. */
  readonly level: number | undefined;
  /** The speaker says that it is voice (RFC 6464). False without a level. */
  readonly voice: boolean;
  readonly startOfTurn: boolean;
}
