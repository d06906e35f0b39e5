/** Says from when on a voice is silent enough that its frames need not be sent. */
export class SilenceDetector {
  readonly #frameSeconds: number;
  /** Lowest levels of the present window and of the one before, dB, 0 is full scale: what goes on behind the voice. */
  #lowest = HIGHEST_FLOOR;
  #lowestBefore = HIGHEST_FLOOR;
  #windowSeconds = 0;
  #quietSeconds = 0;
  #noise = QUIETEST;

  constructor(frameSeconds: number) {
    this.#frameSeconds = frameSeconds;
  }

  /** Level of the noise while it is silent, 0 to 127 dB below full scale. */
  get noiseLevel(): number {
    return Math.round(-this.#noise);
  }

  /** Takes the next frame. True while nothing but noise is in it, and was in those before it for 200 ms. */
  isSilent(pcm: Int16Array): boolean {
    const level = powerOf(pcm);
    // What no microphone makes, padding for one, says nothing of the noise around it.
    if (level >= ALWAYS_QUIET) this.#follow(level);
    const floor = Math.min(this.#lowest, this.#lowestBefore);
    const isQuiet = level < ALWAYS_QUIET || level < floor + ABOVE_FLOOR;
    if (!isQuiet) {
      this.#quietSeconds = 0;
      return false;
    }
    const isFirst = this.#quietSeconds === 0;
    this.#noise = isFirst ? level : this.#noise + (level - this.#noise) * SMOOTHING;
    this.#quietSeconds += this.#frameSeconds;
    return this.#quietSeconds > HANGOVER;
  }

  #follow(level: number): void {
    this.#windowSeconds += this.#frameSeconds;
    if (this.#windowSeconds > WINDOW) {
      this.#windowSeconds = this.#frameSeconds;
      this.#lowestBefore = this.#lowest;
      this.#lowest = HIGHEST_FLOOR;
    }
    this.#lowest = Math.min(this.#lowest, level);
  }
}

/** Noise in place of a silence that is not sent: white, of one level. The same every time, like everything made up at the listener. */
export class ComfortNoise {
  #state = 0x2545f491;
  #amplitude = 0;

  /** `level`: dB below full scale, as RFC 3389 states it: 0 to 127. */
  set level(level: number) {
    // Samples spread evenly up to an amplitude have its square over three as their power.
    this.#amplitude = level >= -QUIETEST ? 0 : 32_768 * 10 ** (-level / 20) * Math.sqrt(3);
  }

  fill(pcm: Int16Array): void {
    for (let at = 0; at < pcm.length; at++) {
      this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) | 0;
      const sample = Math.round((this.#state / 2 ** 31) * this.#amplitude);
      pcm[at] = Math.min(32_767, Math.max(-32_768, sample));
    }
  }
}

/** dB, 0 is full scale. */
function powerOf(pcm: Int16Array): number {
  let energy = 0;
  for (const sample of pcm) energy += sample * sample;
  if (energy === 0) return QUIETEST;
  return Math.max(QUIETEST, 10 * Math.log10(energy / pcm.length / 32_768 ** 2));
}

const QUIETEST = -127;
/** Noise louder than this is not told from a voice: then everything is sent. */
const HIGHEST_FLOOR = -45;
/** Seconds: in two of these nobody speaks without a pause in which only the noise is heard. */
const WINDOW = 1;
const ABOVE_FLOOR = 5;
const ALWAYS_QUIET = -70;
const SMOOTHING = 0.2;
/** Seconds of quiet that are still sent: the end of a word is softer than the rest of it. */
const HANGOVER = 0.2;
