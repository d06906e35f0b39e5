interface HeardBase {
  /**
   * Interleaved PCM; yours to keep. One frame; a little more or less where the playout made it last longer or shorter, less where it was cut off. Each
   * piece begins where the one before ended.
   */
  readonly pcm: Int16Array;
  readonly clockRate: number;
  readonly channels: 1 | 2;
  /** Agent-ID of the other end: who signed, for verified frames. */
  readonly speaker: string;
  /** When its first sample leaves for the loudspeaker, Unix milliseconds on this machine's clock. */
  readonly playedAt: number;
  /** Samples per channel since playout began: where the frame stands in a recording of the call. */
  readonly position: number;
}

/** Where a frame was first said, as the one who plays it into this call signed it. `parley verify` can prove it, with that call's evidence. */
export interface HeardRecording {
  /** Digest of that session, 64 hex digits. */
  readonly sessionDigest: string;
  readonly stream: number;
  readonly sequence: number;
  /** When it was first captured, Unix milliseconds by the clock of who said it then. */
  readonly capturedAt: number;
}

/** A frame whose speaker's signature held. */
export interface HeardSpeech extends HeardBase {
  readonly kind: "speech";
  readonly verified: true;
  /** 48-bit sequence number. */
  readonly sequence: number;
  /**
   * Where the frame itself was lost or late: the sequence number of the one that carried it once more, by whose signature it holds.
   * Undefined for a frame that came itself.
   */
  readonly carriedBy: number | undefined;
  /** Where it is no present speech: the speaker plays a recording, and says of what. Undefined for present speech. */
  readonly recorded: HeardRecording | undefined;
  /** When its first sample was captured, Unix milliseconds, mapped to this machine's clock. */
  readonly capturedAt: number;
  /** Level that the speaker signed for it, dB below full scale: 0 loudest, 127 silence; undefined when it signed none. */
  readonly level: number | undefined;
  readonly startOfTurn: boolean;
  /** The speaker marked this frame as the end of its turn. */
  readonly endOfTurn: boolean;
}

/**
 * A frame made up in place of a lost or late one (`concealed`), noise in place of a speaker who is silent and sends nothing (`comfort`), or an
 * interval in which nobody speaks. Nobody signed it.
 */
export interface HeardFiller extends HeardBase {
  readonly kind: "concealed" | "comfort" | "silence";
  readonly verified: false;
}

/** One interval of what the other end said, as played. */
export type HeardAudio = HeardSpeech | HeardFiller;

/** What is particular to a piece. */
export type HeardPiece =
  | Omit<HeardSpeech, Exclude<keyof HeardBase, "pcm">>
  | Omit<HeardFiller, Exclude<keyof HeardBase, "pcm">>;
