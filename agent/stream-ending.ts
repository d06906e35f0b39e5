import type { Clock } from "../codecs/clock.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import type { StreamLine } from "./stream-line.ts";
import type { StreamMedia } from "./stream-media.ts";
import type { StreamParameters } from "./stream-parameters.ts";
import { type StreamTotals, sumOf } from "./stream-totals.ts";

/** How long what the other end had said on a stream that it closed is waited for, ms: less than the server waits. */
const LAST_WORDS_MS = 2_000;
/** What is live may come behind its speaker's last checkpoint, and is played behind that, ms. */
const PLAYED_MS = 300;
/** How often a reliable stream is looked at, ms. */
const LOOK_MS = 20;
/** How long a stream that is over is kept, ms: longer than the server waits for its last statements, which a lost connection may need again. */
const KEPT_MS = 10_000;

interface EndingStream {
  readonly media: StreamMedia;
  readonly lines: readonly StreamLine[];
}

export interface EndingStreamsOptions {
  readonly clock: Clock;
  /** Whether the call has a connection. */
  readonly isAttached: () => boolean;
  /** A stream's lines are not needed any more. */
  readonly dropped: (lines: readonly StreamLine[]) => void;
  readonly report: (error: unknown) => void;
}

/** Streams of a call that were closed while it goes on: what was said on them is heard out, and the last statements about them go. */
export class EndingStreams {
  readonly #options: EndingStreamsOptions;
  readonly #ending = new Set<EndingStream>();
  /** What those counted that are gone. */
  #past: StreamTotals = { sent: undefined, heard: undefined };

  constructor(options: EndingStreamsOptions) {
    this.#options = options;
  }

  /** What all of them counted. */
  get totals(): StreamTotals {
    return [...this.#ending].reduce((sum, { media }) => sumOf(sum, media.totals), this.#past);
  }

  /** A stream is closed. `isOwn`: by this end, which wants no more of it; else what the other one had said is heard. */
  add(media: StreamMedia, lines: readonly StreamLine[], isOwn: boolean): void {
    const { clock, isAttached, report } = this.#options;
    const ending: EndingStream = { media, lines };
    this.#ending.add(ending);
    media.permit(false);
    const hears = lines.find(({ direction }) => direction === "receive");
    const heard = isOwn || hears === undefined ? Promise.resolve() : hearOut(media, hears, clock);
    heard
      .then(() => {
        media.finish();
        return Promise.all(lines.map((line) => line.finish()));
      })
      .catch(report);
    clock.at(clock.now() + KEPT_MS, () => {
      if (isAttached()) this.#drop(ending);
    });
  }

  /** The call goes on over another connection, where only these streams are known: of the others the server has all. */
  keepOnly(streams: readonly number[]): void {
    for (const ending of this.#ending) if (!streams.includes(ending.media.stream)) this.#drop(ending);
  }

  /** The call is over. */
  finish(): void {
    for (const { media } of this.#ending) media.finish();
  }

  #drop(ending: EndingStream): void {
    if (!this.#ending.delete(ending)) return;
    this.#past = sumOf(this.#past, ending.media.totals);
    for (const line of ending.lines) line.detach();
    this.#options.dropped(ending.lines);
  }
}

/** Hears a stream that the other end closed to its end: what was sent before is on its way. Resolves then, or when it took too long. */
async function hearOut(media: StreamMedia, line: StreamLine, clock: Clock): Promise<void> {
  const until = clock.now() + LAST_WORDS_MS;
  while (clock.now() < until && line.isAttached) {
    const { end } = line;
    const { heardPlace: place } = media;
    if (end !== undefined && place === undefined) return await pause(clock, PLAYED_MS);
    if (end !== undefined && place !== undefined && place.nextSequence >= end) return;
    await pause(clock, LOOK_MS);
  }
}

function pause(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => clock.at(clock.now() + ms, resolve));
}

/** What is told where the server cannot take what follows of a chain of statements. */
export function statementsLost({ stream, direction }: StreamParameters): ParleyError {
  return new ParleyError({
    code: "checkpoint-broken",
    message: "What this end states about a stream cannot go on at the server: the evidence will lack it.",
    details: { stream, direction },
  });
}
