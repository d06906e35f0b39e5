/** Reads the counters of a call's pictures for the page. */
import type { CallStats, VideoStream } from "@parley-rt/parley/agent";
import type { LivePictures } from "../model/live-pictures.ts";
import { NO_PICTURES, type PictureFacts, type ShownFacts } from "../model/picture-facts.ts";
import { Rate } from "../model/rate.ts";
import type { PictureSender } from "../video/picture-sender.ts";
import type { SeenPicture } from "./seen-picture.ts";

/** IPv4, UDP and QUIC around each packet, bytes: the estimate of what the way takes counts them. */
const HEADERS = 60;
/** Bytes of a unit in one packet. */
const PIECE = 1_100;

/** One of the pictures that this page shows. */
export interface OwnPicture {
  readonly sender: PictureSender;
  readonly stream: VideoStream;
}

export class PictureReport {
  readonly #live: LivePictures;
  readonly #bytes = new Rate();

  constructor(live: LivePictures) {
    this.#live = live;
  }

  /** Looks at `now`, monotonic milliseconds. */
  look(stats: CallStats, seen: readonly SeenPicture[], own: readonly OwnPicture[], now: number): void {
    const [first] = seen.map((picture) => picture.facts(now));
    const shown = own.map(shownFacts)[0];
    const estimate = stats.hop?.estimate;
    this.#live.takes.add(now, estimate && estimate.bitsPerSecond / 1_000);
    const pictures = own.flatMap(({ stream }) => stream.stats().sent);
    const bytes = [...pictures, ...(stats.sent === undefined ? [] : [stats.sent])].reduce(
      (sum, { bytes, sent }) => sum + bytes + HEADERS * Math.max(sent, bytes / PIECE),
      0,
    );
    const rate = this.#bytes.at(bytes, now);
    this.#live.sent.add(now, rate && (8 * rate) / 1_000);
    const facts: PictureFacts = { seen: first, shown };
    if (first !== undefined || shown !== undefined || this.#live.facts !== NO_PICTURES)
      this.#live.facts = facts;
  }
}

/** What can be said of a picture of one's own. */
export function shownFacts({ sender, stream }: OwnPicture): ShownFacts {
  const { made } = sender;
  const { sent } = stream.stats();
  const sum = <One>(all: readonly One[], count: (one: One) => number) =>
    all.reduce((total, one) => total + count(one), 0);
  return {
    codec: stream.codec,
    renditions: made,
    wanted: stream.wants.bitsPerSecond,
    keys: sum(made, ({ keys }) => keys),
    keysAsked: sum(sent, ({ keyFramesAsked }) => keyFramesAsked),
    leftOut: sum(sent, ({ leftOut }) => leftOut.rate + leftOut.limit + leftOut.dependency),
    behind: sum(made, ({ behind }) => behind),
  };
}
