import { ParleyError } from "../codecs/parley-error.ts";
import type { SessionNotice } from "../signaling/session-notice.ts";

/** Pause before the server is told again that would not listen yet, ms. */
const AGAIN_MS = 500;

export interface StreamStatesOptions {
  /** As `CallNotices.tell`. */
  readonly tell: (notice: SessionNotice) => Promise<void>;
  readonly pause: (ms: number) => Promise<void>;
  readonly isOver: () => boolean;
  readonly report: (error: unknown) => void;
}

/** Whether a stream is muted, or held; which rendition of a video is shown. */
type State = boolean | number;

interface Told {
  wanted: State;
  /** What the server has on record; undefined where it is not known to have anything. */
  known: State | undefined;
  isTelling: boolean;
  readonly notice: (state: State) => SessionNotice;
}

/** What this end says of its streams, muted and held, and of the renditions that it is shown, as the server and the other end know it: of several changes in a row the last is told. */
export class StreamStates {
  readonly #options: StreamStatesOptions;
  readonly #states = new Map<string, Told>();

  constructor(options: StreamStatesOptions) {
    this.#options = options;
  }

  mute(stream: number, muted: boolean): void {
    this.#want(`muted ${stream}`, muted, (is) => ({ event: "stream-muted", stream, muted: is === true }));
  }

  hold(stream: number, held: boolean): void {
    this.#want(`held ${stream}`, held, (is) => ({ event: "stream-held", stream, held: is === true }));
  }

  /** `undefined`: the video is over. */
  show(source: number, rendition: number | undefined): void {
    const key = `shown ${source}`;
    if (rendition === undefined) this.#states.delete(key);
    else this.#want(key, rendition, (shown) => ({ event: "rendition", source, rendition: Number(shown) }));
  }

  /** The stream is over. */
  forget(stream: number): void {
    for (const key of [`muted ${stream}`, `held ${stream}`]) this.#states.delete(key);
  }

  /** Another process of the server may have the session: it is told what holds. */
  again(): void {
    for (const [key, state] of this.#states) {
      state.known = undefined;
      if (state.wanted) void this.#tell(key);
    }
  }

  #want(key: string, wanted: State, notice: Told["notice"]): void {
    const state = this.#states.get(key) ?? { wanted, known: false, isTelling: false, notice };
    state.wanted = wanted;
    this.#states.set(key, state);
    void this.#tell(key);
  }

  async #tell(key: string): Promise<void> {
    const { tell, pause, isOver, report } = this.#options;
    const state = this.#states.get(key);
    if (state === undefined || state.isTelling) return;
    state.isTelling = true;
    while (state.known !== state.wanted && this.#states.get(key) === state && !isOver()) {
      const { wanted } = state;
      try {
        await tell(state.notice(wanted));
        state.known = wanted;
      } catch (error) {
        if (!(error instanceof ParleyError)) report(error);
        if (!(error instanceof ParleyError) || !PASSING.has(error.code)) break;
        await pause(AGAIN_MS);
      }
    }
    state.isTelling = false;
  }
}

/** What telling fails with that may pass. */
const PASSING: ReadonlySet<string> = new Set([
  ...["rate-limited", "connection-lost", "request-timeout", "offline", "closed", "session-state-conflict"],
]);
