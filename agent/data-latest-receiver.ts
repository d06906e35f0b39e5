import type { Clock } from "../codecs/clock.ts";
import type { DataFormatName } from "../codecs/data-formats.ts";
import { type DataValue, decodeData } from "../codecs/data-message.ts";
import type { FrameProfile } from "../codecs/frame.ts";
import type { ReceiptTotals } from "../codecs/receipt.ts";
import type { Attribution, UnattributedFrames } from "../sfu/attribution.ts";
import type { CheckpointCheck } from "../sfu/checkpoint-check.ts";
import type { ReceiptTracker } from "../sfu/receipt-tracker.ts";
import type { Relay } from "../sfu/relay.ts";
import type { UnpackedFrames } from "../sfu/unpacking.ts";
import type { AdmissionRow } from "../signaling/admission.ts";
import type { DataMessage } from "./call-data.ts";
import type { FrameFate, FrameWatch } from "./frame-fate.ts";
import { FrameIntake, type FrameIntakeCounters, type PacketTap } from "./frame-intake.ts";
import type { PeerClock } from "./heard-row.ts";
import type { MediaTime } from "./media-time.ts";
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

/**
 * One data stream of latest values as its listener: each frame is judged as the relay did (`FrameIntake`), and one value at most waits for a reader, the newest,
 * for no longer than the stream's deadline.
 */
export class LatestReceiver {
  readonly #clock: Clock;
  readonly #time: MediaTime;
  readonly #stream: number;
  readonly #format: DataFormatName;
  readonly #deadlineMs: number;
  readonly #speaker: string;
  readonly #intake: FrameIntake;
  readonly #receipts: ReceiptTracker;
  readonly #attribution: Attribution;
  readonly #stopsUnattributed: boolean;
  readonly #unattributed: (frames: UnattributedFrames) => void;
  readonly #receipt: (bytes: Uint8Array) => void;
  readonly #hasRoom: () => boolean;
  readonly #watch: FrameWatch | undefined;
  /** Readers that wait look again: something came, was attributed, or nothing more will come. */
  #change = Promise.withResolvers<void>();
  #unread: Unread | undefined;
  #newest = Number.NEGATIVE_INFINITY;
  #isHeld = false;
  #finished = false;
  #receiptCount = 0;
  #replaced = 0;
  #stale = 0;
  #overtaken = 0;
  #undecodable = 0;

  constructor(options: {
    readonly clock: Clock;
    readonly time: MediaTime;
    /** A table of its own, holding `row`. */
    readonly admission: Relay;
    readonly row: AdmissionRow;
    readonly receipts: ReceiptTracker;
    readonly checkpoints: CheckpointCheck;
    readonly attribution: Attribution;
    readonly format: DataFormatName;
    readonly deadlineMs: number;
    /** Whether nothing more is handed out while something that was is not attributed. */
    readonly stopsUnattributed: boolean;
    /** Told of values that were not attributed in time. */
    readonly unattributed: (frames: UnattributedFrames) => void;
    readonly speaker: string;
    /** Takes a signed receipt for the flow's reliable stream. */
    readonly receipt: (bytes: Uint8Array) => void;
    /** Whether there is room for another receipt. Default: always. */
    readonly hasRoom?: () => boolean;
    /** Must not throw. */
    readonly tap?: PacketTap | undefined;
    /** Must not throw. */
    readonly watch?: FrameWatch | undefined;
  }) {
    this.#clock = options.clock;
    this.#time = options.time;
    this.#stream = options.row.stream;
    this.#format = options.format;
    this.#deadlineMs = options.deadlineMs;
    this.#speaker = options.speaker;
    this.#receipts = options.receipts;
    this.#attribution = options.attribution;
    this.#stopsUnattributed = options.stopsUnattributed;
    this.#unattributed = options.unattributed;
    this.#receipt = options.receipt;
    this.#hasRoom = options.hasRoom ?? (() => true);
    this.#watch = options.watch;
    this.#intake = new FrameIntake({
      ...options,
      taken: (frames, now) => this.#taken(frames, now),
      refused: (sequence, reason, now) => {
        this.#receipts.refused();
        this.#tell("refused", sequence, now, reason);
      },
    });
  }

  get counters(): LatestReceiverCounters {
    const taken = this.#intake.counters;
    return {
      ...taken,
      missing: taken.expected - taken.verified,
      replaced: this.#replaced,
      stale: this.#stale,
      overtaken: this.#overtaken,
      undecodable: this.#undecodable,
      unread: this.#unread === undefined ? 0 : 1,
      unattributed: this.#attribution.unattributed,
      isStopped: this.#isStopped,
    };
  }

  /** What the receipts signed so far add up to. A value counts as heard when a reader took it. */
  get receipts(): ReceiptTotals & { readonly receipts: number } {
    return { ...this.#receipts.totals(), receipts: this.#receiptCount };
  }

  /** Stream id. */
  get stream(): number {
    return this.#stream;
  }

  /** Reads the newest value there is, again and again. Readers share them: each value goes to one. */
  messages(): AsyncIterator<DataMessage<DataValue>, undefined> {
    return {
      next: () => this.#next(),
      return: async () => ({ done: true, value: undefined }),
    };
  }

  /** One datagram of this flow, valid during the call; `held` as in `FlowSink`. */
  datagram(bytes: Uint8Array, held = 0): void {
    this.#intake.datagram(bytes, held);
  }

  /** One frame that came on a stream, valid during the call. */
  item(bytes: Uint8Array): void {
    this.#intake.item(bytes);
  }

  /** One checkpoint of the speaker. */
  checkpoint(bytes: Uint8Array): void {
    this.#intake.checkpoint(bytes);
    this.#wake();
  }

  /** Values come on another flow from now on: the call goes on over another connection. */
  moveTo(flow: number): void {
    this.#intake.moveTo(flow);
    this.#attribution.forget(this.#clock.now());
    this.#wake();
  }

  /** Another process speaks from now on, with this key: a value of the one before is news no more. */
  takeKey(key: HeardKey, expiresAt: number): void {
    this.#intake.takeKey(key, expiresAt);
    const unattributed = this.#attribution.changeSpeaker();
    if (unattributed !== undefined) this.#unattributed(unattributed);
    this.#newest = Number.NEGATIVE_INFINITY;
    this.#intake.judgeEarly();
    this.#wake();
  }

  /** The speaker goes by another clock from now on. */
  takeClock(clock: PeerClock): void {
    this.#intake.takeClock(clock);
  }

  /** Hands nothing out until `goOn`: the call is suspended. Idempotent. */
  stop(): void {
    this.#isHeld = true;
  }

  goOn(): void {
    this.#isHeld = false;
    this.#wake();
  }

  /** Whether the terms of this number let the other end send: what it may not send is not taken. */
  underTerms(termsNumber: number, transmitAllowed: boolean): void {
    this.#intake.underTerms(termsNumber, transmitAllowed);
  }

  /** Values are of this profile from now on, by the terms of this number; those on their way are of the one before. */
  useProfile(profile: FrameProfile, termsNumber: number): void {
    this.#intake.useProfile(profile, termsNumber);
  }

  /** The other end may begin to use this profile before this end is told so. */
  expectProfile(profile: FrameProfile): void {
    this.#intake.expectProfile(profile);
  }

  /** Nothing of the speaker can come until `reached`: the time in which it is to be attributed does not count. Idempotent. */
  cutOff(): void {
    this.#attribution.pause(this.#clock.now());
  }

  reached(): void {
    this.#attribution.resume(this.#clock.now());
  }

  /** Signs receipts that have fallen due. */
  poll(now: number): void {
    if (this.#finished) return;
    this.#attribute(now);
    if (!this.#hasRoom()) return;
    const due = this.#receipts.poll(now, this.#time.wallAt(now));
    if (due !== undefined) this.#owe(due);
  }

  /** Signs the final receipt; readers get the end. Idempotent. */
  finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#intake.finish();
    for (const receipt of this.#receipts.finish(this.#time.wall())) this.#owe(receipt);
    this.#unread = undefined;
    this.#wake();
  }

  get #isStopped(): boolean {
    return this.#stopsUnattributed && !this.#finished && this.#attribution.isBroken;
  }

  async #next(): Promise<IteratorResult<DataMessage<DataValue>, undefined>> {
    for (;;) {
      if (this.#finished) return { done: true, value: undefined };
      const now = this.#clock.now();
      this.#attribute(now);
      const message = this.#isStopped || this.#isHeld ? undefined : this.#take(now);
      if (message !== undefined) return { done: false, value: message };
      await this.#change.promise;
    }
  }

  /** What waits, unless it has become too old meanwhile. */
  #take(now: number): DataMessage<DataValue> | undefined {
    const unread = this.#unread;
    if (unread === undefined) return undefined;
    this.#unread = undefined;
    const age = Math.max(0, this.#time.wallAt(now) - unread.sentAt);
    if (age > this.#deadlineMs) {
      this.#stale += 1;
      return undefined;
    }
    this.#receipts.heard(unread.sequence);
    this.#attribution.played(unread.sequence, now);
    return { ...unread, age, speaker: this.#speaker, verified: true };
  }

  #taken({ own }: UnpackedFrames, now: number): void {
    const { sequence, captured, payload } = own;
    this.#receipts.received(sequence);
    this.#attribute(now);
    const isOvertaken = sequence < this.#newest;
    const isStale = this.#time.wallAt(now) - captured > this.#deadlineMs;
    if (isOvertaken || isStale) {
      if (isOvertaken) this.#overtaken += 1;
      else this.#stale += 1;
      this.#receipts.late();
      this.#tell("late", sequence, now);
      return;
    }
    this.#newest = sequence;
    this.#tell("verified", sequence, now);
    const decoded = decodeData(this.#format, payload);
    if (!decoded.ok) {
      this.#undecodable += 1;
      return;
    }
    if (this.#unread !== undefined) this.#replaced += 1;
    this.#unread = { value: decoded.value, sequence, sentAt: captured };
    this.#wake();
  }

  #attribute(now: number): void {
    for (let frames = this.#attribution.poll(now); frames !== undefined; frames = this.#attribution.poll(now))
      this.#unattributed(frames);
  }

  #wake(): void {
    this.#change.resolve();
    this.#change = Promise.withResolvers<void>();
  }

  #owe(receipt: Uint8Array): void {
    this.#receiptCount += 1;
    this.#receipt(receipt);
  }

  #tell(fate: FrameFate["fate"], sequence: number | undefined, at: number, reason?: string): void {
    this.#watch?.({
      direction: "heard",
      stream: this.#stream,
      sequence,
      fate,
      at,
      ...(reason === undefined ? {} : { reason }),
    });
  }
}
