/** A turn begins when this much speech was heard, ms; what is shorter is a click. */
const ONSET_MS = 60;
/** A turn ends after this much quiet, ms: longer than the pauses inside a sentence. */
const HANGOVER_MS = 700;
/** Speech is this much above the noise floor to begin a turn, and to keep it going, dB. */
const BEGIN_ABOVE_DB = 12;
const KEEP_ABOVE_DB = 7;
/** Nothing below this is speech, dB of full scale. */
const QUIETEST_SPEECH_DB = -52;
/** Where the noise floor starts at most, and the least it is, dB. */
const FIRST_FLOOR_DB = -45;
const LEAST_FLOOR_DB = -75;
/** How fast the floor rises between turns and within one, dB a second; it falls by a third of the difference each frame. */
const RISE_DB = 8;
const RISE_IN_TURN_DB = 2;
const FALL_SHARE = 1 / 3;
/** Frames this quiet were not made by a microphone and tell nothing about the room, dB below full scale. */
const DIGITAL_SILENCE = 120;

/** What a frame changed. */
export type TurnChange = "begun" | "ended" | undefined;

/**
 * Tells from loudness alone when the other side began to speak and when it is done: energy above a noise floor that follows
 * the room, with an onset and a hangover. Give it every frame of the timeline, pauses included.
 */
export class TurnDetector {
  #floor: number | undefined;
  #speaking = false;
  /** Loud time less quiet time lately, while nobody speaks, ms. */
  #onset = 0;
  /** Quiet time since the last loud frame of the turn, ms. */
  #quiet = 0;

  /** Whether a turn is under way. */
  get speaking(): boolean {
    return this.#speaking;
  }

  /** Milliseconds of quiet at the end of the turn so far: not part of what was said. */
  get quiet(): number {
    return this.#quiet;
  }

  /**
   * One frame: its level in dB below full scale (0 loudest, 127 silence), its length in milliseconds, and whether the speaker
   * marked it as the end of its turn, which needs no hangover.
   */
  push(level: number, milliseconds: number, endOfTurn = false): TurnChange {
    const db = -level;
    if (level < DIGITAL_SILENCE) this.#follow(db, milliseconds);
    const floor = this.#floor ?? FIRST_FLOOR_DB;
    const above = this.#speaking ? KEEP_ABOVE_DB : BEGIN_ABOVE_DB;
    const isLoud = db > Math.max(floor + above, QUIETEST_SPEECH_DB);
    return this.#speaking
      ? this.#goOn(isLoud, milliseconds, endOfTurn)
      : this.#wait(isLoud, milliseconds, endOfTurn);
  }

  /** Forgets the turn under way; the noise floor stays. */
  reset(): void {
    this.#speaking = false;
    this.#onset = 0;
    this.#quiet = 0;
  }

  #wait(isLoud: boolean, milliseconds: number, endOfTurn: boolean): TurnChange {
    this.#onset = endOfTurn ? 0 : Math.max(0, this.#onset + (isLoud ? milliseconds : -milliseconds));
    if (this.#onset < ONSET_MS) return undefined;
    this.#speaking = true;
    this.#quiet = 0;
    return "begun";
  }

  #goOn(isLoud: boolean, milliseconds: number, endOfTurn: boolean): TurnChange {
    this.#quiet = isLoud ? 0 : this.#quiet + milliseconds;
    if (!endOfTurn && this.#quiet < HANGOVER_MS) return undefined;
    this.#speaking = false;
    this.#onset = 0;
    return "ended";
  }

  #follow(db: number, milliseconds: number): void {
    this.#floor ??= Math.min(db, FIRST_FLOOR_DB);
    const rise = ((this.#speaking ? RISE_IN_TURN_DB : RISE_DB) * milliseconds) / 1000;
    const next =
      db > this.#floor ? Math.min(db, this.#floor + rise) : this.#floor + (db - this.#floor) * FALL_SHARE;
    this.#floor = Math.max(LEAST_FLOOR_DB, next);
  }
}
