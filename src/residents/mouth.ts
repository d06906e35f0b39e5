import type { Call } from "../../agent/call.ts";
import type { Clock } from "../../codecs/clock.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import type { Utterance } from "./utterance.ts";

/** Sound handed over at once, ms: what an interruption leaves unsaid is told by pieces of this length. */
const PIECE_MS = 100;
/** After speaking, what comes back from a loudspeaker is not taken for the other side, ms. */
const RING_DOWN_MS = 300;

/** How a resident speaks in one call: one utterance at a time. */
export class Mouth {
  readonly #call: Call;
  readonly #clock: Clock;
  readonly #report: (error: unknown) => void;
  #said: Promise<void> = Promise.resolve();
  #utterances = 0;
  #speaking = 0;

  constructor(call: Call, clock: Clock, report: (error: unknown) => void) {
    this.#call = call;
    this.#clock = clock;
    this.#report = report;
  }

  /** From the beginning of an utterance until its sound has died away at the other end. */
  get speaking(): boolean {
    return this.#speaking > 0;
  }

  /** Utterances begun and not yet over. */
  get waiting(): number {
    return this.#speaking;
  }

  /** Leaves unsaid what is being said and what waits. */
  stop(): void {
    this.#utterances += 1;
  }

  /** Says something in the call's format after a pause, ms, and after what it was told to say before. */
  begin(what: Utterance, pause: number): void {
    const utterance = this.#utterances;
    this.#speaking += 1;
    this.#said = this.#said
      .then(() => this.#say(what, pause, () => utterance === this.#utterances))
      .catch((error: unknown) => {
        // The call may end in the middle of a word.
        if (!(error instanceof ParleyError) || error.code !== "closed") this.#report(error);
      })
      .finally(() => {
        this.#speaking -= 1;
      });
  }

  async #say(what: Utterance, pause: number, goesOn: () => boolean): Promise<void> {
    const { sends } = this.#call.audio;
    if (sends === undefined || what.length === 0) return;
    await this.#wait(pause);
    const piece = Math.round((sends.clockRate * PIECE_MS) / 1000) * sends.channels;
    for (let at = 0; at < what.length && goesOn(); at += piece)
      await this.#call.audio.write(what.piece(at, at + piece));
    if (!goesOn()) return;
    await this.#call.audio.endTurn();
    await this.#wait(RING_DOWN_MS);
  }

  #wait(milliseconds: number): Promise<void> {
    return new Promise((resolve) => this.#clock.at(this.#clock.now() + milliseconds, resolve));
  }
}
