import { ok, type Result, refuse } from "../../codecs/result.ts";
import type { Offer, OfferStream } from "../offer.ts";
import { audioRate, videoRate } from "../sending-rates.ts";
import { sends } from "../stream-fields.ts";
import type { TermsStream } from "../terms.ts";
import type { SwitchboardLimits } from "./config.ts";
import { DATA_CEILING } from "./flows.ts";
import type { Session } from "./session.ts";

/** What who finds the server full is told to wait, milliseconds: about as long as a call takes to end or to be given up. */
export const FULL_RETRY_MS = 5_000;

/** What a call asks of the server at the most: media streams, each direction counted, and how much the relay may have to carry. */
export interface Load {
  readonly streams: number;
  /** Kilobits a second. */
  readonly kilobits: number;
}

/** What an offer may come to, whichever of its codecs is taken. */
export function loadOfOffer({ payload }: Pick<Offer, "payload">): Load {
  const loads = payload.streams.map((stream) => {
    const directions = stream.direction === "sendrecv" ? 2 : 1;
    const bytes = mostOf(stream);
    return { streams: directions, kilobits: directions * kilobits(bytes) };
  });
  return sum(loads);
}

/** What was agreed. */
export function loadOfSession({ flows }: Pick<Session, "flows">): Load {
  return sum(flows.map(({ agreed }) => ({ streams: 1, kilobits: kilobits(agreedMost(agreed)) })));
}

/** What streams come to that were agreed on and have no flows yet. */
export function loadOfStreams(streams: readonly TermsStream[]): Load {
  return sum(
    streams.map((agreed) => {
      const directions = agreed.directions.filter(sends).length;
      return { streams: directions, kilobits: directions * kilobits(agreedMost(agreed)) };
    }),
  );
}

/** The loads of all calls that ring or are up, by session id. */
export class Loads {
  readonly #each = new Map<string, Load>();
  #streams = 0;
  #kilobits = 0;

  /** What all of them come to. */
  get total(): Load {
    return { streams: this.#streams, kilobits: this.#kilobits };
  }

  /** Notes a call's load, in place of what it was before. */
  set(sessionId: string, load: Load): void {
    this.delete(sessionId);
    this.#each.set(sessionId, load);
    this.#streams += load.streams;
    this.#kilobits += load.kilobits;
  }

  delete(sessionId: string): void {
    const load = this.#each.get(sessionId);
    if (load === undefined) return;
    this.#each.delete(sessionId);
    this.#streams -= load.streams;
    this.#kilobits -= load.kilobits;
  }
}

/** Refuses what does not fit beside `present`. Fault: `capacity` with `details.retry_after_ms` and the limit that is reached. */
export function checkLoad(present: Load, more: Load, limits: SwitchboardLimits): Result<void> {
  if (present.streams + more.streams > limits.streams) return noRoom("streams");
  if (present.kilobits + more.kilobits > limits.kilobits) return noRoom("kilobits");
  return ok(undefined);
}

/** The refusal of a call that does not fit; `limit` is the one that is reached. */
export function noRoom(limit: "sessions" | "sessionsPerAgent" | "streams" | "kilobits") {
  return refuse("capacity", "There is no room for another session.", undefined, {
    limit,
    retry_after_ms: FULL_RETRY_MS,
  });
}

function sum(loads: readonly Load[]): Load {
  return loads.reduce(
    (all, { streams, kilobits }) => ({ streams: all.streams + streams, kilobits: all.kilobits + kilobits }),
    { streams: 0, kilobits: 0 },
  );
}

/** Bytes a second that an offered stream may take, whichever of its codecs is chosen. */
function mostOf(stream: OfferStream): number {
  switch (stream.modality) {
    case "audio":
      return Math.max(...stream.codecs.flatMap(({ frame_ms: lengths }) => lengths.map(bytesAt)));
    case "video":
      return Math.max(...stream.codecs.map((codec) => videoRate(codec).bytesPerSecond));
    case "data":
      return DATA_CEILING.bytesPerSecond;
  }
}

function agreedMost(agreed: TermsStream): number {
  switch (agreed.modality) {
    case "audio":
      return bytesAt(agreed.codec.frame_ms);
    case "video":
      return videoRate(agreed.codec).bytesPerSecond;
    case "data":
      return DATA_CEILING.bytesPerSecond;
  }
}

function bytesAt(frameMs: number): number {
  return audioRate(frameMs).bytesPerSecond;
}

function kilobits(bytesPerSecond: number): number {
  return (bytesPerSecond * 8) / 1_000;
}
