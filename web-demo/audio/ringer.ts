/** The sound of a call that comes in: two soft notes and a pause, again and again. */

/** One ring: when each note begins, s, and its pitch, Hz. */
const NOTES: readonly (readonly [at: number, hz: number])[] = [
  [0, 659.26],
  [0.28, 880],
];
const NOTE_S = 0.5;
const EVERY_MS = 2_500;
const LOUDNESS = 0.08;
/** How fast a note rises, and how fast all of it falls silent, s. */
const EDGE_S = 0.02;
/** What people do that lets a page make sound. */
const GESTURES = ["pointerup", "keyup"] as const;

/** Rings once people have touched the page: before that browsers keep it silent, and so does this. */
export class Ringer {
  #wasTouched = false;
  #isRinging = false;
  #silence: (() => void) | undefined;

  constructor() {
    for (const gesture of GESTURES)
      addEventListener(gesture, () => {
        this.#wasTouched = true;
        this.#sound();
      });
  }

  /** Rings from now on, or is silent at once. Idempotent. */
  ring(isRinging: boolean): void {
    this.#isRinging = isRinging;
    if (isRinging) {
      this.#sound();
      return;
    }
    this.#silence?.();
    this.#silence = undefined;
  }

  #sound(): void {
    if (!this.#wasTouched || !this.#isRinging || this.#silence !== undefined) return;
    const context = new AudioContext();
    const all = new GainNode(context, { gain: LOUDNESS });
    all.connect(context.destination);
    ringOnce(context, all);
    const timer = setInterval(() => ringOnce(context, all), EVERY_MS);
    this.#silence = () => {
      clearInterval(timer);
      all.gain.setTargetAtTime(0, context.currentTime, EDGE_S);
      setTimeout(() => void context.close(), 10 * EDGE_S * 1000);
    };
  }
}

function ringOnce(context: AudioContext, output: AudioNode): void {
  for (const [after, frequency] of NOTES) {
    const at = context.currentTime + after;
    const envelope = new GainNode(context, { gain: 0 });
    envelope.gain.setValueAtTime(0, at);
    envelope.gain.linearRampToValueAtTime(1, at + EDGE_S);
    envelope.gain.exponentialRampToValueAtTime(0.001, at + NOTE_S);
    const note = new OscillatorNode(context, { frequency });
    note.connect(envelope).connect(output);
    note.start(at);
    note.stop(at + NOTE_S);
  }
}
