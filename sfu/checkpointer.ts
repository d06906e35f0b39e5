import { checkpointDigest, encodeCheckpoint, MAX_CHECKPOINT_FRAMES } from "../codecs/checkpoint.ts";
import type { FrameProfile } from "../codecs/frame.ts";
import { type NtpTime, unixMsToNtp } from "../codecs/ntp.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import type { Signer } from "../codecs/signer.ts";

/** Longest a sent frame waits for its checkpoint, milliseconds; what waited when the way became thin, up to twice that. */
export const CHECKPOINT_INTERVAL = { frame: 10_000, chain: 1_000 } as const satisfies Record<
  FrameProfile,
  number
>;
/** Frames of profile `frame` in a checkpoint where the way is thin: 1 KB a second, which a voice beside it does not wait for. */
const SMALL_FRAMES = 50;
/** Frames of which no small one was made yet, when the way became thin: one more goes with so many new ones, or in so many milliseconds. */
const CATCH_UP_FRAMES = 25;
const CATCH_UP_MS = 1_000;

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
 * contiguous range, as long as `MAX_CHECKPOINT_FRAMES` and {@link CHECKPOINT_INTERVAL} allow in the profile, shorter where the way is thin. Returned checkpoints are whole items for the
 * stream's checkpoint flow, to be sent in order. Holds at most one checkpoint's digests.
 */
export class Checkpointer {
  readonly #options: CheckpointerOptions;
  readonly #digests: Uint8Array[] = [];
  /** Capture times of the same frames, Unix milliseconds. */
  readonly #captured: number[] = [];
  #first: number;
  #lastCapture: NtpTime = { seconds: 0, fraction: 0 };
  #openedAt = 0;
  #index = 0;
  #previous: Uint8Array = new Uint8Array(32);
  #total = 0;
  #finished = false;
  #epoch = 0;
  #profile: FrameProfile;
  #isSmall = false;

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
    if (this.#digests.length === 0) this.#openedAt = now;
    this.#digests.push(digest);
    this.#captured.push(captured);
    const excess = this.#digests.length - this.#most;
    if (excess < 0) return this.poll(now);
    return excess % CATCH_UP_FRAMES === 0 ? this.#emitSome(now) : undefined;
  }

  /** The way is too thin for a large checkpoint at once: more and smaller ones from now on, or not any more. Those of profile `chain` are small anyway. */
  keepSmall(isSmall: boolean): void {
    this.#isSmall = isSmall;
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
    return due === undefined || now < due ? undefined : this.#emitSome(now);
  }

  /** When `poll` has one next, if no more frames come. */
  nextTimeout(): number | undefined {
    return this.#digests.length === 0 ? undefined : this.#openedAt + CHECKPOINT_INTERVAL[this.#profile];
  }

  /** The last checkpoint, over what is left, marked final. Throws `closed` the second time. */
  finish(): Uint8Array {
    if (this.#finished) throw new ParleyError({ code: "closed", message: "the final checkpoint was made" });
    this.#finished = true;
    return this.#emit(true);
  }

  /** Frames that a checkpoint is made of while there is a choice. */
  get #most(): number {
    return this.#isSmall && this.#profile === "frame" ? SMALL_FRAMES : MAX_CHECKPOINT_FRAMES[this.#profile];
  }

  /** A checkpoint over as many as it is to have; where some stay behind, theirs comes after a while. */
  #emitSome(now: number): Uint8Array {
    const made = this.#emit(false, this.#most);
    this.#openedAt = Math.max(this.#openedAt, now - CHECKPOINT_INTERVAL[this.#profile] + CATCH_UP_MS);
    return made;
  }

  #emit(final: boolean, most: number = MAX_CHECKPOINT_FRAMES.frame): Uint8Array {
    const { sessionDigest, leg, stream, keyGeneration, signer } = this.#options;
    const digests = this.#digests.splice(0, most);
    const captured = this.#captured.splice(0, most).map(unixMsToNtp);
    const count = digests.length;
    const firstCapture = captured[0] ?? this.#lastCapture;
    this.#lastCapture = captured.at(-1) ?? this.#lastCapture;
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
        digests,
        firstCapture,
        lastCapture: this.#lastCapture,
        epoch: this.#epoch,
        totalFrames: this.#total,
      },
      signer,
    );
    this.#index++;
    this.#previous = checkpointDigest(bytes);
    this.#first += count;
    return bytes;
  }
}
