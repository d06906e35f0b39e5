/** What a call is spoken into, and how it is heard. */
import type { SourceKind } from "../model/page-state.ts";
import type { Voice } from "./voice.ts";

export interface SoundLine {
  /** Speaks with a source from now on; undefined where nothing may be said. `over`: a file has been spoken. Rejects where the source cannot be had. */
  readonly speak:
    | ((source: SourceKind, file: File | undefined, over: () => void) => Promise<Voice>)
    | undefined;
  /** Hz of the sound that is given to be played; undefined where the browser plays it by itself, or nothing is heard. */
  readonly playedAt: number | undefined;
}
