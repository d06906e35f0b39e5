import type { Clock } from "../codecs/clock.ts";
import { type Carrier, CLOSE_CODES, type CloseInfo } from "../sfu/carrier.ts";
import type { AgentContext } from "./agent-context.ts";
import type { Presence } from "./presence.ts";

/** Pause between two tries to find another way while a path is dark, ms: it doubles up to the longest. */
const PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 2_000;
/** How long one try may take to connect, ms, and so many round trips beside it; and as long again until it takes over. */
const TRY_MS = 1_500;
const TRY_ROUND_TRIPS = 6;
/** How long after a change the next may come, ms: networks in which every path is dark now and then must not be danced to. */
const SETTLE_MS = 10_000;
/** When the way before is tried again, ms after it went dark: at first, and at the most. It doubles each time that the way disappoints. */
const RETURN_MS = 60_000;
const LONGEST_RETURN_MS = 3_600_000;
/** A way that holds for as long was not wrongly gone back to, ms. */
const LASTING_MS = 600_000;
/** Pause before a return that is due looks again whether it would disturb anybody, ms. */
const BUSY_MS = 5_000;

/** A way to come online beside the connection that is up. */
export interface OtherWay {
  readonly carrier: Carrier;
  /** Milliseconds until `connect-timeout`. */
  readonly connectTimeout: number;
  /** Asked before the connection takes anything over. */
  readonly isWanted: () => boolean;
  /** What is known of the server already. */
  readonly known: Pick<AgentContext, "server" | "clock">;
}

export interface CarrierChangeOptions {
  readonly clock: Clock;
  readonly carrier: Carrier;
  /** Whether nothing would be disturbed: no call is up or coming. */
  readonly isIdle: () => boolean;
  /** Comes online once, in that way. */
  readonly attempt: (way: OtherWay) => Promise<Presence>;
  /** It did: `presence` takes the place of `before`. */
  readonly changed: (presence: Presence, before: Presence) => void;
  /** It did not, and `before` had made room for it. */
  readonly failed: (before: Presence, info: CloseInfo) => void;
}

/**
 * Finds another way to the server while the connection that is up has a dark path, and goes back to the usual one when nothing is at stake.
 * The new connection is made beside the old one, which keeps everything until that one is ready; when the old path has answers again
 * by then, nothing changes.
 */
export class CarrierChange {
  readonly #options: CarrierChangeOptions;
  #presence: Presence | undefined;
  #isAttentive = false;
  #changedAt = Number.NEGATIVE_INFINITY;
  #returnedAt = Number.NEGATIVE_INFINITY;
  #returnAfter = RETURN_MS;
  #isUnderWay = false;
  /** The connection up has made room for the one under way. */
  #replaced = false;
  #cancel: () => void = () => {};

  constructor(options: CarrierChangeOptions) {
    this.#options = options;
  }

  /** Whether another connection is being made. */
  get isUnderWay(): boolean {
    return this.#isUnderWay;
  }

  /** Watches this connection's path from now on. */
  watch(presence: Presence): void {
    this.#cancel();
    this.#presence = presence;
    const { connection } = presence;
    const { carrier, clock } = this.#options;
    connection.path?.attend(this.#isAttentive);
    if (carrier.instead?.(connection) !== undefined) {
      connection.path?.watch((isDark) => {
        if (isDark && this.#presence === presence) this.#wentDark(presence);
      });
    }
    if (carrier.preferred?.(connection) !== undefined) this.#returnAt(clock.now() + this.#returnAfter);
  }

  /** Whether calls depend on the connection. */
  attend(isAttentive: boolean): void {
    this.#isAttentive = isAttentive;
    this.#presence?.connection.path?.attend(isAttentive);
  }

  /** The connection that is up has been replaced by the one under way. */
  replaced(): void {
    this.#replaced = true;
  }

  /** The connection is over, in whatever way. */
  stop(): void {
    this.#cancel();
    this.#presence = undefined;
  }

  #wentDark(presence: Presence): void {
    if (this.#isUnderWay) return;
    const { clock } = this.#options;
    const settled = this.#changedAt + SETTLE_MS;
    if (clock.now() < settled) this.#wait(settled, () => this.#escape(presence));
    else void this.#escape(presence);
  }

  /** Tries until there is another connection, or the path has answers again. */
  async #escape(presence: Presence, pause = PAUSE_MS): Promise<void> {
    const { clock, carrier } = this.#options;
    const { connection } = presence;
    const isWanted = () => this.#presence === presence && connection.path?.isDark === true;
    if (!isWanted()) return;
    const other = carrier.instead?.(connection);
    if (other === undefined) return;
    // A way that goes dark soon after it was gone back to is left alone for longer; one that held is forgiven.
    const lasted = clock.now() - this.#returnedAt;
    const after = lasted < LASTING_MS ? Math.min(2 * this.#returnAfter, LONGEST_RETURN_MS) : RETURN_MS;
    if (await this.#change(presence, other, isWanted, after)) return;
    const next = Math.min(2 * pause, LONGEST_PAUSE_MS);
    if (isWanted()) this.#wait(clock.now() + pause, () => this.#escape(presence, next));
  }

  #returnAt(at: number): void {
    this.#wait(at, () => this.#return());
  }

  async #return(): Promise<void> {
    const { clock, carrier, isIdle } = this.#options;
    const presence = this.#presence;
    const other = presence && carrier.preferred?.(presence.connection);
    if (presence === undefined || other === undefined) return;
    const isWanted = () => this.#presence === presence && isIdle();
    if (!isWanted()) {
      this.#returnAt(clock.now() + BUSY_MS);
      return;
    }
    if (await this.#change(presence, other, isWanted, this.#returnAfter)) {
      this.#returnedAt = clock.now();
      return;
    }
    if (this.#presence !== presence) return;
    this.#returnAfter = Math.min(2 * this.#returnAfter, LONGEST_RETURN_MS);
    this.#returnAt(clock.now() + this.#returnAfter);
  }

  /** `returnAfter`: how long after it the way before may be tried again. */
  async #change(
    before: Presence,
    carrier: Carrier,
    isWanted: () => boolean,
    returnAfter: number,
  ): Promise<boolean> {
    const { clock, attempt, changed, failed } = this.#options;
    const { context, connection } = before;
    const connectTimeout = TRY_MS + TRY_ROUND_TRIPS * (connection.roundTrip ?? 0);
    let [hasBegun, isLate] = [false, false];
    const begins = () => {
      hasBegun = !isLate && isWanted();
      return hasBegun;
    };
    this.#isUnderWay = true;
    this.#replaced = false;
    const known = { server: context.server, clock: context.clock };
    const trying = attempt({ carrier, connectTimeout, isWanted: begins, known });
    const late = Promise.withResolvers<never>();
    // A path that lets itself be dialled and goes dark then must not hold the next try up.
    const cancel = clock.at(clock.now() + 2 * connectTimeout, () => {
      if (hasBegun) return;
      isLate = true;
      late.reject(new Error("It took too long."));
    });
    try {
      const presence = await Promise.race([trying, late.promise]);
      this.#changedAt = clock.now();
      this.#returnAfter = returnAfter;
      this.#isUnderWay = false;
      changed(presence, before);
      return true;
    } catch (error) {
      this.#isUnderWay = false;
      const reason = error instanceof Error ? error.message : String(error);
      if (this.#replaced) failed(before, { code: CLOSE_CODES.livenessTimeout, reason });
      return false;
    } finally {
      cancel();
      trying.catch(() => undefined);
    }
  }

  #wait(at: number, then: () => Promise<void>): void {
    this.#cancel();
    this.#cancel = this.#options.clock.at(at, () => void then());
  }
}
