import type { Clock } from "../codecs/clock.ts";
import { encodeHex } from "../codecs/hex.ts";
import { ntpToUnixMs } from "../codecs/ntp.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import { parseReceipt, type Receipt, verifyReceipt } from "../codecs/receipt.ts";
import type { Verifier } from "../codecs/signer.ts";
import type { CheckedSession } from "../signaling/peer-check.ts";
import type { SessionNotice } from "../signaling/session-notice.ts";
import type { CallMedia } from "./call-media.ts";
import { unwrap } from "./unwrap.ts";

/** How far this end was heard, as the other end signed it. */
export interface HeardPosition {
  readonly stream: number;
  /** Media epoch of what was heard last. */
  readonly epoch: number;
  /** The last frame of which something was heard. */
  readonly sequence: number;
  /** How many of its samples, per channel. */
  readonly samples: number;
  /**
   * Milliseconds of its turn that had been said where hearing has come to: what was written since the turn before ended, as far as it was heard.
   * Undefined for a frame of another process, or of more than a minute ago.
   */
  readonly playedMs: number | undefined;
  /** When the last of it was heard, Unix milliseconds by the other end's clock. */
  readonly at: number;
}

export interface CallHeardOptions {
  readonly session: CheckedSession;
  readonly media: Pick<CallMedia, "voice">;
  readonly verifier: Verifier;
  readonly clock: Clock;
  /** As `CallNotices.tell`. */
  readonly tell: (notice: SessionNotice) => Promise<void>;
  /** The other end's media key of that generation; undefined for one that is not known. */
  readonly peerKey: (generation: number) => Uint8Array | undefined;
  readonly heard: (position: HeardPosition) => void;
  readonly report: (error: unknown) => void;
}

/** How long the other end has to say how far it heard, ms. */
const ANSWER_MS = 5_000;

/** What is known of one voice. */
interface HeardVoice {
  last: HeardPosition | undefined;
  /** Index of the newest receipt. */
  newest: number;
  waiting: ((position: HeardPosition | undefined) => void)[];
}

/** What the other end signs of how far it heard this one, and what this one signs when it is asked. */
export class CallHeard {
  readonly #options: CallHeardOptions;
  readonly #voices = new Map<number, HeardVoice>();

  constructor(options: CallHeardOptions) {
    this.#options = options;
  }

  /** The other end asks how far it was heard on a voice: that is signed at once. */
  state(stream: number): void {
    this.#options.media.voice(stream)?.receiver?.stateHeard();
  }

  /**
   * Asks the other end. Resolves with what its next receipt says: undefined where it has heard nothing. Throws `field-invalid` when this end
   * does not send audio, `request-timeout` when no receipt comes in 5 s, and what `Call.notify` throws.
   */
  async ask(stream: number): Promise<HeardPosition | undefined> {
    const { clock, media, tell } = this.#options;
    if (media.voice(stream)?.sender === undefined) {
      throw new ParleyError({ code: "field-invalid", message: "This end of the call does not send audio." });
    }
    const voice = this.#voiceOf(stream);
    const { promise, resolve, reject } = Promise.withResolvers<HeardPosition | undefined>();
    voice.waiting.push(resolve);
    const cancel = clock.at(clock.now() + ANSWER_MS, () => {
      reject(
        new ParleyError({ code: "request-timeout", message: "The other end did not say how far it heard." }),
      );
    });
    try {
      tell({ event: "heard-position", stream }).catch(reject);
      return await promise;
    } finally {
      cancel();
      voice.waiting = voice.waiting.filter((one) => one !== resolve);
    }
  }

  /** A voice is closed. */
  forget(stream: number): void {
    this.#voices.delete(stream);
  }

  /** A receipt that the server hands on beside what is said on a voice. Of one that is closed nobody asks any more. */
  arrived(bytes: Uint8Array, stream: number): void {
    if (this.#options.media.voice(stream) === undefined) return;
    try {
      this.#take(this.#checked(bytes, stream));
    } catch (error) {
      this.#options.report(error);
    }
  }

  #voiceOf(stream: number): HeardVoice {
    const known = this.#voices.get(stream) ?? { last: undefined, newest: -1, waiting: [] };
    this.#voices.set(stream, known);
    return known;
  }

  #checked(bytes: Uint8Array, stream: number): Receipt {
    const { session, peerKey, verifier } = this.#options;
    const receipt = unwrap(parseReceipt(bytes));
    const isHere =
      encodeHex(receipt.sessionDigest) === encodeHex(session.sessionDigest) &&
      receipt.listenerLeg === 1 - session.leg &&
      receipt.speakerLeg === session.leg &&
      receipt.stream === stream;
    const key = peerKey(receipt.keyGeneration);
    if (isHere && key !== undefined && verifyReceipt(bytes, key, verifier)) return receipt;
    throw new ParleyError({ code: "signature-invalid", message: "The other end did not sign this receipt." });
  }

  #take({ index, played, stream }: Receipt): void {
    const sender = this.#options.media.voice(stream)?.sender;
    const voice = this.#voiceOf(stream);
    // One that was sent again over another connection says nothing new.
    if (index <= voice.newest) return;
    voice.newest = index;
    if (played !== undefined && sender?.mayBeHeard(played) === false) {
      throw new ParleyError({
        code: "field-invalid",
        message: "The other end signed that it heard what was never said.",
        at: "receipt.played",
      });
    }
    const waiting = voice.waiting.splice(0);
    if (played !== undefined) {
      const { epoch, sequence, samples, time } = played;
      const playedMs = sender?.saidBy(sequence, samples);
      const at = ntpToUnixMs(time.seconds, time.fraction);
      voice.last = { stream, epoch, sequence, samples, playedMs, at };
      this.#options.heard(voice.last);
    }
    for (const resolve of waiting) resolve(voice.last);
  }
}
