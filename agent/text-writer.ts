import type { Clock } from "../codecs/clock.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import { MAX_APPEND, MAX_CANCEL_REASON, MAX_TEXT, type TextMessage } from "./text-message.ts";

/** How long what was appended may wait for more, ms: tokens then share a message. */
const BATCH_MS = 20;
/** UTF-16 units from which on `append` waits until fewer wait to be sent. */
const ROOMY = 8_192;
/** UTF-16 units that may wait to be sent; what would be more is refused. */
const MAX_WAITING = 65_536;

/** Whether more can be appended to a text, and how it ended. */
export type TextState = "open" | "finished" | "cancelled";

/** A text on its way to the other end, while it is being made. */
export class TextWriter {
  readonly #clock: Clock;
  readonly #id: number;
  readonly #send: (message: TextMessage) => Promise<void>;
  readonly #over: () => void;
  #state: TextState = "open";
  #reason = "";
  #length = 0;
  /** What no message has taken yet. */
  #waiting = "";
  #hasBegun = false;
  #isEnded = false;
  #failure: ParleyError | undefined;
  #cancelTimer: (() => void) | undefined;
  #sending: Promise<void> | undefined;
  #room = Promise.withResolvers<void>();

  /** @internal Texts come from `call.text()`. `over` is told once the text needs no place any more. */
  constructor(options: {
    readonly clock: Clock;
    readonly id: number;
    readonly send: (message: TextMessage) => Promise<void>;
    readonly over: () => void;
  }) {
    this.#clock = options.clock;
    this.#id = options.id;
    this.#send = options.send;
    this.#over = options.over;
  }

  get state(): TextState {
    return this.#state;
  }

  /**
   * Adds to the text; what is added within 20 ms goes in one message. Resolves at once while less than 8,192 UTF-16 units wait to be sent, else when they
   * do: awaiting it keeps a writer at the pace of the network and of the reader. Throws `buffer-full` when more than 65,536 would wait, `too-large`
   * beyond 262,144 for the whole text, `closed` once the text or the call has ended, and what `call.data.send` throws.
   */
  async append(text: string): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#state !== "open") throw new ParleyError({ code: "closed", message: "The text has ended." });
    if (this.#length + text.length > MAX_TEXT) {
      throw new ParleyError({
        code: "too-large",
        message: `A text has at most ${MAX_TEXT} UTF-16 units.`,
        details: { limit: MAX_TEXT },
      });
    }
    if (this.#waiting.length + text.length > MAX_WAITING) {
      throw new ParleyError({ code: "buffer-full", message: "Too much text waits: await append()." });
    }
    this.#length += text.length;
    this.#waiting += text;
    this.#schedule();
    while (this.#waiting.length > ROOMY && this.#state === "open") await this.#room.promise;
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Ends the text; resolves when the carrier took all of it. Idempotent. Throws as `append`. */
  async finish(): Promise<void> {
    if (this.#state === "open") this.#state = "finished";
    while (!this.#isEnded) await this.#flush();
    if (this.#failure !== undefined) throw this.#failure;
  }

  /**
   * Takes the text back: what waits is not sent any more, and the other end lets go of what nobody has read of it. Idempotent; a text that has ended stays
   * as it is. Resolves when the carrier took the news.
   */
  async cancel(reason = ""): Promise<void> {
    if (this.#state === "open") {
      this.#state = "cancelled";
      this.#reason = reason.toWellFormed().slice(0, MAX_CANCEL_REASON).toWellFormed();
      this.#waiting = "";
      this.#free();
    }
    while (!this.#isEnded) await this.#flush();
  }

  /** No message can go any more: the stream, or the call, is over. @internal */
  fail(failure: ParleyError): void {
    if (this.#isEnded) return;
    this.#failure = failure;
    if (this.#state === "open") this.#state = "cancelled";
    this.#waiting = "";
    this.#end();
  }

  #schedule(): void {
    if (this.#sending !== undefined) return;
    if (this.#waiting.length >= MAX_APPEND) void this.#flush();
    else this.#cancelTimer ??= this.#clock.at(this.#clock.now() + BATCH_MS, () => void this.#flush());
  }

  /** Sends what waits, now. Never rejects. */
  #flush(): Promise<void> {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined;
      if (!this.#isEnded && (this.#state !== "open" || !isHalf(this.#waiting))) this.#schedule();
    });
    return this.#sending;
  }

  async #sendAll(): Promise<void> {
    let isFirst = true;
    while (!this.#isEnded) {
      const message = this.#next(isFirst);
      if (message === undefined) return;
      isFirst = false;
      try {
        await this.#send(message);
      } catch (error) {
        this.fail(error instanceof ParleyError ? error : unsendable(error));
        return;
      }
      if (message.end !== undefined) this.#end();
    }
  }

  /** The next message; after the first one, as long as a whole one waits, or the end does. */
  #next(isFirst: boolean): TextMessage | undefined {
    const isOver = this.#state !== "open";
    if (!isOver && !isFirst && this.#waiting.length < MAX_APPEND) return undefined;
    const append = this.#take(isOver);
    if (append === "" && !isOver) return undefined;
    const begin = this.#hasBegun ? {} : ({ begin: true } as const);
    this.#hasBegun = true;
    const isLast = isOver && this.#waiting === "";
    return {
      text: this.#id,
      ...begin,
      ...(append === "" ? {} : { append }),
      ...(isLast && this.#state !== "open" ? { end: this.#state } : {}),
      ...(isLast && this.#reason !== "" ? { reason: this.#reason } : {}),
    };
  }

  /** As much of what waits as goes in one message. A surrogate waits for its other half, which may come with the next token. */
  #take(isOver: boolean): string {
    let end = Math.min(this.#waiting.length, MAX_APPEND);
    if (isHalf(this.#waiting.at(end - 1) ?? "") && !(isOver && end === this.#waiting.length)) end -= 1;
    const taken = this.#waiting.slice(0, end);
    this.#waiting = this.#waiting.slice(end);
    if (this.#waiting.length <= ROOMY) this.#free();
    return taken.toWellFormed();
  }

  #free(): void {
    this.#room.resolve();
    this.#room = Promise.withResolvers<void>();
  }

  #end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#free();
    this.#over();
  }
}

/** Whether this is nothing that could go: at most the first half of a character. */
function isHalf(text: string): boolean {
  return text === "" || (text.length === 1 && text >= "\ud800" && text <= "\udbff");
}

function unsendable(cause: unknown): ParleyError {
  return new ParleyError({ code: "closed", message: "The text can go no further." }, { cause });
}
