import { ParleyError } from "../codecs/parley-error.ts";
import { MAX_STREAMS } from "../signaling/offer.ts";
import type { StreamMedia } from "./stream-media.ts";
import type { StreamParameters } from "./stream-parameters.ts";

export interface StreamsToComeOptions {
  /** Those that the terms in force name. */
  readonly agreed: () => readonly number[];
  readonly isKnown: (stream: number) => boolean;
  /** Makes a stream as it is laid out; undefined where it is not wanted any more by then. */
  readonly make: (stream: number, entries: readonly StreamParameters[]) => Promise<StreamMedia | undefined>;
  /** One that both ends agreed on cannot be made here. */
  readonly failed: (stream: number, error: unknown) => void;
}

/** The streams of a call that are still to be made: each once the server has laid it out and the terms name it. */
export class StreamsToCome {
  readonly #options: StreamsToComeOptions;
  /** Where they are on the present connection. */
  readonly #layout = new Map<number, readonly StreamParameters[]>();
  readonly #making = new Map<number, Promise<StreamMedia | undefined>>();
  readonly #waiters = new Map<number, PromiseWithResolvers<StreamMedia>>();

  constructor(options: StreamsToComeOptions) {
    this.#options = options;
  }

  /** They lie so on the present connection. */
  layOut(entries: readonly StreamParameters[]): void {
    for (const stream of new Set(entries.map((entry) => entry.stream))) {
      const isKnown = this.#options.isKnown(stream) || this.#layout.has(stream);
      const mine = entries.filter((entry) => entry.stream === stream && !entry.isClosed);
      const hasRoom = this.#layout.size < MAX_STREAMS;
      if (!isKnown && hasRoom && mine.length > 0) this.#layout.set(stream, mine);
    }
  }

  /** There is no connection: nothing is laid out any more. */
  forgetLayout(): void {
    this.#layout.clear();
  }

  /** Begins to make what the terms name and is laid out, and is not there or being made. */
  make(): void {
    const { agreed, isKnown, make, failed } = this.#options;
    for (const stream of agreed()) {
      const entries = this.#layout.get(stream);
      if (entries === undefined || isKnown(stream) || this.#making.has(stream)) continue;
      this.#layout.delete(stream);
      const making = make(stream, entries).finally(() => {
        this.#making.delete(stream);
        // The connection may be another one meanwhile.
        this.make();
      });
      this.#making.set(stream, making);
      making.then(
        (media) => media !== undefined && this.#settle(stream, ({ resolve }) => resolve(media)),
        (error: unknown) => {
          this.#settle(stream, ({ reject }) => reject(error));
          failed(stream, error);
        },
      );
    }
  }

  /** Resolves when nothing is being made. Throws what that fails with. */
  async ready(): Promise<void> {
    await Promise.all(this.#making.values());
  }

  /** Resolves with a stream that the terms name once it is made. Throws what that fails with, and `closed` where it is closed before. */
  async opened(stream: number): Promise<StreamMedia> {
    const waiter = this.#waiters.get(stream) ?? Promise.withResolvers<StreamMedia>();
    this.#waiters.set(stream, waiter);
    this.dropClosed();
    return await waiter.promise;
  }

  /** Who waits for a stream that the terms do not name any more waits in vain. */
  dropClosed(): void {
    const agreed = this.#options.agreed();
    this.#drop((stream) => !agreed.includes(stream), "The stream was closed.");
  }

  /** The call is over. */
  finish(): void {
    this.#drop(() => true, "The call has ended.");
  }

  #drop(isOver: (stream: number) => boolean, message: string): void {
    for (const stream of this.#waiters.keys())
      if (isOver(stream))
        this.#settle(stream, ({ reject }) => reject(new ParleyError({ code: "closed", message })));
  }

  #settle(stream: number, settle: (waiter: PromiseWithResolvers<StreamMedia>) => void): void {
    const waiter = this.#waiters.get(stream);
    this.#waiters.delete(stream);
    if (waiter !== undefined) settle(waiter);
  }
}
