import type { DataFormatName } from "../codecs/data-formats.ts";
import { type DataValue, decodeData } from "../codecs/data-message.ts";
import type { FrameProfile } from "../codecs/frame.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import type { Verdict } from "../sfu/relay-io.ts";
import type { Refusal } from "../signaling/admission.ts";
import type { DataMessage } from "./call-data.ts";
import { ageOf, HeardRow, type PeerClock } from "./heard-row.ts";
import { HeardStream, type HeardStreamOptions } from "./heard-stream.ts";
import { MessageQueue } from "./message-queue.ts";
import type { HeardKey } from "./tag-keys.ts";

/** Verified messages that wait for a reader; at that many the stream is not read on, so that the other end waits as well. */
const UNREAD_MESSAGES = 64;
/** How long that may last, ms, before both ends are told that the reader is slow. */
const SLOW_READER_MS = 1_000;
/** The reader is slow no more once so many wait. */
const CAUGHT_UP_MESSAGES = 16;
/** How long it may last, ms. Then the stream is given up: what waits in it must not grow stale, nor hold up the connection. */
const READER_STALL_MS = 10_000;
/** How long a message waits, and the stream with it, for the news of the key that signed it, ms. */
const KEY_NEWS_MS = 5_000;

export interface DataReceiverCounters {
  readonly verified: number;
  readonly refused: Readonly<Partial<Record<Refusal, number>>>;
  /** Messages that verified and are not what the format promises; not handed out. */
  readonly undecodable: number;
  /** Sequence numbers passed over: refused on the way, or withheld. */
  readonly missing: number;
  /** Messages that wait for a reader. */
  readonly unread: number;
  /** The reader takes less than comes, and both ends were told. */
  readonly isSlow: boolean;
  /** The stream was given up: nobody read, or its speaker contradicted what was read. */
  readonly givenUp: boolean;
  /** Messages of profile `chain` that were not attributed in time, and whether none is handed out for it now. */
  readonly unattributed: number;
  readonly isStopped: boolean;
  /** Checkpoints of the speaker that held, and that did not; frames that verified and that a checkpoint lists otherwise. */
  readonly checkpoints: { readonly good: number; readonly bad: number; readonly contradicted: number };
}

export interface DataReceiverOptions extends HeardStreamOptions {
  /** What the messages are written in. */
  readonly format: DataFormatName;
  /** Told when the reader takes less than comes for a while, and when it has caught up. */
  readonly slow: (isSlow: boolean) => void;
  /** The least number of the first message. Default 0. */
  readonly nextSequence?: number | undefined;
}

/** One data stream as its listener: judges each frame as the relay did, and hands out the messages in order. A message counts as heard when a reader took it. */
export class DataReceiver extends HeardStream {
  readonly #options: DataReceiverOptions;
  readonly #place: HeardRow;
  /** Resolves when the other end's next media key is known. */
  #nextKey = Promise.withResolvers<void>();
  /** Readers that wait until what was handed out is attributed. */
  #attributed = Promise.withResolvers<void>();
  readonly #queue = new MessageQueue<Omit<DataMessage<DataValue>, "age">>(UNREAD_MESSAGES);
  #isSlow = false;
  /** Why the stream was given up. */
  #failure: ParleyError | undefined;
  /** Since when nothing comes: this end has no connection, or the call is suspended. */
  #heldAt: number | undefined;
  #last: number | undefined;
  #next: number;
  #verified = 0;
  #undecodable = 0;
  #missing = 0;
  #goodCheckpoints = 0;
  #badCheckpoints = 0;
  #contradicted = 0;

  constructor(options: DataReceiverOptions) {
    super(options);
    this.#options = options;
    this.#next = options.nextSequence ?? 0;
    this.#place = new HeardRow(options.admission, options.row);
  }

  get counters(): DataReceiverCounters {
    return {
      verified: this.#verified,
      refused: this.#options.admission.counters(this.#options.row.sessionId)[0]?.refused ?? {},
      undecodable: this.#undecodable,
      missing: this.#missing,
      unread: this.#queue.size,
      isSlow: this.#isSlow,
      givenUp: this.#failure !== undefined,
      unattributed: this.#options.attribution.unattributed,
      isStopped: this.#isStopped,
      checkpoints: {
        good: this.#goodCheckpoints,
        bad: this.#badCheckpoints,
        contradicted: this.#contradicted,
      },
    };
  }

  /** Reads what arrives. Readers share the messages. */
  messages(): AsyncIterator<DataMessage<DataValue>, undefined> {
    const { attribution, receipts, time } = this.#options;
    const items = this.#queue[Symbol.asyncIterator]();
    return {
      next: async () => {
        await this.#mayHandOut();
        const next = await items.next();
        if (next.done === true) return next;
        const now = this.now;
        const message = { ...next.value, age: Math.max(0, time.wallAt(now) - next.value.sentAt) };
        if (this.isFinished) return { done: false, value: message };
        receipts.heard(message.sequence);
        attribution.played(message.sequence, now);
        if (this.#isSlow && this.#queue.size <= CAUGHT_UP_MESSAGES) this.#tellSlow(false);
        return { done: false, value: message };
      },
      return: async () => ({ done: true, value: undefined }),
    };
  }

  /** Whether the terms of this number let the other end send: what it may not send is not taken. */
  underTerms(termsNumber: number, transmitAllowed: boolean): void {
    const { connection, flow } = this.#place.present;
    const message = { kind: "terms", connection, flow, termsNumber, transmitAllowed } as const;
    this.#options.admission.apply(message, this.now);
  }

  /** One datagram of this flow, where no data frame belongs: counted as refused. */
  datagram(bytes: Uint8Array): void {
    const { now } = this;
    const { admission, clock, row, time } = this.#options;
    const verdict = admission.admit(row.connection, bytes, now, time.wallAt(now), clock.wall());
    void this.#judged(verdict, bytes, now);
  }

  /**
   * One frame of the flow's stream, valid during the call. Where it returns a promise no more is to be given until that resolves;
   * it rejects with `data-unread` or `data-contradicted` when the stream is given up.
   */
  item(bytes: Uint8Array): Promise<void> | undefined {
    const { now } = this;
    const { admission, clock, time } = this.#options;
    const { connection, flow } = this.#place.present;
    const verdict = admission.admitItem(connection, flow, bytes, now, time.wallAt(now), clock.wall());
    if (verdict.outcome === "key-generation" && this.#place.isAhead(verdict.view.keyGeneration)) {
      return this.#afterKey(bytes.slice());
    }
    const room = this.#judged(verdict, bytes, now);
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return room === undefined ? undefined : this.#waitFor(room);
  }

  /** What comes next has at least this number. */
  get nextSequence(): number {
    return this.#next;
  }

  /** Messages come on another flow from now on: the call goes on over another connection, and some may be missing. */
  moveTo(flow: number): void {
    this.#place.moveTo(flow, this.now);
    this.release();
    this.#options.checkpoints.resume();
    this.#options.attribution.forget(this.now);
    this.#wakeReaders();
  }

  /** Nothing comes until `release`: this end has no connection, or the call is suspended. Idempotent. */
  hold(): void {
    this.#heldAt ??= this.now;
  }

  /** What was on its way meanwhile is as good as before. */
  release(): void {
    if (this.#heldAt !== undefined) this.#place.stoodStill(this.#heldAt, this.now);
    this.#heldAt = undefined;
  }

  /** Another process speaks from now on, with this key. The numbers that it passes over are not counted as missing. */
  takeKey(key: HeardKey, expiresAt: number): void {
    this.#place.takeKey(key, expiresAt, this.now);
    this.#options.checkpoints.takeKey(key.generation, key.ed25519);
    this.attributeToAnother();
    this.#wakeReaders();
    this.#last = undefined;
    this.#nextKey.resolve();
    this.#nextKey = Promise.withResolvers<void>();
  }

  /** The speaker goes by another clock from now on. */
  takeClock(clock: PeerClock): void {
    this.#place.takeClock(clock, this.now);
  }

  /** One checkpoint of the speaker. */
  checkpoint(bytes: Uint8Array): void {
    const checked = this.#options.checkpoints.check(bytes);
    if (checked.ok) {
      this.#goodCheckpoints += 1;
      this.#options.attribution.covered(checked.value, this.now);
      this.#wakeReaders();
      for (const sequence of checked.value.contradicted) this.#contradict(sequence);
    } else {
      this.#badCheckpoints += 1;
    }
  }

  /** Messages are of this profile from now on, by the terms of this number; those on their way are of the one before. */
  useProfile(profile: FrameProfile, termsNumber: number): void {
    this.#place.useProfile(profile, termsNumber, this.now);
  }

  /** The other end may begin to use this profile before this end is told so. */
  expectProfile(profile: FrameProfile): void {
    this.#place.expectProfile(profile, this.now);
  }

  poll(now: number): void {
    this.attribute(now);
    if (this.mayState) this.stateDue(now);
  }

  protected override over(): void {
    this.#queue.end();
    this.#wakeReaders();
  }

  get #isStopped(): boolean {
    return !this.isFinished && this.#failure === undefined && this.isBroken;
  }

  async #mayHandOut(): Promise<void> {
    this.attribute(this.now);
    while (this.#isStopped) await this.#attributed.promise;
  }

  #wakeReaders(): void {
    if (this.#isStopped) return;
    this.#attributed.resolve();
    this.#attributed = Promise.withResolvers<void>();
  }

  #judged(verdict: Verdict, bytes: Uint8Array, now: number): Promise<void> | undefined {
    if (this.isFinished || this.#failure !== undefined) return undefined;
    const { outcome, view } = verdict;
    const { admission, attribution, checkpoints, format, receipts, row, speaker, tap, time } = this.#options;
    if (outcome !== "admitted") {
      receipts.refused();
      this.tell("refused", verdict.sequence === -1 ? undefined : verdict.sequence, now, { reason: outcome });
      return undefined;
    }
    const { sequence } = view;
    this.#verified += 1;
    this.#missing += sequence - (this.#last ?? sequence - 1) - 1;
    this.#last = sequence;
    this.#next = sequence + 1;
    receipts.received(sequence, bytes.length);
    // Where much came, the speaker waits for a receipt before it says more.
    this.poll(now);
    const listed = checkpoints.note(sequence, admission.digest(), now);
    if (view.profile === "chain") attribution.taken(sequence, listed, ageOf(verdict, time.wallAt(now)));
    tap?.({ leg: row.leg, stream: row.stream, bytes: bytes.slice(view.start, view.end) });
    this.tell("verified", sequence, now);
    if (listed === "contradicted") {
      this.#contradict(sequence);
      return undefined;
    }
    const decoded = decodeData(format, view.payload(bytes));
    if (!decoded.ok) {
      this.#undecodable += 1;
      return undefined;
    }
    return this.#queue.push({
      value: decoded.value,
      speaker,
      sequence,
      sentAt: view.captureMs + (verdict.row?.clockOffset ?? 0),
      verified: true,
    });
  }

  /** The speaker signed one thing in a frame and another in a checkpoint: nothing it says in this stream is taken any more. */
  #contradict(sequence: number): void {
    this.#contradicted += 1;
    this.#giveUp(
      new ParleyError({
        code: "data-contradicted",
        message: "The other end signed a message and a checkpoint that lists another one in its place.",
        details: { sequence },
      }),
    );
  }

  #tellSlow(isSlow: boolean): void {
    if (isSlow === this.#isSlow || this.isFinished) return;
    this.#isSlow = isSlow;
    this.#options.slow(isSlow);
  }

  #giveUp(failure: ParleyError): void {
    this.#failure ??= failure;
    this.#queue.end(this.#failure);
    this.attribute(this.now);
    this.#wakeReaders();
  }

  /** Judges the message again once its key is known, or as unknown when that takes too long. */
  async #afterKey(bytes: Uint8Array): Promise<void> {
    const late = Promise.withResolvers<"late">();
    const since = this.now;
    const cancel = this.#options.clock.at(since + KEY_NEWS_MS, () => late.resolve("late"));
    const outcome = await Promise.race([this.#nextKey.promise, late.promise]);
    cancel();
    this.#place.stoodStill(since, this.now);
    if (outcome !== "late") return await this.item(bytes);
    this.#options.receipts.refused();
  }

  async #waitFor(room: Promise<void>): Promise<void> {
    const late = Promise.withResolvers<"late">();
    const since = this.now;
    const { clock } = this.#options;
    const cancel = clock.at(since + READER_STALL_MS, () => late.resolve("late"));
    const cancelNews = clock.at(since + SLOW_READER_MS, () => this.#tellSlow(true));
    const outcome = await Promise.race([room, late.promise]);
    cancel();
    cancelNews();
    this.#place.stoodStill(since, this.now);
    if (this.#failure !== undefined) throw this.#failure;
    if (outcome !== "late") return;
    const failure = new ParleyError({
      code: "data-unread",
      message: `${UNREAD_MESSAGES} messages waited for a reader: the stream is given up.`,
    });
    this.#giveUp(failure);
    throw failure;
  }
}
