/** Two ends of a labelled stream in one process: for tests of what goes over such streams. */

import type { DataMessage } from "../agent/call-data.ts";
import type { LabelledStream } from "../agent/data-labelled.ts";
import { MessageQueue } from "../agent/message-queue.ts";
import type { Clock } from "../codecs/clock.ts";
import { type DataValue, decodeDataMessage, encodeDataMessage } from "../codecs/data-message.ts";

/** Messages that may be on their way before a writer waits. */
const ON_THE_WAY = 4;

/** One end: what the other end sends is read from it. */
export class PipeEnd implements LabelledStream {
  readonly sends = true;
  /** All that was sent from here, as it went. */
  readonly sent: unknown[] = [];
  readonly #clock: Clock;
  readonly #speaker: string;
  readonly #incoming = new MessageQueue<DataMessage<DataValue>>(ON_THE_WAY);
  /** How long a message takes, ms. */
  delay = 0;
  other: PipeEnd = this;

  constructor(clock: Clock, speaker: string) {
    this.#clock = clock;
    this.#speaker = speaker;
  }

  async send(value: unknown): Promise<void> {
    const sentAt = this.#clock.wall();
    const payload = encodeDataMessage(value);
    this.sent.push(value);
    if (this.delay > 0) await this.#after(this.delay);
    const read = decodeDataMessage(payload);
    if (!read.ok) throw new Error("not what was written");
    const age = this.#clock.wall() - sentAt;
    const message = {
      value: read.value,
      speaker: this.#speaker,
      sequence: 0,
      sentAt,
      age,
      verified: true,
    } as const;
    await this.other.#incoming.push(message);
  }

  /** Nothing more comes here. */
  end(): void {
    this.#incoming.end();
  }

  [Symbol.asyncIterator](): AsyncIterator<DataMessage<DataValue>, undefined> {
    return this.#incoming[Symbol.asyncIterator]();
  }

  async #after(ms: number): Promise<void> {
    const due = Promise.withResolvers<void>();
    this.#clock.at(this.#clock.now() + ms, () => due.resolve());
    await due.promise;
  }
}

/** Both ends of a stream: of `ada` and of `bob`. */
export function pipe(clock: Clock): readonly [PipeEnd, PipeEnd] {
  const [ada, bob] = [new PipeEnd(clock, "ada"), new PipeEnd(clock, "bob")];
  ada.other = bob;
  bob.other = ada;
  return [ada, bob];
}
