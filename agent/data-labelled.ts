import type { DataValue } from "../codecs/data-message.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import type { DataMessage } from "./call-data.ts";

/** A data stream of one of Parley's own labels. */
export interface LabelledStream extends AsyncIterable<DataMessage<DataValue>> {
  /** Whether this end may send. */
  readonly sends: boolean;
  send(value: unknown): Promise<unknown>;
}

export interface LabelledStreamsOptions {
  /** Has the call open a stream of the label; resolves once both ends agree. */
  readonly open: () => Promise<LabelledStream>;
  /** Takes a message; the stream that it came on is not read on until what this returns resolves. */
  readonly take: (message: DataMessage<DataValue>, stream: LabelledStream) => Promise<void> | undefined;
  /** Nothing more comes on a stream: it was closed or given up. */
  readonly gone: (stream: LabelledStream) => void;
  /** Takes what reading throws and nobody waits for. */
  readonly report: (error: unknown) => void;
}

/**
 * The streams of a call that have one label. All are read; this end writes on the first that lets it, and has one opened where there is none. Both ends may open one
 * at the same moment: then there are two.
 */
export class LabelledStreams {
  readonly #options: LabelledStreamsOptions;
  readonly #streams = new Set<LabelledStream>();
  #opening: Promise<LabelledStream> | undefined;
  #isOver = false;

  constructor(options: LabelledStreamsOptions) {
    this.#options = options;
  }

  /** A stream is there: it is read from now on. Idempotent. */
  add(stream: LabelledStream): void {
    if (this.#streams.has(stream) || this.#isOver) return;
    this.#streams.add(stream);
    void this.#read(stream);
  }

  /**
   * Sends a message, on a stream opened for it where there is none, and resolves with that stream. Throws what opening and sending do, `closed` after the end, or
   * where the stream ends meanwhile.
   */
  async send(value: unknown): Promise<LabelledStream> {
    const stream = await this.#writable();
    await stream.send(value);
    if (this.#streams.has(stream)) return stream;
    throw new ParleyError({ code: "closed", message: "The stream, or its call, has ended." });
  }

  /** Opens nothing any more; the streams end by themselves. */
  finish(): void {
    this.#isOver = true;
  }

  async #writable(): Promise<LabelledStream> {
    for (const stream of this.#streams) if (stream.sends) return stream;
    if (this.#isOver) throw new ParleyError({ code: "closed", message: "The call has ended." });
    this.#opening ??= this.#open();
    return await this.#opening;
  }

  async #open(): Promise<LabelledStream> {
    try {
      const stream = await this.#options.open();
      this.add(stream);
      return stream;
    } finally {
      this.#opening = undefined;
    }
  }

  async #read(stream: LabelledStream): Promise<void> {
    const { take, gone, report } = this.#options;
    try {
      for await (const message of stream) await take(message, stream);
    } catch (error) {
      // A stream that was given up: its writer is told by name, and what waits for it here fails.
      if (!(error instanceof ParleyError)) report(error);
    } finally {
      this.#streams.delete(stream);
      gone(stream);
    }
  }
}
