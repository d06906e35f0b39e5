/** The sound of calls: what this end speaks with, and the loudspeaker. */
import { type Loudspeaker, openLoudspeaker, ParleyError } from "@parley-rt/parley/agent";
import type { SoundLine } from "../audio/sound-line.ts";
import type { Voice } from "../audio/voice.ts";
import type { PageState, SourceKind } from "../model/page-state.ts";
import type { Store } from "../model/store.ts";

export class CallSound {
  readonly #store: Store<PageState>;
  readonly #report: (error: unknown) => void;
  #file: File | undefined;
  #line: SoundLine | undefined;
  #voice: Voice | undefined;
  #loudspeaker: Loudspeaker | undefined;
  /** Rises with every choice: what an earlier one still brings is stopped. */
  #turn = 0;

  constructor(store: Store<PageState>, report: (error: unknown) => void) {
    this.#store = store;
    this.#report = report;
  }

  /** Chooses what to speak with, now and in later calls. */
  choose(source: SourceKind, file?: File): void {
    if (file !== undefined) this.#file = file;
    this.#store.set({ source, fileName: this.#file?.name, sourceNotice: undefined });
    this.#speak();
  }

  /** A call is up: speaks into it, and plays it. */
  begin(line: SoundLine): void {
    this.#line = line;
    this.#speak();
    const { playedAt: clockRate } = line;
    if (clockRate === undefined) return;
    openLoudspeaker({ clockRate })
      .then(async (loudspeaker) => {
        if (line !== this.#line) {
          await loudspeaker.close();
          return;
        }
        this.#loudspeaker = loudspeaker;
        await loudspeaker.resume();
      })
      .catch(this.#report);
  }

  /** Plays what the other end said, in the order it comes, pauses included. */
  play(pcm: Int16Array): void {
    this.#loudspeaker?.play(pcm);
  }

  /** How much later than it comes sound is heard now, ms. */
  get delay(): number {
    return this.#loudspeaker?.stats.waiting ?? 0;
  }

  /** Stops what plays: it is not to be heard any more. */
  silence(): void {
    this.#loudspeaker?.flush().catch(this.#report);
  }

  /** The call is over. Idempotent. */
  end(): void {
    this.#line = undefined;
    this.#hush();
    this.#loudspeaker?.close().catch(this.#report);
    this.#loudspeaker = undefined;
  }

  #speak(): void {
    this.#hush();
    const { speak } = this.#line ?? {};
    if (speak === undefined) return;
    const turn = this.#turn;
    const { source } = this.#store.state;
    if (source === "file" && this.#file !== undefined) this.#store.set({ sourceNotice: undefined });
    const over = () => this.#store.set({ sourceNotice: "The file is over." });
    speak(source, this.#file, over)
      .then((voice) => {
        if (turn === this.#turn) this.#voice = voice;
        else voice.stop();
      })
      .catch((error: unknown) => {
        if (turn === this.#turn) this.#fallBack(error);
      });
  }

  #hush(): void {
    this.#turn += 1;
    this.#voice?.stop();
    this.#voice = undefined;
  }

  /** Without the chosen source the call goes on with a tone, and the page says why. */
  #fallBack(error: unknown): void {
    const { source } = this.#store.state;
    if (source === "tone") {
      this.#report(error);
      return;
    }
    const isRefused = error instanceof ParleyError && error.code === "microphone-refused";
    const microphone = isRefused ? "The microphone was not allowed" : "No microphone was found";
    const why = source === "file" ? "This browser cannot read that file" : microphone;
    this.#store.set({ source: "tone", sourceNotice: `${why}, so a tone speaks for you.` });
    this.#speak();
  }
}
