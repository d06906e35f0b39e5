import { UncoveredFrames } from "./uncovered-frames.ts";

/** What a stretch of a stream's checkpoints says. */
export interface Listing {
  readonly firstSequence: number;
  /** 16 bytes each, in sequence order. */
  readonly digests: readonly Uint8Array[];
  /** No frame follows. */
  readonly final: boolean;
}

/**
 * How a frame stands to the checkpoints so far. `forgotten`: one that came listed its place, so far ahead that what it said was let go; `lost`:
 * the one that lists it may not have reached this place.
 */
export type NotedAs = "uncovered" | "matched" | "contradicted" | "forgotten" | "lost";

/**
 * What lies between a listing and the one before. `nothing`: no frame can; `gap`: what another process said, as far as it was not
 * listed; `lost`: listings that never came.
 */
export type Between = "nothing" | "gap" | "lost";

/** What one listing says about the frames seen here. */
export interface ListingVerdict {
  /** Frames seen before it that it lists as they were. */
  readonly matched: number;
  /** Frames it lists that were not seen yet. */
  readonly unseen: number;
  /** Frames seen that it lists with another digest, or whose place it passes over. Ascending. */
  readonly contradicted: readonly number[];
}

/**
 * Holds the frames of one stream that came by against what the speaker's checkpoints list, in either order. At most
 * `capacity` frames wait for a checkpoint, and as many listed ones for their frame; the oldest is let go and counted.
 */
export class ListedFrames {
  readonly #capacity: number;
  /** Frames seen and not yet listed. */
  readonly #uncovered = new UncoveredFrames();
  /** Digests listed for frames not yet seen. */
  readonly #unseen = new Map<number, Uint8Array>();
  /** Checkpoints speak of what lies below. */
  #end: number | undefined;
  /** What they listed below is not known here any more. */
  #unknownBelow = 0;
  /** Listings of these places may have been lost, when frames up to there had come. */
  #lost = { from: 0, below: 0 };
  /** After the highest number that came. */
  #seenBelow = 0;
  #matched = 0;
  #contradicted = 0;
  #forgotten = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Takes a frame that arrived at `now`; `digest`, of 16 bytes, is copied. `contradicted`: a checkpoint that came before says otherwise. */
  note(sequence: number, digest: Uint8Array, now: number): NotedAs {
    this.#seenBelow = Math.max(this.#seenBelow, sequence + 1);
    const covered = this.#end !== undefined && sequence < this.#end;
    if (!covered) {
      if (this.#uncovered.size >= this.#capacity) {
        this.#uncovered.dropOldest();
        this.#forgotten++;
      }
      this.#uncovered.add(sequence, digest, now);
      return "uncovered";
    }
    const listed = this.#unseen.get(sequence);
    this.#unseen.delete(sequence);
    if (listed === undefined && sequence < this.#unknownBelow) {
      this.#forgotten++;
      return "forgotten";
    }
    if (listed === undefined && sequence >= this.#lost.from && sequence < this.#lost.below) {
      this.#forgotten++;
      return "lost";
    }
    if (listed !== undefined && sameDigest(listed, digest)) {
      this.#matched++;
      return "matched";
    }
    this.#contradicted++;
    return "contradicted";
  }

  /** Takes the next listing. */
  settle(listing: Listing, between: Between): ListingVerdict {
    const contradicted: number[] = [];
    const end = listing.firstSequence + listing.digests.length;
    // Frames before it were, or would have been, another checkpoint's, which never came.
    const lacking = between === "nothing" ? 0 : listing.firstSequence;
    if (between === "lost")
      this.#lost = { from: this.#end ?? 0, below: Math.min(listing.firstSequence, this.#seenBelow) };
    let matched = 0;
    const seen = new Uint8Array(listing.digests.length);
    this.#uncovered.takeBelow(listing.final ? Number.POSITIVE_INFINITY : end, (sequence, place) => {
      if (sequence < lacking) {
        this.#forgotten++;
        return;
      }
      const index = sequence - listing.firstSequence;
      const listed = listing.digests[index];
      if (listed !== undefined) seen[index] = 1;
      if (listed !== undefined && this.#uncovered.isListed(place, listed)) matched++;
      else contradicted.push(sequence);
    });
    let unseen = 0;
    listing.digests.forEach((digest, index) => {
      if (seen[index] === 1) return;
      unseen++;
      if (this.#unseen.size >= this.#capacity) this.#forgetUnseen();
      this.#unseen.set(listing.firstSequence + index, digest);
    });
    this.#end = listing.final ? Number.POSITIVE_INFINITY : end;
    this.#matched += matched;
    this.#contradicted += contradicted.length;
    contradicted.sort((a, b) => a - b);
    return { matched, unseen, contradicted };
  }

  /** When the oldest frame arrived that no checkpoint covers; `undefined` when all are covered. */
  get uncoveredSince(): number | undefined {
    return this.#uncovered.oldestAt;
  }

  /** Totals so far. `forgotten`: frames let go unchecked for want of room, or since their checkpoint never came. */
  counters(): {
    matched: number;
    contradicted: number;
    uncovered: number;
    unseen: number;
    forgotten: number;
  } {
    return {
      matched: this.#matched,
      contradicted: this.#contradicted,
      uncovered: this.#uncovered.size,
      unseen: this.#unseen.size,
      forgotten: this.#forgotten,
    };
  }

  #forgetUnseen(): void {
    for (const sequence of this.#unseen.keys()) {
      this.#unseen.delete(sequence);
      this.#forgotten++;
      this.#unknownBelow = Math.max(this.#unknownBelow, sequence + 1);
      return;
    }
  }
}

function sameDigest(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let at = 0; at < a.length; at += 1) if (a[at] !== b[at]) return false;
  return true;
}
