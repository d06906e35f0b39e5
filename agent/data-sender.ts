import type { Clock } from "../codecs/clock.ts";
import type { FrameSeal } from "../codecs/frame.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import { DATA_RATE } from "../signaling/data-stream.ts";
import { type KeptMessage, KeptMessages } from "./kept-messages.ts";
import { notPermitted, PACKET_OVERHEAD, SpokenData, type SpokenDataOptions } from "./spoken-data.ts";

/** Sends that may wait for the one before. A writer that ignores the promise of `send` meets this as `buffer-full`. */
const WAITING_MESSAGES = 256;
/** How long the carrier may take nothing, ms, before the stream is given up: sooner than a message in it would be stale. */
const STALL_MS = 20_000;
/** How long the news may take, ms, that the connection is gone which took no more. */
const LOSS_NEWS_MS = 1_000;
/** How long the listener may confirm nothing, ms, though it is there and as much is on its way as may be. Then it is sent to all the same. */
const CONFIRMATION_MS = 25_000;
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

export interface DataSenderOptions extends SpokenDataOptions {
  readonly outlet: DataOutlet;
  /** Of the listener's media key. Default 0. */
  readonly listenerGeneration?: number;
}

export interface DataSenderCounters {
  /** Messages signed and handed to the stream. */
  readonly sent: number;
  /** Messages that went again, since the connection that they had gone on was lost. */
  readonly sentAgain: number;
  /** Messages not kept any longer though no receipt of the listener had them: it confirms nothing. They do not go again. */
  readonly unconfirmed: number;
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
  readonly #outlet: DataOutlet;
  readonly #spoken: SpokenData;
  readonly #over = Promise.withResolvers<void>();
  readonly #undelivered: Record<string, number> = {};
  #last: Promise<unknown> = Promise.resolve();
  #failure: ParleyError | undefined;
  #permitted = true;
  /** Why this end sends nothing, and while there is a reason. */
  readonly #reasons = new Set<"muted" | "suspended">();
  #hold: PromiseWithResolvers<void> | undefined;
  /** While the call has no connection, or what was lost with the last one is still on its way. */
  #away: PromiseWithResolvers<void> | undefined;
  /** While the other end has no connection. */
  #peerAway: PromiseWithResolvers<void> | undefined;
  /** The listener's word on what it has, given since this end's connection was lost. */
  #place = Promise.withResolvers<number>();
  /** Counts what kept the stream waiting: connections lost, suspensions. */
  #pauses = 0;
  /** The listener signs no receipts, as far as can be seen. */
  #isUnconfirmed = false;
  /** Resolves when the present connection is lost. */
  #loss = Promise.withResolvers<void>();
  #attachments = 0;
  readonly #kept = new KeptMessages();
  #listenerGeneration: number;
  /** What is kept is sealed for a key that the listener has no more. */
  #isStrange = false;
  #finished = false;
  #waiting = 0;
  #sentAgain = 0;

  constructor(options: DataSenderOptions) {
    this.#listenerGeneration = options.listenerGeneration ?? 0;
    this.#clock = options.clock;
    this.#outlet = options.outlet;
    this.#spoken = new SpokenData(options, DATA_RATE.burst);
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
      ...this.#spoken.counters,
      sentAgain: this.#sentAgain,
      unconfirmed: this.#kept.dropped,
      waiting: this.#waiting,
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

  /** Nothing is signed or sent until `goOn` for the same reason: sends wait. Idempotent. */
  pause(reason: "muted" | "suspended"): void {
    this.#reasons.add(reason);
    this.#pauses += 1;
    this.#hold ??= Promise.withResolvers<void>();
  }

  /** Where nothing else keeps them, the sends that wait go on. */
  goOn(reason: "muted" | "suspended"): void {
    this.#reasons.delete(reason);
    if (this.#reasons.size > 0) return;
    this.#hold?.resolve();
    this.#hold = undefined;
  }

  /** The call has no connection: sends wait. */
  detach(): void {
    this.#attachments += 1;
    this.#pauses += 1;
    this.#away ??= Promise.withResolvers<void>();
    this.#place = Promise.withResolvers<number>();
    this.#loss.resolve();
  }

  /** The other end has no connection: sends wait. Idempotent. */
  peerLeft(): void {
    this.#pauses += 1;
    this.#peerAway ??= Promise.withResolvers<void>();
  }

  /** It has one. `nextSequence`: what it wants next, where it said so. */
  peerCame(nextSequence?: number): void {
    if (nextSequence !== undefined) {
      this.#kept.letGo(nextSequence);
      this.#place.resolve(nextSequence);
    }
    this.#peerAway?.resolve();
    this.#peerAway = undefined;
    this.#sealAnew();
  }

  /** The listener has every message before this number that it will have. */
  confirmed(nextSequence: number): void {
    this.#isUnconfirmed = false;
    this.#kept.letGo(nextSequence);
  }

  /**
   * It has one, over which the server wants message `nextSequence` next on `flow`: what was lost goes again, before anything new. `isSettled` false: the
   * server does not know what the listener has, and whoever does is waited for.
   */
  async attach(flow: number, nextSequence: number, isSettled = true): Promise<void> {
    const attachment = ++this.#attachments;
    this.#spoken.moveTo(flow);
    this.#loss = Promise.withResolvers<void>();
    this.#away ??= Promise.withResolvers<void>();
    const isPresent = () => attachment === this.#attachments && this.#failure === undefined;
    await this.#released();
    const next = isSettled ? nextSequence : await this.#placeOf(nextSequence);
    if (!isPresent()) return;
    for (const { packet } of this.#lostFrom(next)) {
      if (!isPresent()) return;
      this.#sentAgain += 1;
      const fate = await this.#within(STALL_MS, this.#outlet.frame(packet));
      if (fate !== true && !(await this.#isLost(attachment))) this.#stall(fate);
    }
    if (!isPresent()) return;
    this.#away?.resolve();
    this.#away = undefined;
  }

  /**
   * What follows is sealed so: the profile changed, or the listener has another key, of this generation. A listener with another key cannot
   * check the tags of what is kept for it: that is sealed anew, with numbers of its own.
   */
  useSeal(seal: FrameSeal, listenerGeneration: number): void {
    this.#isStrange ||= seal.profile === "chain" && listenerGeneration !== this.#listenerGeneration;
    this.#listenerGeneration = listenerGeneration;
    this.#spoken.useSeal(seal);
    this.#sealAnew();
  }

  /** Refuses what waits and signs the final checkpoint. Idempotent. */
  finish(): void {
    this.#fail(new ParleyError({ code: "closed", message: "The call has ended." }));
    if (this.#finished) return;
    this.#finished = true;
    this.#spoken.finish();
  }

  /** Wakes the checkpointer; the call's timer runs it. */
  poll(now: number): void {
    if (!this.#finished) this.#spoken.poll(now);
  }

  async #sendNext(payload: Uint8Array): Promise<void> {
    if (!this.#permitted) throw notPermitted();
    const bytes = payload.length + PACKET_OVERHEAD;
    await this.#pace(payload);
    await this.#ready();
    while (this.#failure === undefined && !this.#kept.hasRoom(bytes) && !this.#isUnconfirmed) {
      await this.#confirmation();
      await this.#ready();
    }
    if (this.#failure !== undefined) throw this.#failure;
    if (!this.#permitted) throw notPermitted();
    const attachment = this.#attachments;
    const fate = await this.#within(STALL_MS, this.#outlet.frame(this.#sign(payload).packet));
    if (fate === true) return;
    if (!(await this.#isLost(attachment))) this.#stall(fate);
    // It is among those that go again.
    await this.#ready();
    if (this.#failure !== undefined) throw this.#failure;
  }

  #sign(payload: Uint8Array): KeptMessage {
    const now = this.#clock.now();
    const { sequence, packet } = this.#spoken.sign(payload, now, now);
    const message = { sequence, packet, payload, at: now };
    this.#kept.add(message);
    this.#spoken.tell("sent", sequence);
    return message;
  }

  /** What has to go again. Where the first is too old as it is, all are signed anew: none may be overtaken by one before it. */
  #lostFrom(nextSequence: number): readonly KeptMessage[] {
    const lost = this.#kept.from(nextSequence);
    const [oldest] = lost;
    const isAsGood = !this.#isStrange && this.#clock.now() - (oldest?.at ?? 0) <= RESEND_AGE_MS;
    this.#isStrange = false;
    if (oldest === undefined || isAsGood) return lost;
    this.#kept.take(nextSequence);
    return lost.map(({ payload }) => this.#sign(payload));
  }

  /** Sends what is kept anew where the listener cannot check it, as soon as both ends are there. */
  #sealAnew(): void {
    if (!this.#isStrange || this.#away !== undefined || this.#peerAway !== undefined || this.#finished)
      return;
    void this.attach(this.#spoken.flow, 0);
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

  /** Unless the stream is over anyhow. */
  #stall(fate: false | "late"): void {
    if (this.#failure !== undefined) return;
    const why = fate === "late" ? "Nothing was taken for 20 s" : "The other side takes no more";
    const failure = new ParleyError({ code: "data-stalled", message: `${why}: the stream is given up.` });
    this.#fail(failure);
    this.#outlet.giveUp();
  }

  /** Waits until the agreed rate allows one more, or the stream is over. */
  async #pace(payload: Uint8Array): Promise<void> {
    for (;;) {
      const now = this.#clock.now();
      const at = this.#spoken.dueAt(payload, now);
      if (at <= now) break;
      const due = Promise.withResolvers<void>();
      const cancel = this.#clock.at(at, () => due.resolve());
      await Promise.race([due.promise, this.#over.promise]);
      cancel();
      if (this.#failure !== undefined) return;
    }
    this.#spoken.spend(payload);
  }

  /** Resolves when both ends have a connection and the call is not suspended, or the stream is over. */
  async #ready(): Promise<void> {
    for (;;) {
      const pause = this.#away ?? this.#hold ?? this.#peerAway;
      if (pause === undefined || this.#failure !== undefined) return;
      await Promise.race([pause.promise, this.#over.promise]);
    }
  }

  /** Resolves when the listener has confirmed something, or is not waited for any longer, or the stream is over. */
  async #confirmation(): Promise<void> {
    const pauses = this.#pauses;
    const late = Promise.withResolvers<"late">();
    const cancel = this.#clock.at(this.#clock.now() + CONFIRMATION_MS, () => late.resolve("late"));
    const outcome = await Promise.race([this.#kept.change, this.#over.promise, late.promise]);
    cancel();
    if (outcome === "late" && pauses === this.#pauses) this.#isUnconfirmed = true;
  }

  /** What the listener wants next, once it has said so; what it is known to want, where this connection is lost before, or the stream over. */
  async #placeOf(known: number): Promise<number> {
    const told = await Promise.race([this.#place.promise, this.#loss.promise, this.#over.promise]);
    return Math.max(known, told ?? 0);
  }

  /** Resolves when the call is not suspended, or the stream is over. */
  async #released(): Promise<void> {
    while (this.#hold !== undefined && this.#failure === undefined) {
      await Promise.race([this.#hold.promise, this.#over.promise]);
    }
  }

  /** A server reads nothing while the call is suspended, or its listener away: that time does not count. */
  async #within(limit: number, taken: Promise<boolean>): Promise<boolean | "late"> {
    for (;;) {
      const late = Promise.withResolvers<"late">();
      const cancel = this.#clock.at(this.#clock.now() + limit, () => late.resolve("late"));
      const fate = await Promise.race([taken, late.promise]);
      cancel();
      const pause = this.#hold ?? this.#peerAway;
      if (fate !== "late" || pause === undefined || this.#failure !== undefined) return fate;
      await Promise.race([pause.promise, this.#over.promise]);
    }
  }

  #fail(failure: ParleyError): void {
    this.#failure ??= failure;
    this.#over.resolve();
  }
}
