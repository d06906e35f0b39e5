import { checkpointDigest, encodeCheckpoint, MAX_CHECKPOINT_FRAMES } from "../codecs/checkpoint.ts";
import type { FrameProfile } from "../codecs/frame.ts";
import { type NtpTime, unixMsToNtp } from "../codecs/ntp.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import type { Signer } from "../codecs/signer.ts";

/** Longest a sent frame waits for its checkpoint, milliseconds. */
export const CHECKPOINT_INTERVAL = { frame: 10_000, chain: 1_000 } as const satisfies Record<
  FrameProfile,
  number
>;

export interface CheckpointerOptions {
  /** 32 bytes. */
  readonly sessionDigest: Uint8Array;
  /** The speaker's leg. */
  readonly leg: number;
  readonly stream: number;
  readonly keyGeneration: number;
  readonly signer: Signer;
  /** Of the frames. Default `frame`. */
  readonly profile?: FrameProfile;
  /** Sequence number of the first frame. */
  readonly startSequence: number;
  /** Where a chain that an earlier process began goes on: index of the next checkpoint, digest of the one before, media epoch. */
  readonly after?: { readonly index: number; readonly previous: Uint8Array; readonly epoch: number };
}

/**
 * The speaker's side of the checkpoints: collects the digest of every frame sent and signs a checkpoint over each
 * contiguous range, as long as `MAX_CHECKPOINT_FRAMES` and {@link CHECKPOINT_INTERVAL} allow in the profile. Returned checkpoints are whole items for the
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
  #profile: FrameProfile;

  constructor(options: CheckpointerOptions) {
    this.#options = options;
    this.#first = options.startSequence;
    this.#profile = options.profile ?? "frame";
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
    const isFull = this.#digests.length >= MAX_CHECKPOINT_FRAMES[this.#profile];
    return isFull ? this.#emit(false) : this.poll(now);
  }

  /** What follows is of this profile. Returns a checkpoint over what waits of the one before, if anything does. */
  useProfile(profile: FrameProfile): Uint8Array | undefined {
    const isOther = profile !== this.#profile && this.#digests.length > 0 && !this.#finished;
    const due = isOther ? this.#emit(false) : undefined;
    this.#profile = profile;
    return due;
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
    return this.#digests.length === 0 ? undefined : this.#openedAt + CHECKPOINT_INTERVAL[this.#profile];
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
