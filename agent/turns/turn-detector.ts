/** What a piece of sound changed. */
export type TurnChange = "begun" | "ended" | undefined;

/** What PCM is. */
export interface PcmFormat {
  /** Hz. */
  readonly clockRate: number;
  readonly channels: number;
}

/**
 * Tells when somebody begins to speak and when they are done. Give it every piece of the timeline, pauses included, in order. Another one
 * than `LoudnessDetector` takes its place where the application has a better one.
 */
export interface TurnDetector {
  /** Whether a turn is under way. */
  readonly speaking: boolean;
  /** Milliseconds of quiet at the end of the turn so far: not part of what was said. */
  readonly quiet: number;
  /** One piece of interleaved PCM, 5 to 60 ms; `endOfTurn`: its speaker marked it as the end of a turn, which needs no hangover. */
  pcm(piece: Int16Array, format: PcmFormat, endOfTurn?: boolean): TurnChange;
  /** This end itself speaks now, or does not: what comes out of its loudspeaker is not to be taken for the other's turn. */
  talkingOver(isSpeaking: boolean): void;
  /** Forgets the turn under way. */
  reset(): void;
}
