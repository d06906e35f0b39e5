import type { Clock } from "../codecs/clock.ts";
import { type Carrier, CLOSE_CODES, type CloseInfo } from "../sfu/carrier.ts";
import { type BackOff, backOffDelay } from "./back-off.ts";
import { CarrierChange, type OtherWay } from "./carrier-change.ts";
import type { Presence } from "./presence.ts";

/** How connections end that are not made again: the agent is online elsewhere, or is not wanted here. */
const FINAL_CODES: ReadonlySet<number> = new Set([CLOSE_CODES.replaced, CLOSE_CODES.forbidden]);

/** The agent has no connection, and will try again. Told when one ends and after each try that fails. */
export interface Offline {
  /** How the last connection ended. */
  readonly info: CloseInfo;
  /** When it tries next, Unix milliseconds on this machine's clock. */
  readonly retryAt: number;
  /** What the last try failed with; undefined before the first. */
  readonly failure: unknown;
}

/** What {@link Online} tells its agent. */
export interface OnlineEvents {
  offline(offline: Offline): void;
  /** Online again. */
  online(presence: Presence): void;
  /** Online over another connection than before, without having been offline. */
  carrierChanged(presence: Presence, before: Presence): void;
  /** Over for good. Called once. */
  closed(info: CloseInfo): void;
}

/** Keeps an agent online: the one place that makes connections again, and decides when. */
export class Online {
  readonly #attempt: (way?: OtherWay) => Promise<Presence>;
  readonly #change: CarrierChange;
  readonly #backOff: Required<BackOff> | undefined;
  readonly #clock: Clock;
  readonly #random: (length: number) => Uint8Array;
  readonly #events: OnlineEvents;
  #presence: Presence | undefined;
  #since = 0;
  #retryAt: number | undefined;
  #cancelRetry: () => void = () => {};
  #failures = 0;
  #isStopping = false;
  #isOver = false;

  constructor(options: {
    /** Comes online once, in another way than usual where one is given. */
    readonly attempt: (way?: OtherWay) => Promise<Presence>;
    /** How another connection may be made where a path is dark. */
    readonly carrier: Carrier;
    /** Whether nothing would be disturbed by another connection: no call is up or coming. */
    readonly isIdle: () => boolean;
    /** Without it an agent that went offline stays so. */
    readonly backOff: Required<BackOff> | undefined;
    readonly clock: Clock;
    readonly random: (length: number) => Uint8Array;
    readonly events: OnlineEvents;
  }) {
    this.#attempt = options.attempt;
    this.#backOff = options.backOff;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#events = options.events;
    this.#change = new CarrierChange({
      clock: options.clock,
      carrier: options.carrier,
      isIdle: options.isIdle,
      attempt: (way) => options.attempt(way),
      changed: (presence, before) => this.#changed(presence, before),
      failed: (before, info) => {
        if (this.#presence === before) this.#lost(before, info);
      },
    });
  }

  /** Calls come up or end: see `Path.attend`. */
  attend(isAttentive: boolean): void {
    this.#change.attend(isAttentive);
  }

  /** The connection that is up, if one is. */
  get presence(): Presence | undefined {
    return this.#presence;
  }

  /** When the next try is, Unix milliseconds; undefined while online or while it tries. */
  get retryAt(): number | undefined {
    return this.#retryAt;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Comes online for the first time; what that throws is the caller's. */
  async start(): Promise<Presence> {
    const presence = await this.#attempt();
    this.#take(presence);
    return presence;
  }

  /** Closes the connection in order, if one is up, and tries no more. */
  async stop(info: CloseInfo): Promise<void> {
    this.#isStopping = true;
    this.#change.stop();
    const presence = this.#presence;
    if (presence === undefined) this.#end(info);
    await presence?.close();
    this.#end(info);
  }

  #take(presence: Presence): void {
    this.#since = this.#clock.now();
    this.#presence = presence;
    this.#change.watch(presence);
    void presence.ended.then((info) => this.#lost(presence, info));
  }

  #changed(presence: Presence, before: Presence): void {
    if (this.#isOver || this.#isStopping) {
      // Nobody wants it any more.
      void presence.close();
      return;
    }
    const isSeamless = this.#presence === before;
    this.#cancelRetry();
    this.#retryAt = undefined;
    this.#take(presence);
    before.retire();
    if (isSeamless) this.#events.carrierChanged(presence, before);
    else this.#events.online(presence);
  }

  #lost(presence: Presence, info: CloseInfo): void {
    if (this.#isOver || presence !== this.#presence) return;
    // It was this agent that came online again: what becomes of that says what comes next.
    if (info.code === CLOSE_CODES.replaced && this.#change.isUnderWay && !this.#isStopping) {
      this.#change.replaced();
      return;
    }
    const lasted = this.#clock.now() - this.#since;
    this.#change.stop();
    this.#presence = undefined;
    if (this.#isStopping || this.#backOff === undefined || FINAL_CODES.has(info.code)) {
      this.#end(info);
      return;
    }
    // A connection that breaks as soon as it is made is another failure, or the server would be dialled without pause.
    if (lasted >= this.#backOff.maxDelay) this.#failures = 0;
    this.#wait(this.#backOff, info, undefined);
  }

  #end(info: CloseInfo): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#change.stop();
    this.#cancelRetry();
    this.#retryAt = undefined;
    this.#presence = undefined;
    this.#events.closed(info);
  }

  #wait(backOff: Required<BackOff>, info: CloseInfo, failure: unknown): void {
    const delay = backOffDelay(this.#failures, backOff, this.#random);
    this.#failures += 1;
    this.#retryAt = this.#clock.wall() + delay;
    this.#cancelRetry = this.#clock.at(this.#clock.now() + delay, () => void this.#retry(backOff, info));
    this.#events.offline({ info, retryAt: this.#retryAt, failure });
  }

  async #retry(backOff: Required<BackOff>, info: CloseInfo): Promise<void> {
    if (this.#change.isUnderWay) {
      // Two that come online at one inbox replace each other.
      this.#wait(backOff, info, undefined);
      return;
    }
    this.#retryAt = undefined;
    try {
      const presence = await this.#attempt();
      if (this.#isOver) {
        // Ended during the try: nobody wants this connection.
        await presence.close();
        return;
      }
      this.#take(presence);
      this.#events.online(presence);
    } catch (failure) {
      if (!this.#isOver) this.#wait(backOff, info, failure);
    }
  }
}
