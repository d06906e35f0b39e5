import type { Clock } from "../codecs/clock.ts";
import type { Path } from "../sfu/carrier.ts";

/** What a path is asked by. */
export interface PathPings {
  /** Sends one ping now. */
  ping(): void;
  /** When anything was heard from the peer last, be it an answer or not. */
  readonly lastHeard: number;
  /** Smoothed round trip in milliseconds, once known. */
  readonly roundTrip: number | undefined;
}

/** Milliseconds, and two round trips, after which pings that nobody answers mean a dark path. */
export const DARK_MS = 1_500;
/** How often who is attentive looks, ms: a ping goes out each second time, or each time when nothing is heard. */
const LOOK_MS = 500;
/** By how much timers may differ from each other, ms. */
const SLACK_MS = 50;
/** Milliseconds between pings once one is late: a burst of loss must not look like darkness. */
const DOUBT_MS = 250;
/** Milliseconds a timer may be late before the process counts as suspended: that time is not the path's. */
const STALL_MS = 1_000;

/**
 * Finds out that a path is dark by pings that are not answered, whatever else is heard: of two directions one may be left. Nothing is
 * decided here; pings go on, and an answer ends the darkness.
 */
export class PathWatch implements Path {
  readonly #clock: Clock;
  readonly #pings: PathPings;
  #told: ((isDark: boolean) => void) | undefined;
  #isAttentive = false;
  #isDark = false;
  #isOver = false;
  /** When the first ping went out of those that were not answered, nor any after it. */
  #unansweredSince: number | undefined;
  #lastPing = Number.NEGATIVE_INFINITY;
  #nextLook = Number.POSITIVE_INFINITY;
  #cancel: () => void = () => {};

  constructor(clock: Clock, pings: PathPings) {
    this.#clock = clock;
    this.#pings = pings;
  }

  get isDark(): boolean {
    return this.#isDark;
  }

  watch(told: (isDark: boolean) => void): void {
    this.#told = told;
    this.#plan();
  }

  attend(isAttentive: boolean): void {
    this.#isAttentive = isAttentive;
    this.#plan();
  }

  doubt(): void {
    if (this.#told === undefined || this.#isOver || this.#unansweredSince !== undefined) return;
    if (this.#clock.now() >= this.#lastPing + DOUBT_MS) this.#pings.ping();
  }

  /** A ping went out. */
  pinged(): void {
    this.#lastPing = this.#clock.now();
    if (this.#unansweredSince !== undefined) return;
    this.#unansweredSince = this.#lastPing;
    this.#plan();
  }

  /** One was answered; `since`: when the first one after it went out. */
  answered(since: number | undefined): void {
    this.#unansweredSince = since;
    this.#turn(false);
    this.#plan();
  }

  /** The connection is over. */
  stop(): void {
    this.#isOver = true;
    this.#cancel();
  }

  #plan(): void {
    this.#cancel();
    if (this.#told === undefined || this.#isOver) return;
    const look = this.#isAttentive ? this.#clock.now() + LOOK_MS : Number.POSITIVE_INFINITY;
    this.#nextLook = Math.min(look, this.#nextDoubt());
    if (this.#nextLook === Number.POSITIVE_INFINITY) return;
    this.#cancel = this.#clock.at(this.#nextLook, () => this.#look());
  }

  /** When to ask again because there is no answer yet. */
  #nextDoubt(): number {
    const since = this.#unansweredSince;
    if (since === undefined) return Number.POSITIVE_INFINITY;
    return Math.max(since + DOUBT_MS + 1.5 * (this.#pings.roundTrip ?? 0), this.#lastPing + DOUBT_MS);
  }

  #look(): void {
    const now = this.#clock.now();
    const late = now - this.#nextLook;
    if (late >= STALL_MS && this.#unansweredSince !== undefined) {
      this.#unansweredSince = Math.min(now, this.#unansweredSince + late);
    }
    const since = this.#unansweredSince;
    if (since !== undefined && now - since >= DARK_MS + 2 * (this.#pings.roundTrip ?? 0)) this.#turn(true);
    // Whoever was told may have closed the connection.
    if (this.#isOver) return;
    if (now >= this.#nextDoubt() || (this.#isAttentive && now >= this.#lastPing + this.#pace(now))) {
      this.#pings.ping();
    }
    this.#plan();
  }

  #pace(now: number): number {
    return now - this.#pings.lastHeard < LOOK_MS - SLACK_MS ? 2 * LOOK_MS - SLACK_MS : LOOK_MS - SLACK_MS;
  }

  #turn(isDark: boolean): void {
    if (this.#isDark === isDark) return;
    this.#isDark = isDark;
    this.#told?.(isDark);
  }
}
