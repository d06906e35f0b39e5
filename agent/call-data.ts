import type { JsonValue } from "../codecs/canonical-json.ts";
import { encodeDataMessage } from "../codecs/data-message.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import type { DataReceiver } from "./data-receiver.ts";
import type { DataSender } from "./data-sender.ts";

/** One message of the other end. Its signature held: nothing else is handed out. */
export interface DataMessage {
  readonly value: JsonValue;
  /** Agent-ID of who signed it. */
  readonly speaker: string;
  /** 48 bits; each message's is one more than the last's. */
  readonly sequence: number;
  /** When it was sent, Unix milliseconds by this machine's clock. */
  readonly sentAt: number;
  readonly verified: true;
}

/** The structured data of one call, both ways: messages that arrive whole, in order, each signed by its speaker. */
export class CallData implements AsyncIterable<DataMessage> {
  readonly #sender: DataSender | undefined;
  readonly #receiver: DataReceiver | undefined;

  /** @internal */
  constructor(sender: DataSender | undefined, receiver: DataReceiver | undefined) {
    this.#sender = sender;
    this.#receiver = receiver;
  }

  /** Whether this end may send. */
  get sends(): boolean {
    return this.#sender !== undefined;
  }

  /**
   * Sends one JSON value. Resolves when the carrier took it: awaiting it is what keeps a writer at the pace of the network and of
   * the other end's reader. Throws `too-large` for more than 16 KiB, `json-unrepresentable`, `buffer-full` when 256 sends wait,
   * `data-stalled` when nothing moved for 20 s (no more can be sent then), `closed` after the end, `field-invalid` when this end
   * does not send data.
   */
  async send(value: unknown): Promise<void> {
    if (this.#sender === undefined) {
      throw new ParleyError({ code: "field-invalid", message: "This end of the call does not send data." });
    }
    await this.#sender.send(encodeDataMessage(value));
  }

  /**
   * Messages of the other end, from the first one on, until the call ends. Readers share them: each message goes to one. While
   * 64 wait unread the other end's `send` waits too; after 10 s of that the stream is given up, and reading throws `data-unread`
   * once what waited has been read. It throws `data-contradicted` when the other end signed a message and then a checkpoint that
   * lists another one in its place: `details.sequence` says which.
   */
  [Symbol.asyncIterator](): AsyncIterator<DataMessage, undefined> {
    if (this.#receiver !== undefined) return this.#receiver.messages();
    return { next: async () => ({ done: true, value: undefined }) };
  }
}
