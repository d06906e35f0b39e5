import type { Modality } from "../../signaling/scope.ts";

/** Frames of one modality. */
export interface MediaTally {
  sent: number;
  /** Whose signature held at the listener in time, and for which it held too late to be played. */
  verified: number;
  late: number;
  refused: number;
  /** Of verified packets, headers and signatures included. */
  bytes: number;
}

/** What became of video, over all bots that watched. Times are milliseconds. */
export interface VideoTally {
  watchedMs: number;
  /** Times at which the video stood still for longer than its pace lets one expect, and for how long. */
  freezes: number;
  frozenMs: number;
  keyFrames: number;
  /** By those who watched. */
  keyFrameRequests: number;
  /** Times at which another rendition came. */
  switches: number;
  /** Units that their sender left out for want of rate, or that did not leave whole. */
  leftOut: number;
  /** Units shown while a voice was heard, and those of them that were 40 ms or more apart from it. */
  compared: number;
  apart: number;
}

/** Messages of data streams of one delivery, over all bots. */
export interface DeliveryTally {
  sent: number;
  /** Latest values that a newer one took the place of, and that did not leave within their deadline. */
  replaced: number;
  dropped: number;
  /** By the application at the other end, and how many of those were not the one that had to follow. */
  read: number;
  outOfOrder: number;
}

/** What bots have counted since they began. Every number but `up` only grows. */
export interface Tally {
  /** Calls that have begun to connect, that were answered and checked, and that went well to their end. */
  placed: number;
  made: number;
  completed: number;
  /** Calls under way now. */
  up: number;
  /** Calls that failed, by error code or by how they ended. */
  failed: Record<string, number>;
  sent: number;
  /** Frames whose signature held at the listener in time, and those for which it held too late to be played. */
  verified: number;
  late: number;
  concealed: number;
  refused: Record<string, number>;
  /** Bytes of verified packets, headers and signatures included. */
  bytes: number;
  /** Frame intervals that the bots themselves could not keep. */
  skipped: number;
  /** Changes of the terms that both ends of a call agreed on, by why they were asked for. */
  adaptations: Record<string, number>;
  media: Record<Modality, MediaTally>;
  video: VideoTally;
  data: Record<"reliable" | "latest", DeliveryTally>;
}

export function emptyTally(): Tally {
  return {
    ...{ placed: 0, made: 0, completed: 0, up: 0, failed: {}, sent: 0 },
    ...{ verified: 0, late: 0, concealed: 0, refused: {}, bytes: 0, skipped: 0, adaptations: {} },
    media: { audio: emptyMedia(), video: emptyMedia(), data: emptyMedia() },
    video: {
      ...{ watchedMs: 0, freezes: 0, frozenMs: 0, keyFrames: 0 },
      ...{ keyFrameRequests: 0, switches: 0, leftOut: 0, compared: 0, apart: 0 },
    },
    data: { reliable: emptyDelivery(), latest: emptyDelivery() },
  };
}

export function emptyMedia(): MediaTally {
  return { sent: 0, verified: 0, late: 0, refused: 0, bytes: 0 };
}

function emptyDelivery(): DeliveryTally {
  return { sent: 0, replaced: 0, dropped: 0, read: 0, outOfOrder: 0 };
}

/** All tallies as one. */
export function sumTallies(tallies: Iterable<Tally>): Tally {
  const sum = emptyTally();
  for (const tally of tallies) add(sum as unknown as Counts, tally as unknown as Counts);
  return sum;
}

/** One more, or `more` more, of a reason. */
export function count(counts: Record<string, number>, reason: string, more = 1): void {
  counts[reason] = (counts[reason] ?? 0) + more;
}

export function total(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, value) => sum + value, 0);
}

/** Adds every number of `more` to its like in `sum`. */
export function addMedia(sum: MediaTally, more: MediaTally): void {
  add(sum as unknown as Counts, more as unknown as Counts);
}

interface Counts {
  [name: string]: number | Counts;
}

function add(sum: Counts, more: Counts): void {
  for (const [name, value] of Object.entries(more)) {
    if (typeof value === "number") sum[name] = ((sum[name] as number | undefined) ?? 0) + value;
    else add(sum[name] as Counts, value);
  }
}
