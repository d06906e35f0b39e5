import { audioLevel } from "../audio-level.ts";
import type { PcmFormat, TurnChange, TurnDetector } from "./turn-detector.ts";

/** What it takes to begin a turn. */
interface Onset {
  /** This much speech, ms; what is shorter is a click. */
  readonly speechMs: number;
  /** Above the noise floor, dB. */
  readonly aboveDb: number;
}

/** While this end listens, and while it speaks itself: what is said over its own voice has to be meant. */
const LISTENING: Onset = { speechMs: 60, aboveDb: 12 };
const TALKING: Onset = { speechMs: 200, aboveDb: 18 };
/** A turn ends after this much quiet, ms: longer than the pauses inside a sentence. */
const HANGOVER_MS = 700;
/** Speech is this much above the noise floor to keep a turn going, dB. */
const KEEP_ABOVE_DB = 7;
/** No turn begins in sound that changes its sign more often than this share of the samples: hiss. */
const HISS_CROSSINGS = 0.3;
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

/**
 * Tells turns by loudness: energy above a noise floor that follows the room, with an onset and a hangover; hiss begins none. Needs no model.
 * Of speech that is 20 dB above the room a turn is noticed within 200 ms of its first loud sound.
 */
export class LoudnessDetector implements TurnDetector {
  readonly #hangover: number;
  #onsetNeeded = LISTENING;
  #floor: number | undefined;
  #speaking = false;
  /** Loud time less quiet time lately, while nobody speaks, ms. */
  #onset = 0;
  /** Quiet time since the last loud frame of the turn, ms. */
  #quiet = 0;

  /** `hangoverMs`: a turn ends after this much quiet. Default 700. */
  constructor(options: { readonly hangoverMs?: number } = {}) {
    this.#hangover = options.hangoverMs ?? HANGOVER_MS;
  }

  /** Whether a turn is under way. */
  get speaking(): boolean {
    return this.#speaking;
  }

  /** Milliseconds of quiet at the end of the turn so far: not part of what was said. */
  get quiet(): number {
    return this.#quiet;
  }

  pcm(piece: Int16Array, { clockRate, channels }: PcmFormat, endOfTurn = false): TurnChange {
    const milliseconds = (piece.length / channels / clockRate) * 1000;
    const isHiss = !this.#speaking && crossings(piece, channels) > HISS_CROSSINGS;
    return this.push(audioLevel(piece), milliseconds, endOfTurn, isHiss);
  }

  talkingOver(isSpeaking: boolean): void {
    this.#onsetNeeded = isSpeaking ? TALKING : LISTENING;
  }

  /**
   * One frame: its level in dB below full scale (0 loudest, 127 silence), its length in milliseconds, and whether the speaker
   * marked it as the end of its turn, which needs no hangover. `isHiss`: it begins none, however loud.
   */
  push(level: number, milliseconds: number, endOfTurn = false, isHiss = false): TurnChange {
    const db = -level;
    if (level < DIGITAL_SILENCE) this.#follow(db, milliseconds);
    const floor = this.#floor ?? FIRST_FLOOR_DB;
    const above = this.#speaking ? KEEP_ABOVE_DB : this.#onsetNeeded.aboveDb;
    const isLoud = !isHiss && db > Math.max(floor + above, QUIETEST_SPEECH_DB);
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
    if (this.#onset < this.#onsetNeeded.speechMs) return undefined;
    this.#speaking = true;
    this.#quiet = 0;
    return "begun";
  }

  #goOn(isLoud: boolean, milliseconds: number, endOfTurn: boolean): TurnChange {
    this.#quiet = isLoud ? 0 : this.#quiet + milliseconds;
    if (!endOfTurn && this.#quiet < this.#hangover) return undefined;
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

/** Share of the samples of the first channel that have another sign than the one before. */
function crossings(piece: Int16Array, channels: number): number {
  let count = 0;
  for (let at = channels; at < piece.length; at += channels) {
    if ((piece[at] as number) >= 0 !== (piece[at - channels] as number) >= 0) count += 1;
  }
  return (count * channels) / Math.max(1, piece.length);
}
