import type { DataFormatName } from "../codecs/data-formats.ts";
import { type DataValue, decodeData } from "../codecs/data-message.ts";
import type { UnpackedFrames } from "../sfu/unpacking.ts";
import type { DataMessage } from "./call-data.ts";
import type { FrameIntakeCounters } from "./frame-intake.ts";
import { HeardFrames, type HeardStreamOptions } from "./heard-stream.ts";
import type { HeardKey } from "./tag-keys.ts";

export interface LatestReceiverCounters extends FrameIntakeCounters {
  /** Numbers among those expected that have not come: lost, or not sent. */
  readonly missing: number;
  /** Values that a newer one took the place of before anybody read them: the reader is slower than the writer. */
  readonly replaced: number;
  /** Values that came, or were still unread, past the stream's deadline. */
  readonly stale: number;
  /** Values that came after a newer one. */
  readonly overtaken: number;
  /** Values that verified and are not what the format promises. */
  readonly undecodable: number;
  /** 1 while a value waits for a reader. */
  readonly unread: number;
  /** Values of profile `chain` that were not attributed in time, and whether none is handed out for it now. */
  readonly unattributed: number;
  readonly isStopped: boolean;
}

/** A value that waits for a reader. */
interface Unread {
  readonly value: DataValue;
  readonly sequence: number;
  /** By this machine's clock, Unix milliseconds. */
  readonly sentAt: number;
}

export interface LatestReceiverOptions extends HeardStreamOptions {
  readonly format: DataFormatName;
  readonly deadlineMs: number;
}

/**
 * One data stream of latest values as its listener: one value at most waits for a reader, the newest, for no longer than the stream's deadline. A value counts as
 * heard when a reader took it.
 */
export class LatestReceiver extends HeardFrames {
  readonly #options: LatestReceiverOptions;
  /** Readers that wait look again: something came, was attributed, or nothing more will come. */
  #change = Promise.withResolvers<void>();
  #unread: Unread | undefined;
  #newest = Number.NEGATIVE_INFINITY;
  #isHeld = false;
  #replaced = 0;
  #stale = 0;
  #overtaken = 0;
  #undecodable = 0;

  constructor(options: LatestReceiverOptions) {
    super(options);
    this.#options = options;
  }

  get counters(): LatestReceiverCounters {
    const taken = this.intake.counters;
    return {
      ...taken,
      missing: taken.expected - taken.verified,
      replaced: this.#replaced,
      stale: this.#stale,
      overtaken: this.#overtaken,
      undecodable: this.#undecodable,
      unread: this.#unread === undefined ? 0 : 1,
      unattributed: this.#options.attribution.unattributed,
      isStopped: this.#isStopped,
    };
  }

  /** Reads the newest value there is, again and again. Readers share them: each value goes to one. */
  messages(): AsyncIterator<DataMessage<DataValue>, undefined> {
    return {
      next: () => this.#next(),
      return: async () => ({ done: true, value: undefined }),
    };
  }

  override checkpoint(bytes: Uint8Array): void {
    super.checkpoint(bytes);
    this.#wake();
  }

  override moveTo(flow: number): void {
    super.moveTo(flow);
    this.#wake();
  }

  override takeKey(key: HeardKey, expiresAt: number): void {
    super.takeKey(key, expiresAt);
    this.#wake();
  }

  /** Hands nothing out until `release`: the call is suspended. Idempotent. */
  hold(): void {
    this.#isHeld = true;
  }

  release(): void {
    this.#isHeld = false;
    this.#wake();
  }

  protected override over(): void {
    this.#unread = undefined;
    this.#wake();
  }

  /** A value of the process before is news no more. */
  protected speakerChanged(): void {
    this.#newest = Number.NEGATIVE_INFINITY;
  }

  protected taken({ own }: UnpackedFrames, now: number): void {
    const { deadlineMs, format, receipts, time } = this.#options;
    const { sequence, captured, payload } = own;
    receipts.received(sequence);
    this.attribute(now);
    const isOvertaken = sequence < this.#newest;
    const isStale = time.wallAt(now) - captured > deadlineMs;
    if (isOvertaken || isStale) {
      if (isOvertaken) this.#overtaken += 1;
      else this.#stale += 1;
      receipts.late();
      this.tell("late", sequence, now);
      return;
    }
    this.#newest = sequence;
    this.tell("verified", sequence, now);
    const decoded = decodeData(format, payload);
    if (!decoded.ok) {
      this.#undecodable += 1;
      return;
    }
    if (this.#unread !== undefined) this.#replaced += 1;
    this.#unread = { value: decoded.value, sequence, sentAt: captured };
    this.#wake();
  }

  get #isStopped(): boolean {
    return !this.isFinished && this.isBroken;
  }

  async #next(): Promise<IteratorResult<DataMessage<DataValue>, undefined>> {
    for (;;) {
      if (this.isFinished) return { done: true, value: undefined };
      const { now } = this;
      this.attribute(now);
      const message = this.#isStopped || this.#isHeld ? undefined : this.#take(now);
      if (message !== undefined) return { done: false, value: message };
      await this.#change.promise;
    }
  }

  /** What waits, unless it has become too old meanwhile. */
  #take(now: number): DataMessage<DataValue> | undefined {
    const { attribution, deadlineMs, receipts, speaker, time } = this.#options;
    const unread = this.#unread;
    if (unread === undefined) return undefined;
    this.#unread = undefined;
    const age = Math.max(0, time.wallAt(now) - unread.sentAt);
    if (age > deadlineMs) {
      this.#stale += 1;
      return undefined;
    }
    receipts.heard(unread.sequence);
    attribution.played(unread.sequence, now);
    return { ...unread, age, speaker, verified: true };
  }

  #wake(): void {
    this.#change.resolve();
    this.#change = Promise.withResolvers<void>();
  }
}
