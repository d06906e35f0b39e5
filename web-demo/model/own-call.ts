import {
  type CallState,
  type CallWay,
  type Notice,
  newCall,
  type Outcome,
  type PageState,
  withNotice,
} from "./page-state.ts";
import type { Store } from "./store.ts";
import { RECORDING_IS_FULL, type Recording } from "./wav.ts";

/**
 * One call in the page's state. What it still says after another call took its place, or it was put away, is dropped: answers
 * may be on their way for seconds.
 */
export class OwnCall {
  readonly #store: Store<PageState>;
  #mine: CallState;

  /** The call begins, in the place of the one before. */
  constructor(
    store: Store<PageState>,
    peer: { readonly agentId: string; readonly name: string },
    phase?: "calling" | "returning",
    way?: CallWay,
  ) {
    this.#store = store;
    this.#mine = newCall(peer.agentId, peer.name, phase, way);
    store.set({ call: this.#mine });
  }

  /** Where it stands, or stood when it was last shown. */
  get state(): CallState {
    return this.#mine;
  }

  /** Whether the page shows this call, and no other one. */
  get isShown(): boolean {
    return this.#store.state.call === this.#mine;
  }

  update(change: (call: CallState) => CallState): void {
    if (!this.isShown) return;
    this.#mine = change(this.#mine);
    this.#store.set({ call: this.#mine });
  }

  /** A sentence about the call, read aloud by screen readers. */
  notice(text: string, tone?: Notice["tone"]): void {
    this.update((state) => withNotice(state, text, tone));
  }

  /** The call could not be made or taken. */
  failed(outcome: Outcome): void {
    this.update((state) => ({ ...state, phase: "failed", outcome }));
  }

  /** People hang up. */
  ending(): void {
    this.update((state) => (state.phase === "up" ? { ...state, phase: "ending" } : state));
  }

  /** The call is over; so many seconds of it were recorded. */
  ended(outcome: Outcome, recordedSeconds: number): void {
    this.update((state) => ({ ...state, phase: "ended", until: Date.now(), outcome, recordedSeconds }));
  }

  /** The server will stop; `deadline` is when it ends the calls that are still up, Unix milliseconds. */
  serverStops(deadline: number | undefined): void {
    const until =
      deadline === undefined ? "" : ` This call can go on until ${new Date(deadline).toLocaleTimeString()}.`;
    if (this.#mine.phase === "up") this.notice(`The server is about to stop.${until}`, "warning");
  }

  /** What was heard is recorded so far. */
  recorded({ overflowed, seconds }: Pick<Recording, "overflowed" | "seconds">): void {
    if (overflowed && !this.#mine.recordingFull) {
      this.update((state) => ({ ...state, recordingFull: true }));
      this.notice(RECORDING_IS_FULL);
    }
    const recordedSeconds = Math.floor(seconds);
    if (recordedSeconds !== this.#mine.recordedSeconds)
      this.update((state) => ({ ...state, recordedSeconds }));
  }
}
