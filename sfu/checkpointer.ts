import { checkpointDigest, encodeCheckpoint, MAX_CHECKPOINT_FRAMES } from "../codecs/checkpoint.ts";
import { type NtpTime, unixMsToNtp } from "../codecs/ntp.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import type { Signer } from "../codecs/signer.ts";

/** Longest a sent frame waits for its checkpoint in profile `frame`, milliseconds. */
export const CHECKPOINT_INTERVAL = 10_000;

export interface CheckpointerOptions {
  /** 32 bytes. */
  readonly sessionDigest: Uint8Array;
  /** The speaker's leg. */
  readonly leg: number;
  readonly stream: number;
  readonly keyGeneration: number;
  readonly signer: Signer;
  /** Sequence number of the first frame. */
  readonly startSequence: number;
  /** Where a chain that an earlier process began goes on: index of the next checkpoint, digest of the one before, media epoch. */
  readonly after?: { readonly index: number; readonly previous: Uint8Array; readonly epoch: number };
}

/**
 * The speaker's side of the checkpoints: collects the digest of every frame sent and signs a checkpoint over each
 * contiguous range of at most 500 frames or {@link CHECKPOINT_INTERVAL}. Returned checkpoints are whole items for the
 * stream's checkpoint flow, to be sent in order. Holds at most one checkpoint's digests.
 */
export class Checkpointer {
  readonly #options: CheckpointerOptions;
  #digests: Uint8Array[] = [];
  #first: number;
  #firstCapture: NtpTime = { seconds: 0, fraction: 0 };
  #lastCapture: NtpTime = { seconds: 0, fraction: 0 };
  #openedAt = 0;
  #index = 0;
  #previous: Uint8Array = new Uint8Array(32);
  #total = 0;
  #finished = false;
  #epoch = 0;

  constructor(options: CheckpointerOptions) {
    this.#options = options;
    this.#first = options.startSequence;
    const { after } = options;
    if (after === undefined) return;
    this.#index = after.index;
    this.#previous = after.previous;
    this.#epoch = after.epoch;
  }

  /**
   * Takes the next frame sent: its sequence number, capture time (Unix milliseconds) and 16-byte digest. `now` is
   * monotonic. Returns a checkpoint when this frame fills one. Throws `closed` after `finish`, `field-invalid` when the
   * sequence has a gap.
   */
  add(sequence: number, captured: number, digest: Uint8Array, now: number): Uint8Array | undefined {
    if (this.#finished) throw new ParleyError({ code: "closed", message: "the final checkpoint was made" });
    if (sequence !== this.#first + this.#digests.length) {
      throw new ParleyError({
        code: "field-invalid",
        message: "frames must follow each other",
        at: "sequence",
      });
    }
    this.#lastCapture = unixMsToNtp(captured);
    if (this.#digests.length === 0) {
      this.#firstCapture = this.#lastCapture;
      this.#openedAt = now;
    }
    this.#digests.push(digest);
    return this.#digests.length >= MAX_CHECKPOINT_FRAMES.frame ? this.#emit(false) : undefined;
  }

  /** What follows is of this media epoch. Returns a checkpoint over what waits of the one before, if anything does. */
  beginEpoch(epoch: number): Uint8Array | undefined {
    const due = this.#digests.length === 0 || this.#finished ? undefined : this.#emit(false);
    this.#epoch = epoch;
    return due;
  }

  /** A checkpoint, when frames have waited for one long enough. */
  poll(now: number): Uint8Array | undefined {
    const due = this.nextTimeout();
    return due === undefined || now < due ? undefined : this.#emit(false);
  }

  /** When `poll` has one next, if no more frames come. */
  nextTimeout(): number | undefined {
    return this.#digests.length === 0 ? undefined : this.#openedAt + CHECKPOINT_INTERVAL;
  }

  /** The last checkpoint, over what is left, marked final. Throws `closed` the second time. */
  finish(): Uint8Array {
    if (this.#finished) throw new ParleyError({ code: "closed", message: "the final checkpoint was made" });
    this.#finished = true;
    if (this.#digests.length === 0) this.#firstCapture = this.#lastCapture;
    return this.#emit(true);
  }

  #emit(final: boolean): Uint8Array {
    const { sessionDigest, leg, stream, keyGeneration, signer } = this.#options;
    const count = this.#digests.length;
    this.#total += count;
    const bytes = encodeCheckpoint(
      {
        sessionDigest,
        leg,
        stream,
        keyGeneration,
        final,
        index: this.#index,
        previous: this.#previous,
        firstSequence: this.#first,
        digests: this.#digests,
        firstCapture: this.#firstCapture,
        lastCapture: this.#lastCapture,
        epoch: this.#epoch,
        totalFrames: this.#total,
      },
      signer,
    );
    this.#index++;
    this.#previous = checkpointDigest(bytes);
    this.#first += count;
    this.#digests = [];
    return bytes;
  }
}
