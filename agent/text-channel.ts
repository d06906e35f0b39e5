import type { Clock } from "../codecs/clock.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import { type LabelledStream, LabelledStreams, type LabelledStreamsOptions } from "./data-labelled.ts";
import { OPEN_TEXTS, TextReader, type TextReaderCounters } from "./text-reader.ts";
import { TextWriter } from "./text-writer.ts";

/** What was counted of the texts of a call at this end. */
export interface TextStats {
  /** Texts begun here, and those of them that are open. */
  readonly written: number;
  readonly open: number;
  readonly heard: TextReaderCounters;
}

/** The texts of a call, both ways, over its streams labelled `parley.text`. */
export class TextChannel {
  readonly #clock: Clock;
  readonly #streams: LabelledStreams;
  readonly #first: number;
  /** Open texts, and what each goes over since something of it has gone. */
  readonly #writers = new Map<TextWriter, LabelledStream | undefined>();
  #next: number;
  #isOver = false;
  /** Texts of the other end. */
  readonly heard = new TextReader();

  /** `first`: number of this end's first text; another one in each process. */
  constructor(
    options: Pick<LabelledStreamsOptions, "open" | "report"> & {
      readonly clock: Clock;
      readonly first: number;
    },
  ) {
    this.#clock = options.clock;
    this.#first = options.first;
    this.#next = options.first;
    this.#streams = new LabelledStreams({
      open: options.open,
      report: options.report,
      take: ({ value, speaker }, stream) => this.heard.take(value, speaker, stream),
      gone: (stream) => this.#gone(stream),
    });
  }

  get stats(): TextStats {
    return {
      written: this.#next - this.#first,
      open: this.#writers.size,
      heard: this.heard.counters,
    };
  }

  /** A stream of the label is there. */
  add(stream: LabelledStream): void {
    this.#streams.add(stream);
  }

  /** Begins a text. Throws `buffer-full` while as many are open as may be, `closed` after the end. */
  write(): TextWriter {
    if (this.#isOver) throw new ParleyError({ code: "closed", message: "The call has ended." });
    if (this.#writers.size >= OPEN_TEXTS)
      throw new ParleyError({ code: "buffer-full", message: `${OPEN_TEXTS} texts are open: finish one.` });
    const writer = new TextWriter({
      clock: this.#clock,
      id: this.#next++,
      send: async (message) => {
        const stream = await this.#streams.send(message);
        if (this.#writers.has(writer)) this.#writers.set(writer, stream);
      },
      over: () => void this.#writers.delete(writer),
    });
    this.#writers.set(writer, undefined);
    return writer;
  }

  /** The call is over. Idempotent. */
  finish(): void {
    this.#isOver = true;
    this.#streams.finish();
    this.#gone(undefined);
    this.heard.finish();
  }

  /** What went over a stream that is gone ends there; where none is named, the call is over. */
  #gone(stream: LabelledStream | undefined): void {
    const failure = new ParleyError({ code: "closed", message: "The stream of the texts has ended." });
    for (const [writer, way] of [...this.#writers])
      if (stream === undefined || way === stream) writer.fail(failure);
    this.heard.cut("closed", stream);
  }
}
