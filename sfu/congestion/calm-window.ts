/** Less of the rate than this is sent: pictures then have little more on their way than they take, bits a second and share. */
const CALM_SHARE = 0.75;
const CALM_GAIN = 1.1;
/** Milliseconds less of it than at the rate. */
const MARGIN = 66;
/** So much of that is given back with each report while a picture waits at its sender for longer than this and nothing waits on the way, and taken again with each other one, ms. */
const MORE_ROOM = 10;
const LESS_ROOM = 2;
const HELD_BACK = 15;
const NO_QUEUE = 10;
/** The same where something always waits at the sender for so long, and little on the way, ms: the way takes less than is thought, and no report says so before more is on it. */
const WAITING = 500;
const SHORT_QUEUE = 40;
/** The same, and the least interval between reports that it counts on, for so many milliseconds after a loss: what a carrier sends once more is on its way for longer. */
const LOSSY_MARGIN = 30;
const LOSSY_INTERVAL = 50;
const LOSSY_FOR = 10_000;

/** What a hop's reports say of it. */
export interface WindowFacts {
  /** Bits a second that may be sent, and that are. */
  readonly rate: number;
  readonly offered: number;
  /** Milliseconds of the rate that may be on their way. */
  readonly time: number;
  /** Milliseconds between reports. */
  readonly interval: number;
  /** When something was last lost. */
  readonly lostAt: number;
}

/**
 * What pictures may have on their way where less than the rate is sent: as little as lets them go on, for when a way suddenly takes less, that is what stands before
 * anything else that is said. Times are milliseconds of any one clock.
 */
export class CalmWindow {
  #room = 0;
  #heldBackSince: number | undefined;
  #waitingSince: number | undefined;
  #wasHeldBack = false;
  /** Milliseconds between reports as long as nothing waited on the way: they come with what arrives, so they are rarer while less does. */
  #interval = Number.POSITIVE_INFINITY;

  /** A picture has to wait for it. */
  heldBack(now: number): void {
    this.#heldBackSince ??= now;
    this.#wasHeldBack = true;
  }

  /** A picture left. */
  left(): void {
    this.#heldBackSince = undefined;
  }

  /** A report came, `interval` after those before it, and says how long packets wait on the way; `isWaiting`: something waits at the sender. */
  reported(queueDelay: number, interval: number, isWaiting: boolean, now: number): void {
    this.#interval = queueDelay < NO_QUEUE ? interval : Math.min(this.#interval, interval);
    if (!isWaiting || !this.#wasHeldBack) this.#waitingSince = undefined;
    else this.#waitingSince ??= now;
    this.#wasHeldBack = false;
    const isTooLittle =
      (now - (this.#heldBackSince ?? now) > HELD_BACK && queueDelay < NO_QUEUE) ||
      (now - (this.#waitingSince ?? now) > WAITING && queueDelay < SHORT_QUEUE);
    this.#room = isTooLittle ? Math.min(MARGIN, this.#room + MORE_ROOM) : Math.max(0, this.#room - LESS_ROOM);
  }

  /** Bytes; infinite where it is no bound. */
  bytes({ rate, offered, time, interval, lostAt }: WindowFacts, now: number): number {
    if (offered > CALM_SHARE * rate) return Number.POSITIVE_INFINITY;
    const isLossy = now - lostAt < LOSSY_FOR;
    const calm = isLossy
      ? time + Math.max(0, LOSSY_INTERVAL - interval) - LOSSY_MARGIN
      : time - Math.max(0, interval - this.#interval) - MARGIN + this.#room;
    return (CALM_GAIN * offered * calm) / 8_000;
  }
}
