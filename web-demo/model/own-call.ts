import { type CallState, type CallWay, newCall, type PageState } from "./page-state.ts";
import type { Store } from "./store.ts";

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
}
