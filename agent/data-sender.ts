import type { Clock } from "../codecs/clock.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import type { Checkpointer } from "../sfu/checkpointer.ts";
import type { FrameSender } from "../sfu/frame-sender.ts";
import { TokenBucket } from "../sfu/token-bucket.ts";
import { DATA_RATE } from "../signaling/data-stream.ts";
import type { FrameWatch } from "./frame-fate.ts";
import { type KeptMessage, KeptMessages } from "./kept-messages.ts";
import type { MediaTime } from "./media-time.ts";

/** Sends that may wait for the one before. A writer that ignores the promise of `send` meets this as `buffer-full`. */
const WAITING_MESSAGES = 256;
/** How long the carrier may take nothing, ms, before the stream is given up: sooner than a message in it would be stale. */
const STALL_MS = 20_000;
/** How long the news may take, ms, that the connection is gone which took no more. */
const LOSS_NEWS_MS = 1_000;
/** Up to this age, ms, a message goes again as it was signed; an older one would be stale and is signed anew. */
const RESEND_AGE_MS = 20_000;

/** Where a {@link DataSender} hands its packets. */
export interface DataOutlet {
  /** One frame for the flow's stream; resolves true when the carrier took it, false when it cannot. */
  frame(packet: Uint8Array): Promise<boolean>;
  /** A signed checkpoint for the flow's checkpoint stream. */
  checkpoint(bytes: Uint8Array): void;
  /** Nothing more goes out on the flow's stream, and what waits in it is let go. */
  giveUp(): void;
}

export interface DataSenderCounters {
  /** Messages signed and handed to the stream. */
  readonly sent: number;
  /** Messages that went again, since the connection that they had gone on was lost. */
  readonly sentAgain: number;
  /** Of their packets. */
  readonly bytes: number;
  /** Sends that wait for their turn. */
  readonly waiting: number;
  readonly checkpoints: number;
  /** Sends that failed because the stream was given up or ended, by code. */
  readonly undelivered: Readonly<Record<string, number>>;
}

/** One data stream as its speaker: numbers, signs and sends one message after the other, at the pace of rate and carrier. */
export class DataSender {
  readonly #clock: Clock;
  readonly #time: MediaTime;
  readonly #frames: FrameSender;
  readonly #checkpointer: Checkpointer;
  readonly #outlet: DataOutlet;
  readonly #stream: number;
  readonly #watch: FrameWatch | undefined;
  readonly #messages: TokenBucket;
  readonly #volume: TokenBucket;
  readonly #over = Promise.withResolvers<void>();
  readonly #undelivered: Record<string, number> = {};
  #last: Promise<unknown> = Promise.resolve();
  #failure: ParleyError | undefined;
  #permitted = true;
  /** While the call is suspended. */
  #hold: PromiseWithResolvers<void> | undefined;
  /** While the call has no connection, or what was lost with the last one is still on its way. */
  #away: PromiseWithResolvers<void> | undefined;
  /** Resolves when the present connection is lost. */
  #loss = Promise.withResolvers<void>();
  #attachments = 0;
  readonly #kept = new KeptMessages();
  #finished = false;
  #waiting = 0;
  #sent = 0;
  #sentAgain = 0;
  #bytes = 0;
  #checkpoints = 0;

  constructor(options: {
    readonly clock: Clock;
    readonly time: MediaTime;
    readonly frames: FrameSender;
    readonly checkpointer: Checkpointer;
    readonly outlet: DataOutlet;
    /** Stream id, as `watch` tells it. */
    readonly stream: number;
    readonly watch?: FrameWatch | undefined;
  }) {
    this.#clock = options.clock;
    this.#time = options.time;
    this.#frames = options.frames;
    this.#checkpointer = options.checkpointer;
    this.#outlet = options.outlet;
    this.#stream = options.stream;
    this.#watch = options.watch;
    const { messagesPerSecond, bytesPerSecond, burst } = DATA_RATE;
    const now = options.clock.now();
    this.#messages = new TokenBucket(messagesPerSecond, messagesPerSecond * burst, now);
    this.#volume = new TokenBucket(bytesPerSecond, bytesPerSecond * burst, now);
  }

  /** While false nothing is sent, `send` throws `scope-violation`: the terms do not let this end send. */
  get permitted(): boolean {
    return this.#permitted;
  }

  set permitted(permitted: boolean) {
    this.#permitted = permitted;
  }

  get counters(): DataSenderCounters {
    return {
      sent: this.#sent,
      sentAgain: this.#sentAgain,
      bytes: this.#bytes,
      waiting: this.#waiting,
      checkpoints: this.#checkpoints,
      undelivered: { ...this.#undelivered },
    };
  }

  /** Sends one payload after those before it. Resolves when the carrier took it. */
  async send(payload: Uint8Array): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#waiting >= WAITING_MESSAGES) {
      throw new ParleyError({
        code: "buffer-full",
        message: `${WAITING_MESSAGES} messages wait: await send().`,
      });
    }
    this.#waiting += 1;
    const sent = this.#last.then(() => this.#sendNext(payload));
    this.#last = sent.catch(() => undefined);
    try {
      await sent;
    } catch (error) {
      if (error instanceof ParleyError) {
        this.#undelivered[error.code] = (this.#undelivered[error.code] ?? 0) + 1;
      }
      throw error;
    } finally {
      this.#waiting -= 1;
    }
  }

  /** Nothing is signed or sent until `release`: the call is suspended. Sends wait. Idempotent. */
  hold(): void {
    this.#hold ??= Promise.withResolvers<void>();
  }

  /** The call goes on, and so do the sends that wait. */
  release(): void {
    this.#hold?.resolve();
    this.#hold = undefined;
  }

  /** The call has no connection: sends wait. */
  detach(): void {
    this.#attachments += 1;
    this.#away ??= Promise.withResolvers<void>();
    this.#loss.resolve();
  }

  /** It has one, over which the server wants message `nextSequence` next on `flow`: what was lost goes again, before anything new. */
  async attach(flow: number, nextSequence: number): Promise<void> {
    const attachment = ++this.#attachments;
    this.#frames.useFlow(flow);
    this.#loss = Promise.withResolvers<void>();
    this.#away ??= Promise.withResolvers<void>();
    const isPresent = () => attachment === this.#attachments && this.#failure === undefined;
    await this.#released();
    for (const { packet } of this.#lostFrom(nextSequence)) {
      if (!isPresent()) return;
      this.#sentAgain += 1;
      const fate = await this.#within(STALL_MS, this.#outlet.frame(packet));
      if (fate !== true && !(await this.#isLost(attachment))) this.#stall(fate);
    }
    if (!isPresent()) return;
    this.#away?.resolve();
    this.#away = undefined;
  }

  /** Refuses what waits and signs the final checkpoint. Idempotent. */
  finish(): void {
    this.#fail(new ParleyError({ code: "closed", message: "The call has ended." }));
    if (this.#finished) return;
    this.#finished = true;
    this.#owe(this.#checkpointer.finish());
  }

  /** Wakes the checkpointer; the call's timer runs it. */
  poll(now: number): void {
    if (this.#finished) return;
    const due = this.#checkpointer.poll(now);
    if (due !== undefined) this.#owe(due);
  }

  async #sendNext(payload: Uint8Array): Promise<void> {
    if (!this.#permitted) throw notPermitted();
    await this.#pace(payload.length + PACKET_OVERHEAD);
    await this.#ready();
    if (this.#failure !== undefined) throw this.#failure;
    if (!this.#permitted) throw notPermitted();
    const attachment = this.#attachments;
    const fate = await this.#within(STALL_MS, this.#outlet.frame(this.#sign(payload).packet));
    if (fate === true) return;
    if (!(await this.#isLost(attachment))) throw this.#stall(fate);
    // It is among those that go again.
    await this.#ready();
    if (this.#failure !== undefined) throw this.#failure;
  }

  #sign(payload: Uint8Array): KeptMessage {
    const now = this.#clock.now();
    const frame = this.#frames.send(payload, this.#time.wallAt(now), { marker: true });
    const { sequence, packet } = frame;
    const message = { sequence, packet, payload, at: now };
    this.#kept.add(message);
    this.#sent += 1;
    this.#bytes += packet.length;
    const checkpoint = this.#checkpointer.add(sequence, frame.captured, frame.digest, now);
    if (checkpoint !== undefined) this.#owe(checkpoint);
    this.#watch?.({ direction: "sent", stream: this.#stream, sequence, fate: "sent", at: now });
    return message;
  }

  /** What has to go again. Where the first is too old as it is, all are signed anew: none may be overtaken by one before it. */
  #lostFrom(nextSequence: number): readonly KeptMessage[] {
    const lost = this.#kept.from(nextSequence);
    const [oldest] = lost;
    if (oldest === undefined || this.#clock.now() - oldest.at <= RESEND_AGE_MS) return lost;
    this.#kept.clear();
    return lost.map(({ payload }) => this.#sign(payload));
  }

  /** Whether it is for want of a connection that nothing was taken. */
  async #isLost(attachment: number): Promise<boolean> {
    if (attachment !== this.#attachments) return true;
    const late = Promise.withResolvers<false>();
    const cancel = this.#clock.at(this.#clock.now() + LOSS_NEWS_MS, () => late.resolve(false));
    const isLost = await Promise.race([this.#loss.promise.then(() => true), late.promise]);
    cancel();
    return isLost;
  }

  #stall(fate: false | "late"): ParleyError {
    const why = fate === "late" ? "Nothing was taken for 20 s" : "The other side takes no more";
    const failure = new ParleyError({ code: "data-stalled", message: `${why}: the stream is given up.` });
    this.#fail(failure);
    this.#outlet.giveUp();
    return failure;
  }

  /** Waits until the agreed rate allows `bytes` more, or the stream is over. */
  async #pace(bytes: number): Promise<void> {
    for (;;) {
      const now = this.#clock.now();
      if (this.#messages.has(1, now) && this.#volume.has(bytes, now)) break;
      const at = Math.max(this.#messages.availableAt(1), this.#volume.availableAt(bytes));
      const due = Promise.withResolvers<void>();
      const cancel = this.#clock.at(at, () => due.resolve());
      await Promise.race([due.promise, this.#over.promise]);
      cancel();
      if (this.#failure !== undefined) return;
    }
    this.#messages.take(1);
    this.#volume.take(bytes);
  }

  /** Resolves when the call has a connection and is not suspended, or the stream is over. */
  async #ready(): Promise<void> {
    while (this.#failure === undefined && (this.#away !== undefined || this.#hold !== undefined)) {
      await Promise.race([(this.#away ?? this.#hold)?.promise, this.#over.promise]);
    }
  }

  /** Resolves when the call is not suspended, or the stream is over. */
  async #released(): Promise<void> {
    while (this.#hold !== undefined && this.#failure === undefined) {
      await Promise.race([this.#hold.promise, this.#over.promise]);
    }
  }

  /** A server reads nothing while the call is suspended: that time does not count. */
  async #within(limit: number, taken: Promise<boolean>): Promise<boolean | "late"> {
    for (;;) {
      const late = Promise.withResolvers<"late">();
      const cancel = this.#clock.at(this.#clock.now() + limit, () => late.resolve("late"));
      const fate = await Promise.race([taken, late.promise]);
      cancel();
      if (fate !== "late" || this.#hold === undefined || this.#failure !== undefined) return fate;
      await this.#released();
    }
  }

  #fail(failure: ParleyError): void {
    this.#failure ??= failure;
    this.#over.resolve();
  }

  #owe(checkpoint: Uint8Array): void {
    this.#checkpoints += 1;
    this.#outlet.checkpoint(checkpoint);
  }
}

function notPermitted(): ParleyError {
  return new ParleyError({ code: "scope-violation", message: "This end gave up sending data." });
}

/** Bytes of a packet besides its payload: RTP header, extension header, attribution element. */
const PACKET_OVERHEAD = 96;
