import { MAX_TEXT, readTextMessage, type TextMessage } from "./text-message.ts";
import type { TextState } from "./text-writer.ts";

/** Texts of the other end that may be open at once; a further one is refused, and what is appended to it is not taken. */
export const OPEN_TEXTS = 16;
/** Texts that wait for a reader of `call.texts`; at that many the stream is not read on, so that their writer waits as well. */
const UNREAD_TEXTS = 16;
/** Texts that ended whose numbers are remembered, so that nothing begins one of them again; the oldest is forgotten. */
const ENDED_TEXTS = 256;

/** What came of the texts of the other end. */
export interface TextReaderCounters {
  readonly begun: number;
  readonly finished: number;
  readonly cancelled: number;
  /** Texts refused: too many were open, or grew too long. */
  readonly refused: number;
  /** Messages about texts that are not open, and such as begin one a second time. */
  readonly strays: number;
  /** Messages that are none of a text stream. */
  readonly malformed: number;
}

/** A text that the other end writes, while it is being made. */
export class HeardText {
  readonly id: number;
  /** Agent-ID of its writer. */
  readonly speaker: string;
  #text = "";
  #state: TextState = "open";
  #reason: string | undefined;
  #change = Promise.withResolvers<void>();

  /** @internal */
  constructor(id: number, speaker: string) {
    this.id = id;
    this.speaker = speaker;
  }

  /** What there is of it. */
  get text(): string {
    return this.#text;
  }

  get state(): TextState {
    return this.#state;
  }

  /** Why it was cancelled, where its writer said so; `closed` when the call or the stream ended, `too-large` when it grew too long. */
  get reason(): string | undefined {
    return this.#reason;
  }

  /**
   * What is added, from the beginning, until it ends; each reader gets all of it. Who reads slowly gets longer parts. Of a text that is cancelled nothing more
   * is handed out.
   */
  get parts(): AsyncIterable<{ readonly text: string }> {
    return { [Symbol.asyncIterator]: () => this.#read() };
  }

  /** Resolves when it has ended. */
  async ended(): Promise<"finished" | "cancelled"> {
    while (this.#state === "open") await this.#change.promise;
    return this.#state;
  }

  /** @internal */
  append(text: string): void {
    this.#text += text;
    this.#changed();
  }

  /** @internal */
  end(state: "finished" | "cancelled", reason?: string): void {
    if (this.#state !== "open") return;
    this.#state = state;
    this.#reason = reason;
    this.#changed();
  }

  async *#read(): AsyncGenerator<{ readonly text: string }, undefined> {
    let at = 0;
    while (this.#state !== "cancelled") {
      if (at < this.#text.length) {
        const text = this.#text.slice(at);
        at = this.#text.length;
        yield { text };
      } else if (this.#state === "finished") {
        return;
      } else {
        await this.#change.promise;
      }
    }
  }

  #changed(): void {
    this.#change.resolve();
    this.#change = Promise.withResolvers<void>();
  }
}

/** The texts of the other end, from the messages of their streams. Readers share them: each text goes to one. */
export class TextReader implements AsyncIterable<HeardText> {
  readonly #open = new Map<number, HeardText>();
  /** What each of them comes over. */
  readonly #ways = new WeakMap<HeardText, object>();
  readonly #ended = new Set<number>();
  #unread: HeardText[] = [];
  readonly #readers: PromiseWithResolvers<IteratorResult<HeardText, undefined>>[] = [];
  #room: PromiseWithResolvers<void> | undefined;
  #isOver = false;
  readonly #counted = { begun: 0, finished: 0, cancelled: 0, refused: 0, strays: 0, malformed: 0 };

  get counters(): TextReaderCounters {
    return { ...this.#counted };
  }

  /** One message, and what it came over; where it returns a promise no more is to be given until that resolves. */
  take(value: unknown, speaker: string, way?: object): Promise<void> | undefined {
    if (this.#isOver) return undefined;
    const read = readTextMessage(value);
    if (!read.ok) {
      this.#counted.malformed += 1;
      return undefined;
    }
    const message = read.value;
    const known = this.#open.get(message.text);
    if (message.begin === true) return this.#begin(message, speaker, known, way);
    if (known === undefined) this.#counted.strays += 1;
    else this.#go(known, message);
    return undefined;
  }

  /** Nothing can come over `way` any more: texts that are open there are cancelled; where none is named, all. */
  cut(reason: string, way?: object): void {
    for (const text of [...this.#open.values()])
      if (way === undefined || this.#ways.get(text) === way) this.#end(text, "cancelled", reason);
  }

  /** Nothing more comes: readers get what waits, then the end. Idempotent. */
  finish(): void {
    this.cut("closed");
    this.#isOver = true;
    this.#room?.resolve();
    for (const reader of this.#readers.splice(0)) reader.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): AsyncIterator<HeardText, undefined> {
    return { next: () => this.#next(), return: async () => ({ done: true, value: undefined }) };
  }

  #begin(
    message: TextMessage,
    speaker: string,
    known: HeardText | undefined,
    way: object | undefined,
  ): Promise<void> | undefined {
    if (known !== undefined || this.#ended.has(message.text)) {
      this.#counted.strays += 1;
      return undefined;
    }
    if (this.#open.size >= OPEN_TEXTS) {
      this.#counted.refused += 1;
      this.#remember(message.text);
      return undefined;
    }
    const text = new HeardText(message.text, speaker);
    this.#counted.begun += 1;
    this.#open.set(text.id, text);
    if (way !== undefined) this.#ways.set(text, way);
    this.#go(text, message);
    return text.state === "cancelled" ? undefined : this.#push(text);
  }

  #go(text: HeardText, { append = "", end, reason }: TextMessage): void {
    if (text.text.length + append.length > MAX_TEXT) {
      this.#counted.refused += 1;
      this.#end(text, "cancelled", "too-large");
      return;
    }
    if (append !== "") text.append(append);
    if (end !== undefined) this.#end(text, end, reason);
  }

  #end(text: HeardText, state: "finished" | "cancelled", reason?: string): void {
    text.end(state, reason);
    this.#counted[state] += 1;
    this.#open.delete(text.id);
    this.#remember(text.id);
    if (state !== "cancelled" || this.#isOver) return;
    // Nobody has it yet, and nobody needs it any more.
    this.#unread = this.#unread.filter((waiting) => waiting !== text);
    this.#freeRoom();
  }

  #remember(id: number): void {
    this.#ended.add(id);
    if (this.#ended.size > ENDED_TEXTS) this.#ended.delete(this.#ended.values().next().value as number);
  }

  #push(text: HeardText): Promise<void> | undefined {
    const reader = this.#readers.shift();
    if (reader !== undefined) {
      reader.resolve({ done: false, value: text });
      return undefined;
    }
    this.#unread.push(text);
    if (this.#unread.length < UNREAD_TEXTS) return undefined;
    this.#room ??= Promise.withResolvers<void>();
    return this.#room.promise;
  }

  #next(): Promise<IteratorResult<HeardText, undefined>> {
    const text = this.#unread.shift();
    if (text !== undefined) {
      this.#freeRoom();
      return Promise.resolve({ done: false, value: text });
    }
    if (this.#isOver) return Promise.resolve({ done: true, value: undefined });
    const reader = Promise.withResolvers<IteratorResult<HeardText, undefined>>();
    this.#readers.push(reader);
    return reader.promise;
  }

  #freeRoom(): void {
    if (this.#unread.length >= UNREAD_TEXTS) return;
    this.#room?.resolve();
    this.#room = undefined;
  }
}
