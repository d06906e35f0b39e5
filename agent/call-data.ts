import type { JsonValue } from "../codecs/canonical-json.ts";
import type { DataFormatName } from "../codecs/data-formats.ts";
import {
  type DataValue,
  encodeData,
  MAX_DATA_MESSAGE_BYTES,
  MAX_LATEST_MESSAGE_BYTES,
} from "../codecs/data-message.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import { CallStream, type StreamControl, type StreamFacts } from "./call-stream.ts";
import type { LatestReceiver, LatestReceiverCounters } from "./data-latest-receiver.ts";
import { type LatestFate, LatestSender, type LatestSenderCounters } from "./data-latest-sender.ts";
import type { DataReceiver, DataReceiverCounters } from "./data-receiver.ts";
import type { DataSender, DataSenderCounters } from "./data-sender.ts";

/** One message of the other end. Its signature held: nothing else is handed out. */
export interface DataMessage<Value extends DataValue = JsonValue> {
  readonly value: Value;
  /** Agent-ID of who signed it. */
  readonly speaker: string;
  /** 48 bits; each message's is one more than the last's. Of latest values some are missing. */
  readonly sequence: number;
  /** When it was sent, Unix milliseconds by this machine's clock. */
  readonly sentAt: number;
  /** Milliseconds from then until it was handed out, give or take what the two clocks are unsure of. */
  readonly age: number;
  readonly verified: true;
}

/** What a data stream counted at this end: each side undefined where nothing flows that way. */
export interface DataStats {
  readonly sent: DataSenderCounters | LatestSenderCounters | undefined;
  readonly heard: DataReceiverCounters | LatestReceiverCounters | undefined;
}

/**
 * The structured data of one stream, both ways, each message signed by its speaker. On a reliable stream messages arrive whole and in order. On one of
 * latest values each may be lost, a newer one takes the place of one that waits, and none is older than the stream's deadline.
 */
export class CallData<Value extends DataValue = JsonValue>
  extends CallStream
  implements AsyncIterable<DataMessage<Value>>
{
  /** `json`: any JSON value. `text`: strings. `binary`: `Uint8Array`. */
  readonly format: DataFormatName;
  /** What the streams of a call are told apart by, where it was given one. */
  readonly label: string | undefined;
  readonly #sender: DataSender | LatestSender | undefined;
  readonly #receiver: DataReceiver | LatestReceiver | undefined;

  /** @internal */
  constructor(
    facts: StreamFacts,
    control: StreamControl,
    media: {
      readonly format: DataFormatName;
      readonly label: string | undefined;
      readonly sender: DataSender | LatestSender | undefined;
      readonly receiver: DataReceiver | LatestReceiver | undefined;
    },
  ) {
    super(facts, control);
    this.format = media.format;
    this.label = media.label;
    this.#sender = media.sender;
    this.#receiver = media.receiver;
  }

  /** Whether this end may send. */
  get sends(): boolean {
    return this.#sender !== undefined && this.state === "open";
  }

  /**
   * Sends one value: JSON, a text or bytes, as the stream's format says. Resolves on a reliable stream when the carrier took it (`sent`): awaiting it is what
   * keeps a writer at the pace of the network and of the other end's reader. On one of latest values it resolves when it left, when a newer one took its place
   * (`replaced`), or when it did not leave within the deadline (`dropped`).
   *
   * Throws `too-large` for more than 16 KiB (1,024 bytes of latest values), `json-unrepresentable` or `field-invalid` for what is not of the format,
   * `buffer-full` when 256 sends wait, `data-stalled` when nothing moved for 20 s (no more can be sent then), `closed` after the end, `field-invalid` when
   * this end does not send data.
   */
  async send(value: unknown): Promise<LatestFate> {
    const sender = this.#sender;
    if (sender === undefined) {
      throw new ParleyError({ code: "field-invalid", message: "This end of the call does not send data." });
    }
    if (this.state === "closed")
      throw new ParleyError({ code: "closed", message: "The stream, or its call, has ended." });
    if (sender instanceof LatestSender) {
      return await sender.send(encodeData(this.format, value, MAX_LATEST_MESSAGE_BYTES));
    }
    await sender.send(encodeData(this.format, value, MAX_DATA_MESSAGE_BYTES));
    return "sent";
  }

  /** What was counted so far. */
  stats(): DataStats {
    return { sent: this.#sender?.counters, heard: this.#receiver?.counters };
  }

  /**
   * Messages of the other end, from the first one on, until the call ends. Readers share them: each message goes to one. While
   * 64 wait unread the other end's `send` waits too; after 1 s of that both ends are told (`quality`, reason `slow-receiver`), after 10 s the stream is given
   * up, and reading throws `data-unread` once what waited has been read. It throws `data-contradicted` when the other end signed a message and then a
   * checkpoint that lists another one in its place: `details.sequence` says which. Of latest values one waits, the newest; nothing is ever given up.
   */
  [Symbol.asyncIterator](): AsyncIterator<DataMessage<Value>, undefined> {
    // What is decoded is of the stream's format.
    if (this.#receiver !== undefined)
      return this.#receiver.messages() as AsyncIterator<DataMessage<Value>, undefined>;
    return { next: async () => ({ done: true, value: undefined }) };
  }
}
