import { LoudnessDetector } from "./loudness-detector.ts";
import type { PcmFormat, TurnDetector } from "./turn-detector.ts";

/** What one frame of a writer says of turns. */
export interface TurnMarks {
  readonly startOfTurn: boolean;
  readonly endOfTurn: boolean;
  /** The voice bit of its audio level. */
  readonly voice: boolean;
}

/** Where turns begin and end in what is written: by the writer's word, or by a detector, for one that never stops writing. */
export class WrittenTurns {
  readonly #detector: TurnDetector | undefined;
  readonly #format: PcmFormat;

  constructor(detector: TurnDetector | "loudness" | undefined, format: PcmFormat) {
    this.#detector = detector === "loudness" ? new LoudnessDetector() : detector;
    this.#format = format;
  }

  /** One frame. `begins`: nothing was written before it, or not for a while; `ends`: the writer ended the turn. */
  frame(pcm: Int16Array, begins: boolean, ends: boolean): TurnMarks {
    if (this.#detector === undefined) return { startOfTurn: begins, endOfTurn: ends, voice: !ends };
    const change = this.#detector.pcm(pcm, this.#format, ends);
    const voice = this.#detector.speaking && !ends;
    return { startOfTurn: change === "begun" && !ends, endOfTurn: ends || change === "ended", voice };
  }

  /** The other end is heard, or is not any more: what a microphone picks up of it is no turn. */
  talkingOver(isHeard: boolean): void {
    this.#detector?.talkingOver(isHeard);
  }

  /** What was written is not said: a turn under way is over. */
  reset(): void {
    this.#detector?.reset();
  }
}
