import type { Clock } from "../../codecs/clock.ts";
import { ParleyError } from "../../codecs/parley-error.ts";

/** How long a peer connection that is interrupted gets to mend itself before it is mended, and between two tries, ms. */
const RESTART_AFTER_MS = 500;
const RESTART_EVERY_MS = 2_000;
/** How long nothing may come through before this end gives up, ms: the server has by then. */
const GIVE_UP_MS = 20_000;
/** What is asked about a peer connection that is gone is refused with. */
const GONE: ReadonlySet<string> = new Set(["not-found", "session-terminated", "session-not-found"]);

export interface MendingOptions {
  readonly clock: Clock;
  /** Agrees with the server on a new beginning of ICE. Throws its refusal by the code. */
  readonly restart: () => Promise<void>;
  readonly told: {
    /** Nothing comes through any more, or it does again. */
    readonly connection: (event: { readonly connected: boolean }) => void;
    /** Nothing will: it was tried for too long, or the server has no such peer connection any more. */
    readonly lost: (reason: "ice-failed" | "peer-closed") => void;
    readonly report: (error: unknown) => void;
  };
}

/** Keeps one peer connection up: where nothing comes through, ICE begins anew until something does. */
export class Mending {
  readonly #options: MendingOptions;
  /** Monotonic milliseconds. */
  #brokenAt: number | undefined;
  #restarting: Promise<void> | undefined;
  #isOver = false;

  constructor(options: MendingOptions) {
    this.#options = options;
  }

  /** Whether nothing comes through now. */
  get isBroken(): boolean {
    return this.#brokenAt !== undefined;
  }

  /** Something comes through. */
  connected(): void {
    if (this.#isOver || this.#brokenAt === undefined) return;
    this.#brokenAt = undefined;
    this.#options.told.connection({ connected: true });
  }

  /** Nothing does. */
  interrupted(): void {
    if (this.#isOver || this.#brokenAt !== undefined) return;
    const { clock, told } = this.#options;
    const brokenAt = clock.now();
    this.#brokenAt = brokenAt;
    told.connection({ connected: false });
    this.#mend(brokenAt).catch(told.report);
  }

  /** The machine is on another network: what goes over the one before is lost before anybody notices. */
  networkChanged(): void {
    if (this.#isOver || this.#brokenAt !== undefined) return;
    this.restart().catch(() => {
      // What does not come through is noticed, and tried again.
    });
  }

  /** Begins ICE anew, once at a time: resolves when what is under way is agreed on. */
  restart(): Promise<void> {
    this.#restarting ??= this.#options.restart().finally(() => {
      this.#restarting = undefined;
    });
    return this.#restarting;
  }

  /** Nothing is mended any more. Idempotent. */
  stop(): void {
    this.#isOver = true;
  }

  async #mend(brokenAt: number): Promise<void> {
    const { clock, told } = this.#options;
    await this.#pause(RESTART_AFTER_MS);
    while (!this.#isOver && this.#brokenAt === brokenAt) {
      if (clock.now() - brokenAt > GIVE_UP_MS) return told.lost("ice-failed");
      try {
        await this.restart();
      } catch (error) {
        if (error instanceof ParleyError && GONE.has(error.code)) return told.lost("peer-closed");
      }
      await this.#pause(RESTART_EVERY_MS);
    }
  }

  #pause(ms: number): Promise<void> {
    const { clock } = this.#options;
    return new Promise((resolve) => clock.at(clock.now() + ms, resolve));
  }
}
