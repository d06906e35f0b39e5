import { ParleyError } from "../codecs/parley-error.ts";
import type { CheckedSession } from "../signaling/peer-check.ts";
import type { PauseNotice } from "../signaling/session-notice.ts";
import { isInterruptible, type Terms } from "../signaling/terms.ts";
import type { CallMedia } from "./call-media.ts";

export interface VoicePauseOptions {
  readonly session: CheckedSession;
  readonly media: Pick<CallMedia, "voice">;
  /** In force. */
  readonly terms: { readonly present: Pick<Terms, "streams"> };
  /** Tells the other end. */
  readonly tell: (notice: PauseNotice) => Promise<void>;
  readonly report: (error: unknown) => void;
}

/**
 * The first of the two steps of an interruption: the listener stops playing, the speaker stops sending, and nothing is thrown away. An
 * interrupt then ends the turn, or `resume` takes the false interruption back. Nobody signs it: it only delays, for 2 s at most.
 */
export class VoicePause {
  readonly #options: VoicePauseOptions;

  constructor(options: VoicePauseOptions) {
    this.#options = options;
  }

  /** The other end plays nothing of what this one says for a moment, or goes on. */
  told({ event, stream }: PauseNotice): void {
    const { session, media, terms } = this.#options;
    const sender = media.voice(stream)?.sender;
    if (sender === undefined || !isInterruptible(terms.present, stream, session.leg)) return;
    if (event === "pause") sender.pause("paused");
    else sender.goOn("paused");
  }

  /** Plays nothing of a voice for a moment, and has its speaker wait; or goes on. Throws as `CallAudio.pause`. */
  set(stream: number, isPaused: boolean): void {
    const { session, media, terms, tell, report } = this.#options;
    const receiver = media.voice(stream)?.receiver;
    if (receiver === undefined) {
      throw new ParleyError({ code: "field-invalid", message: "This end of the call does not hear audio." });
    }
    if (isPaused && !isInterruptible(terms.present, stream, 1 - session.leg)) {
      throw new ParleyError({
        code: "interrupt-forbidden",
        message: "The speaker of this stream signed that it is not to be interrupted.",
      });
    }
    if (isPaused) receiver.pause();
    else receiver.resume();
    tell({ event: isPaused ? "pause" : "resume", stream }).catch((error: unknown) => {
      // What the speaker is not told only waits here.
      if (!(error instanceof ParleyError)) report(error);
    });
  }
}
