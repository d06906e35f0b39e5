import {
  type Checkpoint,
  checkpointDigest,
  parseCheckpoint,
  verifyCheckpoint,
} from "../codecs/checkpoint.ts";
import { ok, type Result, refuse } from "../codecs/result.ts";
import type { Verifier } from "../codecs/signer.ts";
import { type Between, ListedFrames, type ListingVerdict, type NotedAs } from "./listed-frames.ts";

/** Frames kept until a checkpoint covers them, and listed frames kept until they arrive. The oldest is let go and counted. */
export const MAX_UNSETTLED_FRAMES = 4096;

export interface CheckpointCheckOptions {
  /** 32 bytes. */
  readonly sessionDigest: Uint8Array;
  /** The speaker's leg. */
  readonly leg: number;
  readonly stream: number;
  /** The speaker's media keys by generation, 32 raw bytes each. */
  readonly keys: ReadonlyMap<number, Uint8Array>;
  readonly verifier: Verifier;
}

/** What one checkpoint says about the frames seen here. */
export interface CheckpointVerdict extends ListingVerdict {
  readonly checkpoint: Checkpoint;
  /** Others before it may have been lost on their way here: what they listed is not known. */
  readonly followsLost: boolean;
}

/**
 * Holds one stream's chain of checkpoints against the frames that came by, in either order. For a listener, and for a
 * relay that only passes them on.
 */
export class CheckpointCheck {
  readonly #options: CheckpointCheckOptions;
  readonly #keys: Map<number, Uint8Array>;
  /** Of the key that the stream began with, as far as is known here. */
  readonly #firstGeneration: number;
  readonly #frames = new ListedFrames(MAX_UNSETTLED_FRAMES);
  #last: Checkpoint | undefined;
  #lastDigest: Uint8Array = new Uint8Array(32);
  /** Checkpoints may have been lost on the way since the last one. */
  #mayLack = false;

  constructor(options: CheckpointCheckOptions) {
    this.#options = options;
    this.#keys = new Map(options.keys);
    this.#firstGeneration = Math.min(...options.keys.keys());
  }

  /** Takes an authentic frame that arrived at `now`. `contradicted`: a checkpoint that came before says otherwise. */
  note(sequence: number, digest: Uint8Array, now: number): NotedAs {
    return this.#frames.note(sequence, digest, now);
  }

  /**
   * Takes the next checkpoint of the stream. Refuses with `checkpoint-malformed`, with `signature-invalid`, or with
   * `checkpoint-broken` naming the field, when it is of another session, leg or stream or does not follow the one
   * before; then nothing has changed.
   */
  check(bytes: Uint8Array): Result<CheckpointVerdict> {
    const parsed = parseCheckpoint(bytes);
    if (!parsed.ok) return parsed;
    const checkpoint = parsed.value;
    const broken = this.#brokenField(checkpoint);
    if (broken !== undefined) {
      return refuse("checkpoint-broken", "The checkpoint does not continue this stream.", broken);
    }
    const key = this.#keys.get(checkpoint.keyGeneration);
    if (key === undefined || !verifyCheckpoint(bytes, key, this.#options.verifier)) {
      return refuse("signature-invalid", "The checkpoint is not signed by the speaker's media key.");
    }
    const last = this.#last;
    const followsLost = checkpoint.index !== nextIndex(last);
    // What a process sent last, and had not listed when another took over, stays without a checkpoint.
    const isOfNewKey = checkpoint.keyGeneration !== (last?.keyGeneration ?? this.#firstGeneration);
    const between: Between = followsLost ? "lost" : isOfNewKey ? "gap" : "nothing";
    this.#mayLack = false;
    this.#last = checkpoint;
    this.#lastDigest = checkpointDigest(bytes);
    return ok({ checkpoint, followsLost, ...this.#frames.settle(checkpoint, between) });
  }

  /** The speaker goes on with another media key, of a later generation. */
  takeKey(generation: number, publicKey: Uint8Array): void {
    this.#keys.set(generation, publicKey);
  }

  /** The way here was another one for a while: the next checkpoint may follow on some that never come. */
  resume(): void {
    this.#mayLack = true;
  }

  /** When the oldest frame arrived that no checkpoint covers; `undefined` when all are covered. */
  get uncoveredSince(): number | undefined {
    return this.#frames.uncoveredSince;
  }

  /** Whether the final checkpoint came. */
  get final(): boolean {
    return this.#last?.final ?? false;
  }

  /** Totals so far. `forgotten`: frames let go unchecked for want of room, or since their checkpoint never came. */
  counters(): ReturnType<ListedFrames["counters"]> {
    return this.#frames.counters();
  }

  #brokenField(checkpoint: Checkpoint): keyof Checkpoint | undefined {
    const { sessionDigest, leg, stream } = this.#options;
    const last = this.#last;
    if (!equal(checkpoint.sessionDigest, sessionDigest)) return "sessionDigest";
    if (checkpoint.leg !== leg) return "leg";
    if (checkpoint.stream !== stream) return "stream";
    if (last?.final) return "final";
    const index = nextIndex(last);
    if (this.#mayLack && checkpoint.index > index) {
      return last !== undefined && checkpoint.firstSequence < nextSequence(last)
        ? "firstSequence"
        : undefined;
    }
    if (checkpoint.index !== index) return "index";
    if (!equal(checkpoint.previous, this.#lastDigest)) return "previous";
    // A process that took the session up begins after numbers that it cannot know, and counts its own frames.
    const isTakenUp = last !== undefined && checkpoint.keyGeneration > last.keyGeneration;
    if (last !== undefined && !isTakenUp && checkpoint.firstSequence !== nextSequence(last))
      return "firstSequence";
    if (isTakenUp && checkpoint.firstSequence < nextSequence(last)) return "firstSequence";
    const before = isTakenUp ? 0 : (last?.totalFrames ?? 0);
    if (checkpoint.totalFrames !== before + checkpoint.digests.length) return "totalFrames";
    return undefined;
  }
}

function nextIndex(last: Checkpoint | undefined): number {
  return last === undefined ? 0 : last.index + 1;
}

/** The sequence number that follows what a checkpoint covers. */
function nextSequence(checkpoint: Checkpoint): number {
  return checkpoint.firstSequence + checkpoint.digests.length;
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
